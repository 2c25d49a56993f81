import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdminGetUserCommand, AdminUpdateUserAttributesCommand } from "@aws-sdk/client-cognito-identity-provider";
import { createFaults } from "../../src/emulator/faults.ts";
import { createRandom } from "../../src/emulator/random.ts";
import { POOL, stage } from "./sdk-client.ts";
import type { Stage } from "./sdk-client.ts";

const USERS = [{ username: "anna" }, { username: "ben" }];

function update(on: Stage, username = "anna", abortSignal?: AbortSignal): Promise<unknown> {
  const UserAttributes = [{ Name: "name", Value: "x" }];
  const command = new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: username, UserAttributes });
  return on.client.send(command, abortSignal === undefined ? {} : { abortSignal });
}

/** Waits for a condition of the emulator's own memory; it holds within a few turns of the loop. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "Expected the condition to hold within 5 s");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("scripted faults", () => {
  const NAMES = [
    ["TooManyRequestsException", 400, "Rate exceeded"],
    ["ThrottlingException", 400, "Rate exceeded"],
    ["InternalErrorException", 500, "Something went wrong"],
    ["AliasExistsException", 400, "An account with the given email already exists."],
    ["UserLambdaValidationException", 400, "CustomMessage failed with error Rejected."],
    ["SomethingNewException", 400, "The request failed."],
  ] as const;
  for (const [name, status, message] of NAMES) {
    test(`${name} is answered with ${status}`, async () => {
      await using on = await stage({}, USERS);
      on.emulator.faults.add({ error: name });
      await assert.rejects(update(on), (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
        assert.deepEqual([error.name, error.$metadata?.httpStatusCode, error.message], [name, status, message]);
        return true;
      });
      assert.equal(on.emulator.log.writes.length, 0);
      assert.deepEqual(on.emulator.counters.operations["AdminUpdateUserAttributes"], {
        calls: 1,
        errors: { [name]: 1 },
      });
    });
  }

  test("the text and the status can be said", async () => {
    await using on = await stage({}, USERS);
    on.emulator.faults.add({ error: "TooManyRequestsException", message: "Too many requests", status: 429 });
    await assert.rejects(update(on), { message: "Too many requests" });
  });

  test("a fault befalls its operation, user and pool, as often as it says", async () => {
    await using on = await stage({}, USERS);
    const { faults } = on.emulator;
    const fault = faults.add({
      operation: "AdminUpdateUserAttributes",
      username: "anna",
      pool: POOL,
      times: 2,
      error: "InternalErrorException",
    });
    faults.add({ pool: "eu-west-1_Other", error: "InternalErrorException" });
    await update(on, "ben");
    await on.client.send(new AdminGetUserCommand({ UserPoolId: POOL, Username: "anna" }));
    await assert.rejects(update(on));
    await assert.rejects(update(on, on.pool.user("anna")?.sub));
    await update(on);
    assert.equal(fault.fired, 2);
    faults.add({ error: "InternalErrorException" });
    faults.clear();
    await update(on);
  });

  test("a fault befalls calls that write all of its attributes", async () => {
    await using on = await stage({}, USERS);
    on.emulator.faults.add({ attributes: ["name", "nickname"], error: "InvalidParameterException" });
    await update(on);
    on.emulator.faults.add({ attributes: ["name"], error: "InvalidParameterException" });
    await assert.rejects(update(on), { name: "InvalidParameterException" });
  });

  test("a connection is cut before the write, or after it", async () => {
    await using on = await stage({}, USERS);
    on.emulator.faults.add({ times: 1, error: { kind: "reset" } });
    on.emulator.faults.add({ times: 1, error: { kind: "reset", afterWrite: true } });
    await assert.rejects(update(on), { code: "ECONNRESET" });
    assert.equal(on.emulator.log.writes.length, 0);
    await assert.rejects(update(on), { code: "ECONNRESET" });
    assert.equal(on.emulator.log.writes.length, 1);
    await update(on);
  });

  test("a balancer's bare 503 has no error name", async () => {
    await using on = await stage({}, USERS);
    on.emulator.faults.add({ error: { kind: "http", status: 503 } });
    await assert.rejects(update(on), (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
      assert.equal(error.$metadata?.httpStatusCode, 503);
      return true;
    });
  });

  test("a call that hangs is never answered and writes nothing", async () => {
    await using on = await stage({}, USERS);
    on.emulator.faults.add({ error: { kind: "hang" } });
    const giveUp = new AbortController();
    const call = update(on, "anna", giveUp.signal);
    await until(() => on.emulator.counters.operations["AdminUpdateUserAttributes"]?.errors["hang"] === 1);
    giveUp.abort();
    await assert.rejects(call, { name: "AbortError" });
    assert.equal(on.emulator.log.writes.length, 0);
  });

  test("a late success is applied after the caller gave up", async () => {
    await using on = await stage({}, USERS);
    on.emulator.faults.add({ times: 1, error: { kind: "late-success", afterMs: 20 } });
    const giveUp = new AbortController();
    const call = update(on, "anna", giveUp.signal);
    await until(() => on.emulator.counters.operations["AdminUpdateUserAttributes"]?.errors["late-success"] === 1);
    assert.equal(on.emulator.log.writes.length, 0);
    giveUp.abort();
    await assert.rejects(call, { name: "AbortError" });
    await until(() => on.emulator.log.writes.length === 1);
    assert.equal(on.pool.user("anna")?.attributes["name"], "x");
    assert.equal(on.emulator.log.writes[0]?.unanswered, true, "the log says that nobody heard of it");
    await update(on, "anna");
    assert.equal(on.emulator.log.writes[1]?.unanswered, undefined);
  });

  test("closing drops what hangs, what is late and what is slow", async () => {
    const on = await stage({}, USERS, { latencyMs: 3_600_000 });
    const calls = [update(on), update(on)];
    await until(() => on.emulator.counters.operations["AdminUpdateUserAttributes"]?.calls === 2);
    const settled = Promise.allSettled(calls);
    await on[Symbol.asyncDispose]();
    for (const { status } of await settled) assert.equal(status, "rejected");
    assert.equal(on.emulator.log.writes.length, 0);
  });

  test("a caller who goes in the middle of a slow call has written all the same", async () => {
    await using on = await stage({}, USERS, { latencyMs: [40, 60] });
    const giveUp = new AbortController();
    const call = update(on, "anna", giveUp.signal);
    await until(() => on.emulator.counters.operations["AdminUpdateUserAttributes"]?.calls === 1);
    giveUp.abort();
    await assert.rejects(call, { name: "AbortError" });
    await until(() => on.emulator.log.writes.length === 1);
  });

  test("a probability is drawn from the seed", () => {
    const seed = 42;
    const draw = (): number => {
      const faults = createFaults(createRandom(seed));
      faults.add({ probability: 0.3, error: "InternalErrorException" });
      const call = { operation: "ListUsers", pool: undefined, usernames: [], attributes: [] };
      return Array.from({ length: 1000 }, () => faults.pick(call)).filter((rule) => rule !== undefined).length;
    };
    const befallen = draw();
    assert.equal(draw(), befallen);
    assert.ok(befallen > 240 && befallen < 360, `seed ${seed} gave ${befallen}`);
  });

  test("a port that is taken is told at the start", async () => {
    await using on = await stage();
    const port = Number(new URL(on.emulator.url).port);
    await assert.rejects(stage({}, [], { port }), { code: "EADDRINUSE" });
  });
});
