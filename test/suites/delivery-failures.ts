import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_ATTEMPTS, MAX_DEATHS, MAX_FAULTS } from "../../src/core/failure.ts";
import { until } from "../support/condition.ts";
import { contact, type OpenStage, type Stage, text } from "../support/delivery-stage.ts";

const UPDATE = "AdminUpdateUserAttributes";
const NAMES = [text("given_name", "Ann"), text("family_name", "Roe"), text("nickname", "annie")];

/** Kind and reason of each letter, by unit. */
async function buried(stage: Stage): Promise<Record<string, string>> {
  const letters = await stage.letters();
  return Object.fromEntries(letters.map(({ unit, kind, reason }) => [unit, `${kind} ${reason}`]));
}

/** Lets a unit have failed this often before. */
async function hasFailed(stage: Stage, username: string, unit: string, counts: "attempt" | "fault", times: number) {
  const { mailboxes } = stage.engine.store;
  const user = stage.key(username);
  for (let at = 0; at < times; at += 1) {
    const token = `${counts} ${at}`;
    const claim = await mailboxes.claim(user, token, 60_000);
    assert.equal(claim.is, "claimed");
    const version = claim.is === "claimed" ? claim.units[unit]?.version : undefined;
    assert.ok(version);
    await mailboxes.settle(
      user,
      token,
      { [unit]: { is: "retry", version, at: 0, counts, fateUnknown: false } },
      60_000,
    );
  }
}

