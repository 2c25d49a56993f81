/** A username that is made anew is another account: nothing that is known of the former one is true of it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import { leftOutSentences } from "../../src/views/letter-export.ts";
import { ANN, setPeople, STALE_MS, type People } from "../support/people-stage.ts";

const ALIASES = { aliasAttributes: ["email" as const] };

/** What a run that is undone came to, and what it left as it was. */
async function undo(people: People, run: string) {
  const { stopped, summaries } = await people.undo(run);
  const [summary] = summaries;
  assert.ok(summary && stopped.length === 0);
  return summary;
}

/** Deleted, and somebody else has the username. */
function makeAnew(people: People, who: string, attributes: Readonly<Record<string, string>> = {}): void {
  people.remove(who);
  people.add(who, attributes);
}

describe("an account that is made anew under a username", () => {
  for (const [title, asked] of [
    ["by default", {}],
    ["--baseline ledger", { baseline: "ledger" }],
  ] as const) {
    test(`is filled by the same file: ${title}`, async (t) => {
      const people = await setPeople(t);
      people.add("ann");
      const text = "username,given_name,email\nann,Ann,ann@example.com\n";
      assert.equal((await people.syncText(text, { verified: "mark", ...asked })).books.applied, 2);
      makeAnew(people, "ann");
      const { books } = await people.syncText(text, { verified: "mark", ...asked });
      assert.deepEqual([books.applied, books.unchanged, books.dead], [2, 0, 0]);
      assert.deepEqual([people.have("given_name", "ann"), people.have("email", "ann")], [["Ann"], [ANN]]);
    });
  }

  test("is filled by a file that nobody has touched since", async (t) => {
    const people = await setPeople(t);
    people.add("ann");
    const path = await people.file("username,given_name\nann,Ann\n");
    await people.sync(path);
    makeAnew(people, "ann");
    assert.ok(isComplete(await people.sync(path)));
    assert.deepEqual(people.have("given_name", "ann"), ["Ann"]);
  });

  test("has nothing of what was written, waits or is dead for the former one", async (t) => {
    const people = await setPeople(t, { pool: ALIASES, movesClock: true });
    people.add("ann", { email: ANN });
    await people.update(ANN, { given_name: "Ann" });
    people.emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "UserLambdaValidationException" });
    await people.update(ANN, { family_name: "Dead" });
    people.emulator.faults.clear();
    await people.queue(ANN, { nickname: "Waits" });
    const explain = async () => {
      const { ledger, pending } = await people.explain("ann");
      return [ledger.length, pending.length];
    };
    assert.deepEqual(await explain(), [1, 1]);
    makeAnew(people, "ann");
    people.clock.pass(STALE_MS);
    await people.syncText("username,locale\nann,en\n");
    assert.deepEqual(await explain(), [1, 0]);
    await people.replay({ kind: "refused-by-lambda" });
    assert.doesNotMatch((await people.letters()).join(), /refused-by-lambda/);
    const there = ["given_name", "family_name", "nickname", "locale"].map((name) => people.have(name, "ann")[0]);
    assert.deepEqual(there, ["", "", "", "en"]);
  });

  test("is not given what was queued for the former one", async (t) => {
    const people = await setPeople(t, { pool: ALIASES });
    people.add("ann", { email: ANN });
    await people.queue(ANN, { given_name: "Ann" });
    makeAnew(people, "ann");
    // Within the minute nobody asks again: it is the call that finds nobody.
    await people.deliver();
    assert.deepEqual(people.have("given_name", "ann"), [""]);
  });

  test("is given what was queued for its username by somebody who had not looked", async (t) => {
    const people = await setPeople(t);
    people.add("ann");
    await people.queue("ann", { given_name: "Ann" });
    makeAnew(people, "ann");
    await people.deliver();
    assert.deepEqual(people.have("given_name", "ann"), ["Ann"]);
  });

  test("is not undone to what the former one had", async (t) => {
    const environment = { POOLSYNC_KEY: randomBytes(32).toString("base64") };
    const people = await setPeople(t, { config: "keepBefore: true\n", environment });
    people.add("ann", { given_name: "Before" });
    people.add("bob", { given_name: "Before" });
    const { run } = await people.syncText("username,given_name\nann,After\nbob,After\n");
    makeAnew(people, "ann", { given_name: "After" });
    assert.ok(!isComplete(await undo(people, run)));
    assert.deepEqual(people.have("given_name", "ann", "bob"), ["After", "Before"]);
  });
});

