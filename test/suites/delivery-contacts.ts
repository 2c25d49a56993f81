import assert from "node:assert/strict";
import { test } from "node:test";
import { asIs, clear, contact, type OpenStage, text } from "../support/delivery-stage.ts";

const OLD = "ann@example.com";
const NEW = "roe@example.com";
const verified = (flag: string) => ({ username: "ann", attributes: { email: OLD, email_verified: flag } });
const ASKS = { pool: { autoVerified: ["email" as const] } };

/** E-mail addresses and phone numbers with their flags: what is read, what is sent, and what the person gets. */
export function contactSuite(open: OpenStage): void {
  test("mark writes the address with its flag, and nobody is messaged", async (t) => {
    const stage = await open(t, [verified("false")], ASKS);
    await stage.put("ann", [contact("email", NEW, "mark")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ email: NEW, email_verified: "true" }]);
    assert.equal(stage.emulator.counters.messages.email, 0);
  });

  test("ask writes the address alone, and Cognito asks the person", async (t) => {
    const stage = await open(t, [verified("true")], ASKS);
    await stage.put("ann", [contact("email", NEW, "ask")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.attributes("ann"), { email: NEW, email_verified: "false" });
    assert.equal(stage.emulator.counters.messages.email, 1);
  });

  for (const flag of ["true", "false"]) {
    test(`keep writes the address with the flag that was there, ${flag}`, async (t) => {
      const stage = await open(t, [verified(flag)], ASKS);
      await stage.put("ann", [contact("email", NEW, "keep")]);
      await stage.deliver();
      await stage.settled();
      assert.deepEqual(stage.attributes("ann"), { email: NEW, email_verified: flag });
      assert.equal(stage.emulator.counters.messages.email, 0);
    });
  }

  test("clear takes the number and its flag away", async (t) => {
    const attributes = { phone_number: "+390612345678", phone_number_verified: "true", nickname: "annie" };
    const stage = await open(t, [{ username: "ann", attributes }]);
    await stage.put("ann", [clear("phone_number")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.attributes("ann"), { nickname: "annie" });
  });

  test("as it is sets the flag of the address that is there", async (t) => {
    const stage = await open(t, [verified("false")]);
    await stage.put("ann", [asIs("email_verified", true)]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ email_verified: "true" }]);
  });

  test("as it is without an address is buried", async (t) => {
    const stage = await open(t, ["ann"]);
    await stage.put("ann", [asIs("email_verified", true)]);
    await stage.deliver();
    await stage.settled();
    const letters = await stage.letters();
    assert.deepEqual(
      letters.map(({ kind, reason }) => [kind, reason]),
      [["invalid-value", "no-value-to-verify"]],
    );
    assert.equal(stage.calls(), 0);
  });

  test("a flag that comes with a new address is set on that address", async (t) => {
    const stage = await open(t, [verified("true")]);
    await stage.put("ann", [contact("email", NEW, "ask"), text("nickname", "annie")]);
    await stage.put("ann", [asIs("email_verified", true)]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ email: NEW, nickname: "annie" }, { email_verified: "true" }]);
    assert.deepEqual(stage.attributes("ann"), { email: NEW, email_verified: "true", nickname: "annie" });
  });

  test("a flag that comes with a new address which is marked alike costs no call of its own", async (t) => {
    const stage = await open(t, [verified("false")]);
    await stage.put("ann", [contact("email", NEW, "mark")]);
    await stage.put("ann", [asIs("email_verified", true)]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ email: NEW, email_verified: "true" }]);
    const { applied, unchanged } = await stage.books();
    assert.deepEqual({ applied, unchanged }, { applied: 1, unchanged: 1 });
  });

  for (const [name, flag, unit] of [
    ["mark of an address that is verified", "true", contact("email", OLD, "mark")],
    ["ask of an address that is there", "false", contact("email", OLD, "ask")],
    ["keep of an address that is there", "false", contact("email", OLD, "keep")],
    ["as it is of a flag that is so", "true", asIs("email_verified", true)],
    ["clear of a number that is not there", "true", clear("phone_number")],
  ] as const) {
    test(`${name} is unchanged and costs no write`, async (t) => {
      const stage = await open(t, [verified(flag)], ASKS);
      await stage.put("ann", [unit]);
      await stage.deliver();
      await stage.settled();
      assert.equal((await stage.books()).unchanged, 1);
      assert.equal(stage.calls(), 0);
      assert.equal(stage.emulator.counters.messages.email, 0);
    });
  }

  test("mark of an address that is there unverified sets its flag", async (t) => {
    const stage = await open(t, [verified("false")], ASKS);
    await stage.put("ann", [contact("email", OLD, "mark")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.attributes("ann"), { email: OLD, email_verified: "true" });
    assert.equal(stage.emulator.counters.messages.email, 0);
  });

  test("an address that waits for the person is not sent again", async (t) => {
    const held = { pool: { autoVerified: ["email" as const], requireVerificationBeforeUpdate: ["email" as const] } };
    const stage = await open(t, [verified("true")], held);
    await stage.deliver();
    for (const sendUnless of ["written", "written", "there"] as const) {
      await stage.put("ann", [contact("email", NEW, "ask")], { sendUnless });
      await stage.settled();
    }
    assert.deepEqual(stage.attributes("ann"), { email: OLD, email_verified: "true" });
    assert.equal(stage.calls(), 1);
    assert.equal(stage.emulator.counters.messages.email, 1);
    await stage.put("ann", [contact("email", NEW, "ask")]);
    await stage.settled();
    assert.equal(stage.calls(), 2, "a person who asks again is sent another message");
    const { applied, unchanged } = await stage.books();
    assert.deepEqual({ applied, unchanged }, { applied: 2, unchanged: 2 });
  });

  test("a look that fails is made again, and the other units do not wait for it", async (t) => {
    const stage = await open(t, [verified("true")]);
    stage.emulator.faults.add({ operation: "ListUsers", times: 1, error: "InternalErrorException" });
    await stage.put("ann", [contact("email", NEW, "mark"), text("nickname", "annie")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }, { email: NEW, email_verified: "true" }]);
  });

  test("keep for a user who is not there is buried without a write", async (t) => {
    const stage = await open(t);
    await stage.put("ann", [contact("email", NEW, "keep")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(
      (await stage.letters()).map(({ kind, reason }) => [kind, reason]),
      [["user-not-found", "user-not-listed"]],
    );
    assert.equal(stage.calls(), 0);
  });
}