/** What becomes of a unit whose call fails, by the table of design and docs/operations.md. */
export function failureSuite(open: OpenStage): void {
  test("a throttled call keeps its attempts and slows the shared pace", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, error: "TooManyRequestsException" });
    await stage.put("ann", [text("nickname", "annie")]);
    const delivery = await stage.deliver();
    await until("it was claimed again", () => stage.calls() > 3);
    await delivery.stop(10_000);
    const held = await stage.held("ann", "nickname");
    assert.deepEqual([held?.attempts, held?.faults], [0, 0]);
    const { accountId, region } = stage.pool.profile;
    const pace = await stage.engine.store.pace.view(`${accountId}:${region}:UserUpdate`, 1000);
    assert.ok(pace.cutAt > 0);
  });

  test("a throttle that ends costs nothing but time", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, times: 4, error: "ThrottlingException" });
    await stage.put("ann", [text("nickname", "annie")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }]);
  });

  test("an internal error is tried three times in a claim and counts as one attempt", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, error: "InternalErrorException" });
    await stage.put("ann", [text("nickname", "annie")]);
    const delivery = await stage.deliver();
    await until("an attempt was counted", async () => ((await stage.held("ann", "nickname"))?.attempts ?? 0) > 0);
    await delivery.stop(10_000);
    const held = await stage.held("ann", "nickname");
    assert.equal(stage.calls(), 3 * (held?.attempts ?? 0));
    assert.equal(held?.faults, 0);
  });

  for (const [error, reason] of [
    ["InternalErrorException", "internal-error"],
    ["UnexpectedLambdaException", "lambda-failed"],
    ["InvalidLambdaResponseException", "lambda-failed"],
    ["SomethingNewException", "unknown"],
    [{ kind: "http", status: 503 }, "internal-error"],
  ] as const) {
    const name = typeof error === "string" ? error : `a bare ${error.status}`;
    test(`${name} is given up after ${MAX_ATTEMPTS} attempts`, async (t) => {
      const stage = await open(t, ["ann"]);
      stage.emulator.faults.add({ operation: UPDATE, error });
      await stage.put("ann", [text("nickname", "annie")]);
      await hasFailed(stage, "ann", "nickname", "attempt", MAX_ATTEMPTS - 1);
      await stage.deliver();
      await stage.settled();
      assert.deepEqual(await buried(stage), { nickname: `gave-up ${reason}` });
      assert.equal((await stage.books()).dead, 1);
    });
  }

  test("a connection that is cut counts as a fault and not as an attempt", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, error: { kind: "reset" } });
    await stage.put("ann", [text("nickname", "annie")]);
    const delivery = await stage.deliver();
    await until("a fault was counted", async () => ((await stage.held("ann", "nickname"))?.faults ?? 0) > 0);
    await delivery.stop(10_000);
    assert.equal((await stage.held("ann", "nickname"))?.attempts, 0);
  });

  test(`a network that stays away is given up after ${MAX_FAULTS} faults`, async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, error: { kind: "reset" } });
    await stage.put("ann", [text("nickname", "annie")]);
    await hasFailed(stage, "ann", "nickname", "fault", MAX_FAULTS - 1);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await buried(stage), { nickname: "gave-up network" });
  });

  for (const [counts, most, error] of [
    ["fault", MAX_FAULTS, { kind: "reset", afterWrite: true }],
    ["attempt", MAX_ATTEMPTS, { kind: "http", status: 504 }],
  ] as const) {
    test(`nothing older follows a value that was given up at a call nobody heard of, by its last ${counts}`, async (t) => {
      const stage = await open(t, ["ann"]);
      stage.emulator.faults.add({ operation: UPDATE, times: 1, error });
      await stage.put("ann", [text("nickname", "newer")], { sequence: 2 });
      await hasFailed(stage, "ann", "nickname", counts, most - 1);
      await stage.deliver();
      await stage.settled();
      assert.equal((await stage.books()).dead, 1);
      const writes = stage.writes().length;
      await stage.put("ann", [text("nickname", "older")], { sequence: 1 });
      await stage.settled();
      assert.equal(stage.writes().length, writes);
      const { dead, stale } = await stage.books();
      assert.deepEqual({ dead, stale }, { dead: 1, stale: 1 });
    });
  }

  test(`a unit that ${MAX_DEATHS} workers died of is given up without a call`, async (t) => {
    const stage = await open(t, ["ann"]);
    const { mailboxes } = stage.engine.store;
    const user = await stage.put("ann", [text("nickname", "annie")], { unheard: true });
    for (let death = 1; death <= MAX_DEATHS; death += 1) {
      await until(`death ${death}`, async () => (await mailboxes.claim(user, `token ${death}`, 10)).is === "claimed");
    }
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await buried(stage), { nickname: "gave-up exhausted" });
    assert.equal(stage.calls(), 0);
  });

  test("a write whose answer was cut off is made again", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, times: 1, error: { kind: "reset", afterWrite: true } });
    await stage.put("ann", [text("nickname", "annie")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }, { nickname: "annie" }]);
    assert.equal((await stage.books()).applied, 1);
  });

  test("a call that hangs is given up at its time-out and made again", async (t) => {
    const stage = await open(t, ["ann"], { requestTimeoutMs: 400 });
    stage.emulator.faults.add({ operation: UPDATE, times: 1, error: { kind: "hang" } });
    await stage.put("ann", [text("nickname", "annie")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }]);
  });

  test("a call that times out and is applied late converges on its own value", async (t) => {
    const stage = await open(t, ["ann"], { requestTimeoutMs: 400 });
    stage.emulator.faults.add({ operation: UPDATE, times: 1, error: { kind: "late-success", afterMs: 1500 } });
    await stage.put("ann", [text("nickname", "annie")]);
    await stage.deliver();
    await stage.settled();
    await until("the late write came", () => stage.writes().length === 2);
    assert.equal(stage.attributes("ann")["nickname"], "annie");
    assert.equal((await stage.books()).applied, 1);
  });

  test("a different value waits until a call of unknown fate can no longer come", async (t) => {
    const stage = await open(t, ["ann"], { requestTimeoutMs: 400 });
    stage.emulator.faults.add({ operation: UPDATE, times: 1, error: { kind: "late-success", afterMs: 4000 } });
    await stage.put("ann", [text("nickname", "annie")]);
    await stage.deliver();
    await until("the call was begun", () => stage.calls() === 1);
    await stage.put("ann", [text("nickname", "nan")]);
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }, { nickname: "nan" }]);
    const { applied, superseded } = await stage.books();
    assert.deepEqual({ applied, superseded }, { applied: 1, superseded: 1 });
  });

  test("an alias of somebody else buries its unit, and the others are applied", async (t) => {
    const stage = await open(t, ["ann", { username: "bob", attributes: { email: "bob@example.com" } }]);
    stage.emulator.faults.add({ operation: UPDATE, attributes: ["email"], error: "AliasExistsException" });
    await stage.put("ann", [...NAMES, contact("email", "bob@example.com", "mark")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await buried(stage), { email: "alias-exists alias-exists" });
    assert.deepEqual(stage.attributes("ann"), { given_name: "Ann", family_name: "Roe", nickname: "annie" });
    assert.equal((await stage.books()).applied, 3);
  });

  test("an invalid value that Cognito names is buried alone", async (t) => {
    const stage = await open(t, ["ann"]);
    const message = "user.nickname: Attribute value is longer than 3 characters.\n";
    const error = "InvalidParameterException";
    stage.emulator.faults.add({ operation: UPDATE, attributes: ["nickname"], error, message });
    await stage.put("ann", NAMES);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await buried(stage), { nickname: "invalid-value too-long" });
    assert.deepEqual(stage.writes(), [{ given_name: "Ann", family_name: "Roe" }]);
  });

  test("an invalid value that Cognito does not name is found by halving", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, attributes: ["zoneinfo"], error: "InvalidParameterException" });
    await stage.put("ann", [...NAMES, text("zoneinfo", "Nowhere/Land")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await buried(stage), { zoneinfo: "invalid-value refused" });
    assert.deepEqual(stage.attributes("ann"), { given_name: "Ann", family_name: "Roe", nickname: "annie" });
    assert.equal(stage.calls(), 5);
  });

  test("units that are refused together and pass in parts are applied", async (t) => {
    const stage = await open(t, ["ann"]);
    const attributes = ["given_name", "zoneinfo"];
    stage.emulator.faults.add({ operation: UPDATE, attributes, error: "InvalidParameterException" });
    await stage.put("ann", [...NAMES, text("zoneinfo", "Europe/Rome")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await buried(stage), {});
    assert.equal((await stage.books()).applied, 4);
  });

  test("a part that is refused for another reason is buried for the first one", async (t) => {
    const stage = await open(t, ["ann"]);
    const attributes = ["given_name", "preferred_username"];
    stage.emulator.faults.add({ operation: UPDATE, attributes, error: "InvalidParameterException" });
    stage.emulator.faults.add({
      operation: UPDATE,
      attributes: ["preferred_username"],
      error: "AliasExistsException",
    });
    await stage.put("ann", [...NAMES, text("preferred_username", "ann")]);
    await stage.deliver();
    await stage.settled();
    const refused = "invalid-value refused";
    assert.deepEqual(await buried(stage), { nickname: refused, preferred_username: refused });
    assert.deepEqual(stage.attributes("ann"), { given_name: "Ann", family_name: "Roe" });
  });

  test("a user who is not there has all units buried", async (t) => {
    const stage = await open(t);
    await stage.put("ann", NAMES);
    await stage.deliver();
    await stage.settled();
    const gone = "user-not-found user-not-found";
    assert.deepEqual(await buried(stage), { given_name: gone, family_name: gone, nickname: gone });
    assert.equal(stage.calls(), 1);
    assert.equal((await stage.books()).dead, 3);
  });

  for (const [error, message, letter] of [
    ["UserLambdaValidationException", undefined, "refused-by-lambda refused-by-lambda"],
    ["UserNotConfirmedException", undefined, "not-authorized user-not-ready"],
    ["PasswordResetRequiredException", undefined, "not-authorized user-not-ready"],
    ["NotAuthorizedException", "User is disabled.", "not-authorized user-not-ready"],
  ] as const) {
    test(`${error}${message === undefined ? "" : ` ("${message}")`} buries all units of its user alone`, async (t) => {
      const stage = await open(t, ["ann", "bob", "cem"]);
      for (const username of ["ann", "bob"]) {
        const rule = { operation: UPDATE, username, error };
        stage.emulator.faults.add(message === undefined ? rule : { ...rule, message });
      }
      await stage.put("ann", NAMES);
      await stage.put("bob", NAMES);
      await stage.put("cem", NAMES);
      await stage.deliver();
      await stage.settled();
      assert.deepEqual(await buried(stage), { given_name: letter, family_name: letter, nickname: letter });
      const { applied, dead } = await stage.books();
      assert.deepEqual({ applied, dead }, { applied: 3, dead: 6 });
      assert.equal(await stage.holdOf("pool"), undefined);
    });
  }

  for (const error of ["LimitExceededException", "CodeDeliveryFailureException"]) {
    test(`${error} buries the address and applies the rest`, async (t) => {
      const stage = await open(t, ["ann"]);
      stage.emulator.faults.add({ operation: UPDATE, attributes: ["email"], error });
      await stage.put("ann", [...NAMES, contact("email", "ann@example.com", "ask")]);
      await stage.deliver();
      await stage.settled();
      assert.deepEqual(await buried(stage), { email: "delivery-failed delivery-failed" });
      assert.equal((await stage.books()).applied, 3);
      assert.equal(stage.calls(), 2);
    });
  }
}
