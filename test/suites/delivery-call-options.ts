import assert from "node:assert/strict";
import { test } from "node:test";
import type { Unit } from "../../src/core/unit.ts";
import { asIs, contact, text, type OpenStage, type Stage } from "../support/delivery-stage.ts";

type Metadata = Readonly<Record<string, string>>;

const putWith = (stage: Stage, units: readonly Unit[], clientMetadata?: Metadata): Promise<string> =>
  stage.put("ana", units, {
    unheard: true,
    ...(clientMetadata === undefined ? {} : { callOptions: { clientMetadata } }),
  });

/** What each call wrote, and what came with it. */
const calls = (stage: Stage): (readonly [attributes: object, metadata: Metadata | undefined])[] =>
  stage.emulator.log.writes.map(({ attributes, clientMetadata }) => [attributes, clientMetadata]);

/** Client metadata, on either engine. */
export function mannerSuite(openStage: OpenStage): void {
  test("values of equal metadata go in one call, those of different metadata in the order of their versions", async (t) => {
    const stage = await openStage(t, ["ana"]);
    await putWith(stage, [text("name", "1")], { reason: "a" });
    await putWith(stage, [text("nickname", "2")]);
    await putWith(stage, [text("given_name", "3")], { reason: "b", by: "hr" });
    await putWith(stage, [text("family_name", "4")], { reason: "a" });
    await putWith(stage, [text("locale", "5")], { by: "hr", reason: "b" });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(calls(stage), [
      [{ name: "1", family_name: "4" }, { reason: "a" }],
      [{ nickname: "2" }, undefined],
      [
        { given_name: "3", locale: "5" },
        { reason: "b", by: "hr" },
      ],
    ]);
    assert.equal((await stage.books()).applied, 5);
  });

  test("a newer value goes with its own metadata, and an equal one is unchanged whatever it says", async (t) => {
    const stage = await openStage(t, ["ana"]);
    await putWith(stage, [text("name", "1")], { reason: "a" });
    await putWith(stage, [text("name", "2")], { reason: "b" });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(calls(stage), [[{ name: "2" }, { reason: "b" }]]);
    await stage.put("ana", [text("name", "2")], {
      callOptions: { clientMetadata: { reason: "c" } },
      sendUnless: "written",
    });
    await stage.settled();
    assert.equal(calls(stage).length, 1);
    assert.equal((await stage.books()).unchanged, 1);
  });

  test("an address goes with its flag and its metadata, and a flag alone in a call of its own", async (t) => {
    const stage = await openStage(t, [{ username: "ana", attributes: { phone_number: "+3212345678" } }]);
    await putWith(stage, [asIs("phone_number_verified", true)], { reason: "flag" });
    await putWith(stage, [contact("email", "a@e.com", "mark")], { reason: "mail" });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(calls(stage), [
      [{ email: "a@e.com", email_verified: "true" }, { reason: "mail" }],
      [{ phone_number_verified: "true" }, { reason: "flag" }],
    ]);
  });

  test("a trigger that refuses one call's metadata takes nothing else along, and a replay sends it again", async (t) => {
    const stage = await openStage(t, ["ana"]);
    const operation = "AdminUpdateUserAttributes";
    stage.emulator.faults.add({ operation, error: "UserLambdaValidationException", times: 1 });
    await putWith(stage, [text("name", "1"), text("locale", "l")], { reason: "refused" });
    await putWith(stage, [text("nickname", "2")], { reason: "taken" });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(calls(stage), [[{ nickname: "2" }, { reason: "taken" }]]);
    const letters = await stage.letters();
    assert.deepEqual(letters.map(({ unit, kind }) => `${unit} ${kind}`).toSorted(), [
      "locale refused-by-lambda",
      "name refused-by-lambda",
    ]);
    await stage.engine.store.mailboxes.replay(
      letters.map(({ id }) => id),
      1,
    );
    await stage.engine.wakeUps.wake(stage.id, [{ user: stage.key("ana"), priority: 1 }]);
    await stage.settled();
    assert.deepEqual(calls(stage)[1], [{ name: "1", locale: "l" }, { reason: "refused" }]);
  });

  test("a user who is not found is so for every call, and none but the first is made", async (t) => {
    const stage = await openStage(t, []);
    await putWith(stage, [text("name", "1")], { reason: "a" });
    await putWith(stage, [text("nickname", "2")]);
    await stage.deliver();
    await stage.settled();
    assert.equal((await stage.letters()).length, 2);
    assert.equal(stage.calls(), 1);
  });
}