describe("what a run wrote by an address", () => {
  test("is undone of who was written, though another has the address by now", async (t) => {
    const environment = { POOLSYNC_KEY: randomBytes(32).toString("base64") };
    const people = await setPeople(t, { pool: ALIASES, config: "keepBefore: true\n", environment });
    people.add("alee", { email: ANN, given_name: "Before" });
    people.add("achu", { email: "achu@example.com", given_name: "After" });
    const { run } = await people.syncText(`email,given_name\n${ANN},After\n`);
    await people.byHand("achu", { email: ANN, email_verified: "true" });
    assert.ok(isComplete(await undo(people, run)));
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["Before", "After"]);
  });
});

describe("a letter", () => {
  const refused = { operation: "AdminUpdateUserAttributes", error: "UserLambdaValidationException" } as const;

  test("is not replayed for who has the address by now, nor for who had it", async (t) => {
    const people = await setPeople(t, { pool: ALIASES, movesClock: true });
    people.add("alee", { email: ANN });
    people.add("achu", { email: "achu@example.com" });
    people.emulator.faults.add(refused);
    await people.update(ANN, { given_name: "First" });
    people.emulator.faults.clear();
    await people.byHand("achu", { email: ANN, email_verified: "true" });
    people.clock.pass(STALE_MS);
    const { diedAgain, notReplayable } = await people.replay({ kind: "refused-by-lambda" });
    assert.deepEqual([diedAgain, notReplayable], [1, 0]);
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["", ""]);
    assert.deepEqual(await people.letters(), ["user-not-found no-longer-theirs 1"]);
    const { records, left } = await people.exportLetters();
    assert.deepEqual(records, [], "a file would say the username of who had the address");
    assert.match(leftOutSentences(left).join(" "), /1 letter is left out .* make such changes anew/);
  });

  test("of an address that has passed on never heals, and goes by hand once the address came back", async (t) => {
    const people = await setPeople(t, { pool: ALIASES, movesClock: true, config: "heal: true\n" });
    people.add("alee", { email: ANN });
    people.add("achu", { email: "achu@example.com" });
    await people.queue(ANN, { given_name: "First" });
    await people.byHand("achu", { email: ANN, email_verified: "true" });
    people.clock.pass(STALE_MS);
    await people.deliver();
    for (const email of [ANN, "achu@example.com"]) {
      await people.byHand("achu", { email, email_verified: "true" });
      await people.byHand("alee", { email_verified: email === ANN ? "false" : "true" });
      assert.equal((await people.syncText("username,locale\nachu,en\n", { baseline: "live" })).healed ?? 0, 0, email);
      assert.deepEqual(people.have("given_name", "alee", "achu"), ["", ""]);
      assert.deepEqual(await people.letters(), ["user-not-found no-longer-theirs 1"]);
      people.clock.pass(STALE_MS);
    }
    const { diedAgain, notReplayable } = await people.replay({ kind: "user-not-found" });
    assert.deepEqual([diedAgain, notReplayable], [0, 0]);
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["First", ""]);
  });

  test("of an account that is gone does not heal when another has its username", async (t) => {
    const people = await setPeople(t, { pool: ALIASES, config: "heal: true\n" });
    people.add("ann", { email: ANN });
    await people.queue(ANN, { given_name: "Ann" });
    people.remove("ann");
    await people.deliver();
    assert.match((await people.letters()).join(), /^user-not-found [^,]* 1$/);
    people.add("ann");
    people.add("bob");
    await people.syncText("username,locale\nbob,en\n", { baseline: "live" });
    await people.replay({ kind: "user-not-found" });
    assert.deepEqual(people.have("given_name", "ann"), [""]);
  });

  test("of a username that nobody had heals once somebody has it", async (t) => {
    const people = await setPeople(t, { config: "heal: true\n" });
    people.add("bob");
    assert.deepEqual(await people.update("ann", { given_name: "Ann" }), { given_name: "dead" });
    people.add("ann");
    assert.equal((await people.syncText("username,locale\nbob,en\n", { baseline: "live" })).healed, 1);
    assert.deepEqual(people.have("given_name", "ann"), ["Ann"]);
  });
});
