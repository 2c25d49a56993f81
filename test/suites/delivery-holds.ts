import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/condition.ts";
import { wakeUpQueue } from "../../src/queues/wake-ups.ts";
import { contact, type OpenStage, text } from "../support/delivery-stage.ts";

const UPDATE = "AdminUpdateUserAttributes";
const NICKNAME = [text("nickname", "nick")];
const OTHER_CONTACT = { phone_number: "+390687654321", email: "bob@example.com" } as const;

/** Failures that are nobody's own: what is not tried, by whom, and how it is taken up again. */
export function holdSuite(open: OpenStage): void {
  for (const [error, kind] of [
    ["ResourceNotFoundException", "pool-not-found"],
    ["OperationNotEnabledException", "pool-not-writable"],
  ] as const) {
    test(`${error} holds the pool, and a probe that passes lifts the hold`, async (t) => {
      const stage = await open(t, ["ann", "bob", "cem"], { concurrency: 1 });
      stage.emulator.faults.add({ operation: UPDATE, error });
      for (const username of ["ann", "bob", "cem"]) await stage.put(username, NICKNAME);
      const delivery = await stage.deliver();
      await until("the pool is held", async () => (await stage.holdOf("pool")) === kind);
      assert.ok(delivery.ready, "it is the pool's fault, not this process's");
      const before = stage.calls();
      stage.emulator.faults.clear();
      await stage.settled();
      const { applied, dead } = await stage.books();
      assert.deepEqual({ before, applied, dead }, { before: 1, applied: 3, dead: 0 });
      assert.equal(await stage.holdOf("pool"), undefined);
    });
  }

  for (const [error, whose] of [
    ["ResourceNotFoundException", "the pool"],
    ["AccessDeniedException", "this process"],
  ] as const) {
    test(`who waits for the pace while ${whose} is being held makes no call`, async (t) => {
      const users = ["ann", "bob", "cem", "dan"];
      const stage = await open(t, users, { concurrency: 4, ratePerSecond: 2 });
      stage.emulator.faults.add({ operation: UPDATE, error });
      for (const username of users) await stage.put(username, NICKNAME);
      const delivery = await stage.deliver();
      const queue = stage.engine.queues.queue(wakeUpQueue(stage.id, "bulk"));
      // Whether one who was turned away waits or is delayed depends on how far it was.
      const isIdle = async () => (await queue.getJobCounts("active"))["active"] === 0;
      await until("nobody is at work", async () => stage.calls() > 0 && (await isIdle()));
      assert.equal(stage.calls(), 1);
      const {
        waiting = 0,
        delayed = 0,
        prioritized = 0,
      } = await queue.getJobCounts("waiting", "delayed", "prioritized");
      assert.equal(waiting + delayed + prioritized, users.length);
      await delivery.stop(10_000);
    });
  }

  test("a refusal that may end in a hold keeps no place from the user's own next call", async (t) => {
    const others = ["bob", "cem", "dan", "eva"];
    const stage = await open(t, ["ann", ...others], { concurrency: 1 });
    stage.emulator.faults.add({ operation: "UpdateUserAttributes", error: "NotAuthorizedException" });
    const token = stage.emulator.mintAccessToken(stage.id, "ann", { expiresInSeconds: 600 });
    await stage.put("ann", [text("name", "Ann")], { unheard: true, callOptions: { token } });
    await stage.put("ann", NICKNAME);
    for (const username of others) await stage.put(username, NICKNAME);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.emulator.log.writes.map(({ username }) => username).toSorted(), ["ann", ...others]);
    assert.equal(stage.emulator.log.writes[0]?.username, "ann");
  });

  test("a probe that fails leaves the pool held, and costs one call", async (t) => {
    const stage = await open(t, ["ann", "bob"], { concurrency: 1 });
    stage.emulator.faults.add({ operation: UPDATE, error: "ResourceNotFoundException" });
    await stage.put("ann", NICKNAME);
    await stage.put("bob", NICKNAME);
    const delivery = await stage.deliver();
    await until("it was probed", () => stage.calls() > 1);
    await delivery.stop(10_000);
    assert.equal(stage.calls(), 2);
    assert.equal(await stage.holdOf("pool"), "pool-not-found");
    assert.equal((await stage.books()).pending, 2);
  });

  test("a user who is refused once is buried, and the pool goes on", async (t) => {
    const stage = await open(t, ["ann", "bob"]);
    stage.emulator.faults.add({ operation: UPDATE, username: "ann", error: "NotAuthorizedException" });
    await stage.put("ann", NICKNAME);
    await stage.put("bob", NICKNAME);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(
      (await stage.letters()).map(({ kind, reason }) => [kind, reason]),
      [["not-authorized", "not-authorized"]],
    );
    assert.equal(await stage.holdOf("pool"), undefined);
    assert.deepEqual(stage.writes(), [{ nickname: "nick" }]);
  });

  test("a second user who is refused alike holds the pool", async (t) => {
    const stage = await open(t, ["ann", "bob", "cem"], { concurrency: 1 });
    stage.emulator.faults.add({ operation: UPDATE, error: "NotAuthorizedException" });
    for (const username of ["ann", "bob", "cem"]) await stage.put(username, NICKNAME);
    await stage.deliver();
    await until("the pool is held", async () => (await stage.holdOf("pool")) === "not-authorized");
    assert.equal(stage.calls(), 2);
    stage.emulator.faults.clear();
    await stage.settled();
    const { applied, dead } = await stage.books();
    assert.deepEqual({ applied, dead }, { applied: 2, dead: 1 });
  });

  test("a success between two refusals says that they are about their users", async (t) => {
    const stage = await open(t, ["ann", "bob", "cem"]);
    for (const username of ["ann", "cem"]) {
      stage.emulator.faults.add({ operation: UPDATE, username, error: "NotAuthorizedException" });
    }
    await stage.deliver();
    for (const username of ["ann", "bob", "cem"]) {
      await stage.put(username, NICKNAME);
      await stage.settled();
    }
    const { applied, dead } = await stage.books();
    assert.deepEqual({ applied, dead }, { applied: 1, dead: 2 });
    assert.equal(await stage.holdOf("pool"), undefined);
  });

  test("a process that finds the pool held for refusals buries nobody for one", async (t) => {
    const stage = await open(t, ["ann"]);
    stage.emulator.faults.add({ operation: UPDATE, times: 1, error: "NotAuthorizedException" });
    await stage.engine.store.holds.place(stage.id, "pool", "not-authorized");
    await stage.put("ann", NICKNAME);
    const delivery = await stage.deliver();
    await until("it was probed", () => stage.calls() === 1);
    await delivery.stop(10_000);
    assert.equal((await stage.books()).pending, 1);
    assert.equal(await stage.holdOf("pool"), "not-authorized");
  });

  for (const [error, unit, kind] of [
    ["InvalidSmsRoleAccessPolicyException", contact("phone_number", "+390612345678", "ask"), "sms-role"],
    ["InvalidSmsRoleTrustRelationshipException", contact("phone_number", "+390612345678", "ask"), "sms-role"],
    ["InvalidEmailRoleAccessPolicyException", contact("email", "ann@example.com", "ask"), "email-role"],
  ] as const) {
    test(`${error} holds addresses and numbers, and the other units go on`, async (t) => {
      const stage = await open(t, ["ann", "bob"]);
      stage.emulator.faults.add({ operation: UPDATE, attributes: [unit.name], error });
      await stage.put("ann", [...NICKNAME, unit]);
      await stage.deliver();
      await until("they are held", async () => (await stage.holdOf("contacts")) === kind);
      // Whoever comes after the hold may be its probe, which is refused alike.
      await stage.put("bob", [...NICKNAME, contact(unit.name, OTHER_CONTACT[unit.name], "mark")]);
      await until("the others are applied", () => stage.writes().length === 2);
      assert.deepEqual(stage.writes(), [{ nickname: "nick" }, { nickname: "nick" }]);
      assert.equal(await stage.holdOf("pool"), undefined);
      stage.emulator.faults.clear();
      await stage.settled();
      assert.deepEqual([(await stage.books()).applied, await stage.holdOf("contacts")], [4, undefined]);
    });
  }

  for (const [error, kind] of [
    ["ExpiredTokenException", "credentials-expired"],
    ["UnrecognizedClientException", "credentials-refused"],
    ["AccessDeniedException", "access-denied"],
  ] as const) {
    test(`${error} pauses this process, which goes on once its credentials are taken`, async (t) => {
      const stage = await open(t, ["ann", "bob", "cem"], { concurrency: 3 });
      stage.emulator.faults.add({ operation: UPDATE, error });
      for (const username of ["ann", "bob", "cem"]) await stage.put(username, NICKNAME);
      const delivery = await stage.deliver();
      await until("it is not ready", () => !delivery.ready);
      assert.equal(delivery.onHoldFor, kind);
      assert.equal(await stage.holdOf("pool"), undefined, "others may go on");
      stage.emulator.faults.clear();
      await stage.settled();
      await until("it is ready", () => delivery.ready);
      assert.equal((await stage.books()).applied, 3);
    });
  }
}
