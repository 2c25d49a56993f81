import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import type { AttributeWriter, WriteAnswer } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import type { CognitoClient } from "../../src/cognito/client.ts";
import type { Attribute } from "../../src/core/contact.ts";
import type { Failure, FailureKind } from "../../src/core/failure.ts";
import { culprits } from "../../src/core/isolation.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import type { FaultRule } from "../../src/emulator/faults.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";
const USER = "MARKER-user";
const MARKED: readonly Attribute[] = [{ Name: "name", Value: "MARKER-value" }];

describe("the attribute writer", () => {
  let emulator: Emulator;
  let client: CognitoClient;
  let writer: AttributeWriter;
  let restore: () => void;
  before(async () => {
    restore = exampleAws();
    emulator = await startEmulator({ quotas: "unmetered" });
    const pool = emulator.pools.add({
      id: POOL,
      schema: [
        { name: "name", required: true },
        { name: "badge", mutable: false },
        { name: "code", maxLength: 4 },
      ],
    });
    pool.addUser({ username: USER, attributes: { name: "before", nickname: "x" } });
    client = createCognitoClient({
      endpoint: emulator.url,
      concurrency: 4,
      connectTimeoutMs: 500,
      requestTimeoutMs: 400,
    });
    writer = createAttributeWriter(client);
  });
  afterEach(() => emulator.faults.clear());
  after(async () => {
    client.close();
    await emulator.close();
    restore();
  });

  const write = (attributes = MARKED, signal = new AbortController().signal, pool = POOL, username = USER) =>
    writer.write(pool, username, attributes, { signal, notAfter: Infinity });
  const failureOf = (said: WriteAnswer): Failure => {
    assert.ok(!said.ok, "Expected the call to fail");
    return said.failure;
  };

  test("sets and deletes in one call", async () => {
    const attributes = [
      { Name: "name", Value: "Zoë" },
      { Name: "nickname", Value: "" },
    ];
    const calls = emulator.counters.categories.UserUpdate.calls;
    assert.deepEqual(await write(attributes), { ok: true });
    assert.equal(emulator.counters.categories.UserUpdate.calls, calls + 1);
    const user = emulator.pools.get(POOL)?.user(USER);
    assert.equal(user?.attributes["name"], "Zoë");
    assert.equal(user?.attributes["nickname"], undefined);
  });

  test("names the faults of several attributes, for isolation", async () => {
    const attributes = [
      { Name: "name", Value: "MARKER" },
      { Name: "custom:nope", Value: "MARKER" },
      { Name: "custom:badge", Value: "MARKER" },
      { Name: "nickname", Value: "MARKER" },
    ];
    const said = await write(attributes);
    const failure = failureOf(said);
    assert.equal(failure.kind, "invalid-value");
    assert.ok(!said.ok);
    const names = attributes.map(({ Name }) => Name);
    assert.deepEqual(culprits(failure.kind, said.message, names), ["custom:nope", "custom:badge"]);
  });

  test("says that a user or a pool is not there", async () => {
    assert.equal(failureOf(await write(MARKED, undefined, POOL, "nobody")).kind, "user-not-found");
    assert.equal(failureOf(await write(MARKED, undefined, "eu-west-1_Nowhere")).kind, "pool-not-found");
  });

  const faults: readonly (readonly [
    title: string,
    fault: Omit<FaultRule, "operation">,
    kind: FailureKind,
    counts: Failure["counts"],
    fateUnknown: boolean,
  ])[] = [
    ["a throttle", { error: "TooManyRequestsException" }, "throttled", "nothing", false],
    ["a common throttle", { error: "ThrottlingException" }, "throttled", "nothing", false],
    ["Cognito's own fault", { error: "InternalErrorException" }, "internal-error", "attempt", false],
    ["an unheard-of error", { error: "SomethingNewException" }, "unknown", "attempt", false],
    ["a daily limit", { error: "LimitExceededException" }, "delivery-failed", "nothing", false],
    ["an expired session", { error: "ExpiredTokenException" }, "credentials-expired", "nothing", false],
    ["a refused identity", { error: "AccessDeniedException", status: 403 }, "access-denied", "nothing", false],
    ["a connection that is reset", { error: { kind: "reset" } }, "network", "fault", true],
    ["an answer that never comes", { error: { kind: "hang" } }, "timed-out", "fault", true],
    [
      "a balancer without a service",
      { error: { kind: "http", status: 503, body: "<html>" } },
      "internal-error",
      "attempt",
      false,
    ],
    ["a gateway that gave up", { error: { kind: "http", status: 504 } }, "internal-error", "attempt", true],
    [
      "a page instead of an answer",
      { error: { kind: "http", status: 200, body: "<html>" } },
      "unknown",
      "attempt",
      true,
    ],
    ["a status alone", { error: { kind: "http", status: 429 } }, "throttled", "nothing", false],
  ];
  for (const [title, fault, kind, counts, fateUnknown] of faults) {
    test(`tells ${title}: ${kind}`, async () => {
      emulator.faults.add({ operation: "AdminUpdateUserAttributes", times: 1, ...fault });
      const failure = failureOf(await write());
      assert.deepEqual(
        { kind: failure.kind, counts: failure.counts, fateUnknown: failure.fateUnknown },
        { kind, counts, fateUnknown },
      );
    });
  }

  test("knows that nothing was sent to a port where nobody listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const lost = createCognitoClient({ endpoint: `http://127.0.0.1:${port}`, concurrency: 1 });
    const said = await createAttributeWriter(lost).write(POOL, USER, MARKED, {
      signal: new AbortController().signal,
      notAfter: Infinity,
    });
    lost.close();
    const failure = failureOf(said);
    assert.equal(failure.kind, "network");
    assert.equal(failure.counts, "fault");
    assert.equal(failure.fateUnknown, false);
  });

  test("knows that nothing was sent without credentials", async () => {
    const undo = exampleAws({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined });
    const bare = createCognitoClient({ endpoint: emulator.url, concurrency: 1 });
    const said = await createAttributeWriter(bare).write(POOL, USER, MARKED, {
      signal: new AbortController().signal,
      notAfter: Infinity,
    });
    bare.close();
    undo();
    const failure = failureOf(said);
    assert.equal(failure.kind, "credentials-missing");
    assert.equal(failure.fateUnknown, false);
  });

  test("sends nothing once its time has passed, though no timer has said so yet", async () => {
    const writes = emulator.log.writes.length;
    const { signal } = new AbortController();
    const failure = failureOf(await writer.write(POOL, USER, MARKED, { signal, notAfter: performance.now() - 1 }));
    assert.equal(failure.fateUnknown, false);
    assert.equal(failure.counts, "nothing");
    assert.equal(emulator.log.writes.length, writes);
  });

  test("gives up at the end of its lease, and does not know what became of the call", async () => {
    emulator.faults.add({ operation: "AdminUpdateUserAttributes", times: 1, error: { kind: "hang" } });
    const failure = failureOf(await write(MARKED, AbortSignal.timeout(20)));
    assert.deepEqual([failure.kind, failure.counts, failure.fateUnknown], ["timed-out", "fault", true]);
  });

  test("counts nothing when it is aborted", async () => {
    emulator.faults.add({ operation: "AdminUpdateUserAttributes", times: 1, error: { kind: "hang" } });
    const stop = new AbortController();
    const saying = write(MARKED, stop.signal);
    while (emulator.faults.rules[0]?.fired !== 1) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    const failure = failureOf(await saying);
    assert.deepEqual([failure.kind, failure.counts, failure.fateUnknown], ["aborted", "nothing", true]);
  });

  test("does not begin a call whose signal has ended", async () => {
    const calls = emulator.counters.categories.UserUpdate.calls;
    const failure = failureOf(await write(MARKED, AbortSignal.abort()));
    assert.deepEqual([failure.kind, failure.fateUnknown], ["aborted", false]);
    assert.equal(emulator.counters.categories.UserUpdate.calls, calls);
  });

  test("puts nothing of the person into a failure", async () => {
    emulator.faults.add({
      operation: "AdminUpdateUserAttributes",
      times: 1,
      error: "InvalidParameterException",
      message: "Value 'MARKER-value' of MARKER-user is not right",
    });
    const failures = [
      failureOf(await write()),
      failureOf(await write([{ Name: "custom:code", Value: "MARKER-value" }])),
    ];
    for (const failure of failures) assert.doesNotMatch(JSON.stringify(failure), /MARKER/);
    assert.deepEqual(
      failures.map(({ reason }) => reason),
      ["refused", "too-long"],
    );
  });
});
