/** What is put for an account is that account's, whoever comes after it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { byHand } from "./cli/command-run.ts";
import { until } from "./support/condition.ts";
import { openLibrary, type LibraryStage } from "./support/library-stage.ts";

const ANN = "ann@example.com";
const STALE_MS = 61_000;
const verified = (email: string) => ({ email, email_verified: "true" });

describe("an account", () => {
  let stage: LibraryStage;
  before(async () => {
    stage = await openLibrary();
  });
  after(() => stage.close());

  test("of an identity provider that is gone is not written in who signs in under its name", async () => {
    const who = "AzureAD_ann@example.com";
    const people = stage.people({ aliasAttributes: ["email"] }, [
      { who, attributes: verified(ANN), isFederated: true },
    ]);
    const sub = people.sub(who);
    const dead = (await stage.poolsync.books()).dead;
    await people.enqueue(sub, { given_name: "By sub" });
    await people.enqueue(ANN, { family_name: "By address" });
    people.pool.removeUser(who);
    people.pool.addUser({ username: who, attributes: verified(ANN), status: "EXTERNAL_PROVIDER" });
    await stage.settled();
    assert.deepEqual([people.have("given_name", who), people.have("family_name", who)], [[""], [""]]);
    assert.equal((await stage.poolsync.books()).dead - dead, 2);
    // Who is there now is found and written.
    assert.deepEqual((await people.update(who, { nickname: "new" })).attributes, { nickname: { is: "applied" } });
  });

  test("is not written by an address that it gave up, though nobody else has it", async () => {
    const people = stage.people({ aliasAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
    await people.enqueue(ANN, { given_name: "Ann" });
    await byHand(stage.emulator, "ann", verified("other@example.com"), people.pool.id);
    stage.clock.pass(STALE_MS);
    await stage.settled();
    assert.deepEqual(people.have("given_name", "ann"), [""]);
  });

  test("has its username before somebody has it as a preferred one, in whatever case", async () => {
    const people = stage.people({ aliasAttributes: ["preferred_username"], caseSensitive: false }, [
      { who: "Ann" },
      { who: "u2", attributes: { preferred_username: "ann" } },
    ]);
    for (const name of ["Ann", "ANN", "ann"]) {
      const { attributes } = await people.update(name, { nickname: name });
      assert.deepEqual(attributes, { nickname: { is: "applied" } });
      assert.deepEqual(people.have("nickname", "Ann", "u2"), [name, ""]);
    }
  });

  test("that Cognito's clock made a moment after it was written keeps what is newer", async () => {
    const people = stage.people({ aliasAttributes: ["email"] }, []);
    people.pool.addUser({ username: "ann", attributes: verified(ANN), createdAt: Date.now() + 2_000 });
    await people.update("ann", { nickname: "new" });
    stage.clock.pass(STALE_MS);
    await people.enqueue(ANN, { nickname: "old" }, { version: { timeMs: Date.now() - 3_600_000, sequence: 1 } });
    await stage.settled();
    assert.deepEqual(people.have("nickname", "ann"), ["new"]);
  });

  test("does not await what was sent to the one before it", async () => {
    const definition = { autoVerified: ["email"], requireVerificationBeforeUpdate: ["email"] } as const;
    const people = stage.people(definition, [{ who: "ann", attributes: verified(ANN) }]);
    await people.update("ann", { email: "new@example.com" }, { verified: "ask" });
    people.pool.removeUser("ann");
    stage.clock.pass(2 * 3_600_000);
    people.pool.addUser({ username: "ann", attributes: verified(ANN) });
    const before = people.pool.messages.length;
    await people.enqueue("ann", { email: "new@example.com" }, { verified: "ask" });
    await stage.settled();
    assert.equal(people.pool.messages.length - before, 1, "the person is asked");
  });

  test("that is given another address by what named it by the old one has both, whatever the answer was", async () => {
    const people = stage.people({ usernameAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
    const dead = (await stage.poolsync.books()).dead;
    stage.emulator.faults.add({
      operation: "AdminUpdateUserAttributes",
      times: 1,
      error: { kind: "reset", afterWrite: true },
    });
    const change = { email: "new@example.com", given_name: "Ann" };
    await people.enqueue(ANN, change, { verified: "mark" });
    await stage.poolsync.deliver(people.pool.id);
    await until("it was written", () => people.have("given_name", "ann")[0] === "Ann");
    stage.clock.pass(STALE_MS);
    await stage.settled();
    assert.equal((await stage.poolsync.books()).dead, dead);
    assert.deepEqual(people.have("email", "ann"), ["new@example.com"]);
  });

  test("has a name that was asked at several times asked once before the call", async () => {
    const people = stage.people({ aliasAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
    for (const name of ["given_name", "family_name", "nickname"]) {
      await people.enqueue(ANN, { [name]: "x" });
      stage.clock.pass(STALE_MS);
    }
    const looks = (): number => stage.emulator.counters.operations["ListUsers"]?.calls ?? 0;
    const before = looks();
    await stage.settled();
    assert.equal(looks() - before, 1);
    assert.deepEqual(people.have("nickname", "ann"), ["x"]);
  });

  test("of a provider is found by its username, in whatever case, where an address may look like one", async () => {
    const who = "AzureAD_Ann@Example.com";
    const people = stage.people({ aliasAttributes: ["email"], caseSensitive: false }, [{ who, isFederated: true }]);
    assert.deepEqual((await people.update(who, { nickname: "x" })).attributes, { nickname: { is: "applied" } });
  });
});
