import assert from "node:assert/strict";
import { test } from "node:test";
import type { Unit } from "../../src/core/unit.ts";
import { executeReplay } from "../../src/delivery/replay.ts";
import { callOptionsOf } from "../../src/store/keyring.ts";
import { openLetter } from "../../src/store/sealed-unit.ts";
import { until } from "../support/condition.ts";
import { contact, text, type OpenStage, type Stage } from "../support/delivery-stage.ts";

const OWN = "UpdateUserAttributes";

const tokenOf = (stage: Stage, username: string, expiresInSeconds = 600): string =>
  stage.emulator.mintAccessToken(stage.id, username, { expiresInSeconds });
const putOwn = (stage: Stage, username: string, units: readonly Unit[], token: string): Promise<string> =>
  stage.put(username, units, { unheard: true, callOptions: { token } });
const calls = (stage: Stage): (readonly [operation: string, attributes: object])[] =>
  stage.emulator.log.writes.map(({ operation, attributes }) => [operation, attributes]);
const kinds = async (stage: Stage): Promise<string[]> =>
  (await stage.letters()).map(({ unit, kind, reason }) => `${unit} ${kind} ${reason}`);

/** Changes that users make themselves, with their tokens, through the queue of either engine. */
export function ownSuite(openStage: OpenStage): void {
  test("a user's own change is made with the token, apart from others and from other tokens, in the order of versions", async (t) => {
    const stage = await openStage(t, ["ana"]);
    const [first, second] = [tokenOf(stage, "ana"), tokenOf(stage, "ana", 900)];
    await putOwn(stage, "ana", [text("name", "1")], first);
    await stage.put("ana", [text("nickname", "2")], { unheard: true });
    await putOwn(stage, "ana", [text("locale", "3")], second);
    await putOwn(stage, "ana", [contact("email", "a@e.com", "ask")], first);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(calls(stage), [
      [OWN, { name: "1", email: "a@e.com" }],
      ["AdminUpdateUserAttributes", { nickname: "2" }],
      [OWN, { locale: "3" }],
    ]);
  });

  test("a user's own change whose token has ended is buried without a call, and the letter has no token", async (t) => {
    const stage = await openStage(t, ["ana"]);
    await putOwn(stage, "ana", [text("name", "1")], tokenOf(stage, "ana", -1));
    await stage.put("ana", [text("nickname", "2")], { unheard: true });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await kinds(stage), ["name token-expired token-expired"]);
    assert.equal(stage.emulator.counters.operations[OWN]?.calls ?? 0, 0);
    assert.deepEqual(stage.attributes("ana")["nickname"], "2");
    const [letter] = await stage.letters();
    assert.ok(letter);
    assert.deepEqual(callOptionsOf(openLetter(stage.engine.keyring, letter)?.body ?? "{}"), { token: "" });

    const order = { pool: stage.id, until: Date.now() + 60_000 };
    assert.equal((await executeReplay(stage.engine, order)).letters, 0);
    assert.equal((await stage.letters()).length, 1);
    await putOwn(stage, "ana", [text("name", "3")], tokenOf(stage, "ana"));
    await stage.engine.wakeUps.wake(stage.id, [{ user: stage.key("ana"), priority: 1 }]);
    await stage.settled();
    assert.equal((await executeReplay(stage.engine, order)).letters, 1);
    const { stale, dead, applied } = await stage.books();
    assert.deepEqual({ stale, dead, applied }, { stale: 1, dead: 0, applied: 2 });
    assert.equal(stage.attributes("ana")["name"], "3");
  });

  test("a token that Cognito takes for ended is too, and what waits beside it is written", async (t) => {
    const stage = await openStage(t, ["ana"]);
    stage.emulator.faults.add({ operation: OWN, error: "NotAuthorizedException", message: "Access Token has expired" });
    await putOwn(stage, "ana", [text("name", "1"), text("locale", "l")], tokenOf(stage, "ana"));
    await stage.put("ana", [text("nickname", "2")], { unheard: true });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual((await kinds(stage)).toSorted(), [
      "locale token-expired token-expired",
      "name token-expired token-expired",
    ]);
    assert.equal(stage.attributes("ana")["nickname"], "2");
  });

  for (const [error, letter] of [
    ["NotAuthorizedException", "not-authorized not-authorized"],
    ["ForbiddenException", "not-authorized not-authorized"],
    ["UserNotConfirmedException", "not-authorized user-not-ready"],
    ["PasswordResetRequiredException", "not-authorized user-not-ready"],
    ["CodeMismatchException", "invalid-value refused"],
    ["ExpiredCodeException", "invalid-value refused"],
  ] as const) {
    test(`${error} of two users' own changes is theirs, and holds nothing`, async (t) => {
      const stage = await openStage(t, ["ana", "bob", "cem"], { concurrency: 1 });
      stage.emulator.faults.add({ operation: OWN, error });
      for (const name of ["ana", "bob"]) await putOwn(stage, name, [text("name", "1")], tokenOf(stage, name));
      const delivery = await stage.deliver();
      await stage.settled();
      assert.deepEqual(await kinds(stage), [`name ${letter}`, `name ${letter}`]);
      await stage.put("cem", [text("name", "2")]);
      await stage.settled();
      assert.equal(await stage.holdOf("pool"), undefined);
      assert.ok(delivery.ready);
    });
  }

  test("a user's own change that is refused for its value goes on without it", async (t) => {
    const stage = await openStage(t, ["ana", { username: "bob", attributes: { email: "b@e.com" } }]);
    stage.emulator.faults.add({ operation: OWN, attributes: ["email"], error: "AliasExistsException" });
    const units = [text("name", "1"), contact("email", "b@e.com", "ask")];
    await putOwn(stage, "ana", units, tokenOf(stage, "ana"));
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await kinds(stage), ["email alias-exists alias-exists"]);
    assert.equal(stage.attributes("ana")["name"], "1");
  });

  test("a user's own change that is refused takes no place of an administrator's, which can be replayed", async (t) => {
    const stage = await openStage(t, ["ana"]);
    for (const operation of [OWN, "AdminUpdateUserAttributes"]) {
      stage.emulator.faults.add({ operation, error: "UserLambdaValidationException" });
    }
    await stage.put("ana", [text("name", "1")]);
    await stage.deliver();
    await stage.settled();
    await putOwn(stage, "ana", [text("name", "2")], tokenOf(stage, "ana"));
    await stage.engine.wakeUps.wake(stage.id, [{ user: stage.key("ana"), priority: 1 }]);
    await stage.settled();
    const refused = "name refused-by-lambda refused-by-lambda";
    assert.deepEqual(await kinds(stage), [refused, refused]);
  });

  test("a user's own change that is throttled waits with its token, and nothing is counted", async (t) => {
    const stage = await openStage(t, ["ana"]);
    stage.emulator.faults.add({ operation: OWN, error: "TooManyRequestsException", times: 4 });
    await putOwn(stage, "ana", [text("name", "1")], tokenOf(stage, "ana"));
    await stage.deliver();
    await until("it is written", () => stage.attributes("ana")["name"] === "1", 20_000);
  });
}
