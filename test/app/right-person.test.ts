/** An address passes from one person to another: whoever has it when a command asks is written, and nobody else. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { explanationText } from "../../src/views/explanation.ts";
import { ANN, passOn, setPeople, SIGN_INS, STALE_MS, type People } from "../support/people-stage.ts";

const HERS = "+390612345678";
const firstNames = (people: People): string[] => people.have("given_name", "alee", "achu");

async function setTwo(t: TestContext, pool: PoolDefinition, movesClock = false): Promise<People> {
  const people = await setPeople(t, { pool, movesClock });
  people.add("alee", { email: ANN });
  people.add("achu", { email: "achu@example.com" });
  return people;
}

for (const [title, definition] of SIGN_INS) {
  describe(`an address that passes on, in ${title}`, () => {
    test("is its new owner's in the next file", async (t) => {
      const people = await setTwo(t, definition);
      await people.syncText(`email,given_name\n${ANN},First\n`);
      assert.deepEqual(firstNames(people), ["First", ""]);
      await passOn(people);
      await people.syncText(`email,given_name\n${ANN},Second\n`);
      assert.deepEqual(firstNames(people), ["First", "Second"]);
    });

    test("is its new owner's in the files after one that was compared with the whole pool", async (t) => {
      const people = await setTwo(t, definition);
      await people.syncText(`email,given_name\n${ANN},First\n`, { baseline: "ledger" });
      await passOn(people);
      const names = ["live", "ledger", "none"] as const;
      for (const [index, baseline] of names.entries()) {
        await people.syncText(`email,given_name\n${ANN},Later ${index}\n`, { baseline });
        assert.deepEqual(firstNames(people), ["First", `Later ${index}`], baseline);
      }
    });

    test("is a new account's where the former one was deleted", async (t) => {
      const people = await setTwo(t, definition);
      await people.syncText(`email,given_name\n${ANN},First\n`, { baseline: "none" });
      people.remove("alee");
      people.add("ann-2", { email: ANN });
      const { books } = await people.syncText(`email,given_name\n${ANN},Second\n`, { baseline: "none" });
      assert.deepEqual([books.applied, books.unchanged, books.dead], [1, 0, 0]);
      assert.deepEqual(people.have("given_name", "ann-2"), ["Second"]);
      assert.deepEqual(await people.letters(), []);
    });

    test("is its new owner's where one user is changed by it", async (t) => {
      const people = await setTwo(t, definition);
      for (const [value, expected] of [
        ["First", ["First", ""]],
        ["Second", ["First", "Second"]],
      ] as const) {
        assert.deepEqual(await people.update(ANN, { given_name: value }), { given_name: "applied" });
        assert.deepEqual(firstNames(people), expected);
        await passOn(people);
      }
    });

    test("means one person in all commands", async (t) => {
      const people = await setTwo(t, definition);
      const text = `email,given_name\n${ANN},First\n`;
      await people.syncText(text);
      await passOn(people);
      const owner = people.inPool("achu");
      const byAddress = { usernameColumn: "email" };

      const { figures, broken } = await people.plan(await people.file(text), byAddress);
      assert.deepEqual(broken, []);
      // The former owner has it already.
      assert.deepEqual([figures.calls.updates, figures.users.changed], [1, 1]);
      const dry = await people.dryRun(ANN, "Name=given_name,Value=First");
      assert.equal(dry.code, EXIT.done, dry.stderr);
      assert.match(dry.stdout, /^given_name +set +none$/m);
      const explanation = await people.explain(ANN);
      assert.equal(explanation.username, owner);
      const sentences = explanationText(explanation, 80).replace(/\s+/g, " ");
      assert.match(sentences, /found by [^.]*(e-?mail|address)[^.]*(\d{4}-\d\d-\d\d|ago|now)/i);

      assert.deepEqual(await people.update(ANN, { given_name: "First" }), { given_name: "applied" });
      assert.deepEqual(firstNames(people), ["First", "First"]);
      assert.equal((await people.syncText(text)).books.unchanged, 1);
      await people.byHand("achu", { given_name: "Theirs" });
      const { listed } = await people.drift(await people.file(text), byAddress);
      assert.deepEqual(
        listed.map(({ username, now }) => [username, now]),
        [[owner, "Theirs"]],
      );
    });

    test("means its owner with --now", async (t) => {
      const people = await setTwo(t, definition);
      await passOn(people);
      const asked = "Name=given_name,Value=First";
      const dry = await people.dryRun(ANN, asked);
      assert.equal(dry.code, EXIT.done, dry.stderr);
      const said = await people.sendNow(ANN, asked);
      assert.equal(said.code, EXIT.done, said.stderr);
      assert.deepEqual(firstNames(people), ["", "First"]);
    });

    test("is nobody's for what was queued before", async (t) => {
      const people = await setTwo(t, definition, true);
      assert.deepEqual(await people.queue(ANN, { given_name: "First" }), ["given_name"]);
      await passOn(people);
      people.clock.pass(STALE_MS);
      await people.deliver();
      assert.deepEqual(firstNames(people), ["", ""]);
      assert.deepEqual(await people.letters(), ["user-not-found no-longer-theirs 1"]);
    });
  });
}

describe("an address that another has verified since", () => {
  const pool = { aliasAttributes: ["email" as const] };

  test("is that one's in the next file, though the former owner still has it", async (t) => {
    const people = await setTwo(t, pool);
    await people.syncText(`email,given_name\n${ANN},First\n`);
    await people.byHand("achu", { email: ANN, email_verified: "true" });
    assert.deepEqual(people.have("email", "alee", "achu"), [ANN, ANN]);
    await people.syncText(`email,given_name\n${ANN},Second\n`);
    assert.deepEqual(firstNames(people), ["First", "Second"]);
  });

  test("is nobody's for what was queued before", async (t) => {
    const people = await setTwo(t, pool, true);
    await people.queue(ANN, { given_name: "First" });
    await people.byHand("achu", { email: ANN, email_verified: "true" });
    people.clock.pass(STALE_MS);
    await people.deliver();
    assert.deepEqual(firstNames(people), ["", ""]);
    assert.deepEqual(await people.letters(), ["user-not-found no-longer-theirs 1"]);
  });
});

test("a number that passes on is its new owner's in the next file", async (t) => {
  const people = await setPeople(t, { pool: { aliasAttributes: ["phone_number"] } });
  const called = (phone_number: string) => ({ phone_number, phone_number_verified: "true" });
  people.add("alee", called(HERS));
  people.add("achu");
  await people.syncText(`phone_number,given_name\n${HERS},First\n`, { baseline: "ledger" });
  await people.byHand("alee", called("+390612345601"));
  await people.byHand("achu", called(HERS));
  await people.syncText(`phone_number,given_name\n${HERS},Second\n`, { baseline: "ledger" });
  assert.deepEqual(firstNames(people), ["First", "Second"]);
});

describe("an address that poolsync itself moves", () => {
  test("is its new owner's in the next command", async (t) => {
    const people = await setTwo(t, { aliasAttributes: ["email"] });
    await people.syncText(`email,nickname\n${ANN},had it\n`, { baseline: "ledger" });
    await people.syncText(`username,email\nalee,former-${ANN}\n`, { verified: "mark" });
    await people.syncText(`username,email\nachu,${ANN}\n`, { verified: "mark" });
    await people.syncText(`email,nickname\n${ANN},has it\n`, { baseline: "ledger" });
    assert.deepEqual(people.have("nickname", "alee", "achu"), ["had it", "has it"]);
    assert.deepEqual(await people.update(ANN, { given_name: "Second" }), { given_name: "applied" });
    assert.deepEqual(firstNames(people), ["", "Second"]);
  });
});
