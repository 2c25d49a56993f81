/** An address passes from one person to another: whoever has it when a command asks is written, and nobody else. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { POOL } from "./command-run.ts";
import { ANN, passOn, setPeople, SIGN_INS, STALE_MS, type People } from "./people-stage.ts";

const changes = z.object({ changes: z.array(z.object({ would: z.string() })) });
const planned = z.object({ calls: z.object({ updates: z.number() }), users: z.object({ changed: z.number() }) });
const explained = z.object({
  username: z.string(),
  listed: z.object({ attributes: z.record(z.string(), z.string()) }),
});
const drifted = z.object({ changed: z.array(z.object({ username: z.string(), now: z.string() })) });

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
      await people.sync(`email,given_name\n${ANN},First\n`);
      assert.deepEqual(firstNames(people), ["First", ""]);
      await passOn(people);
      await people.sync(`email,given_name\n${ANN},Second\n`);
      assert.deepEqual(firstNames(people), ["First", "Second"]);
    });

    test("is its new owner's in the files after one that was compared with the whole pool", async (t) => {
      const people = await setTwo(t, definition);
      await people.sync(`email,given_name\n${ANN},First\n`, "--baseline", "ledger");
      await passOn(people);
      const names = ["live", "ledger", "none"];
      for (const [nth, baseline] of names.entries()) {
        await people.sync(`email,given_name\n${ANN},Later ${nth}\n`, "--baseline", baseline);
        assert.deepEqual(firstNames(people), ["First", `Later ${nth}`], baseline);
      }
    });

    test("is a new account's where the former one was deleted", async (t) => {
      const people = await setTwo(t, definition);
      await people.sync(`email,given_name\n${ANN},First\n`, "--baseline", "none");
      people.remove("alee");
      people.add("ann-2", { email: ANN });
      const { books } = await people.sync(`email,given_name\n${ANN},Second\n`, "--baseline", "none");
      assert.deepEqual(books, { applied: 1, unchanged: 0, dead: 0 });
      assert.deepEqual(people.have("given_name", "ann-2"), ["Second"]);
      assert.deepEqual(await people.letters(), []);
    });

    test("is its new owner's where one user is changed by it", async (t) => {
      const people = await setTwo(t, definition);
      for (const [value, expected] of [
        ["First", ["First", ""]],
        ["Second", ["First", "Second"]],
      ] as const) {
        const said = await people.update(ANN, [`Name=given_name,Value=${value}`]);
        assert.equal(said.code, EXIT.done, said.stderr);
        assert.deepEqual(firstNames(people), expected);
        await passOn(people);
      }
    });

    test("means one person in all commands", async (t) => {
      const people = await setTwo(t, definition);
      const text = `email,given_name\n${ANN},First\n`;
      await people.sync(text);
      await passOn(people);
      const owner = people.inPool("achu");
      const aFile = async (command: string) => {
        const path = await people.file(text);
        return people.run([command, path, "--user-pool-id", POOL, "--username-column", "email", "--json"]);
      };

      const plan = await aFile("plan");
      assert.equal(plan.code, EXIT.done, plan.stderr);
      // The former owner has it already.
      assert.deepEqual(planned.parse(JSON.parse(plan.stdout)), { calls: { updates: 1 }, users: { changed: 1 } });
      const asked = ["Name=given_name,Value=First"];
      const dry = await people.update(ANN, asked, "--dry-run", "--json");
      assert.equal(dry.code, EXIT.done, dry.stderr);
      assert.deepEqual(changes.parse(JSON.parse(dry.stdout)), { changes: [{ would: "set" }] });
      const where = ["--user-pool-id", POOL, "--username", ANN];
      const told = await people.run(["explain", ...where, "--json"]);
      assert.equal(explained.parse(JSON.parse(told.stdout)).username, owner);
      const sentences = (await people.run(["explain", ...where])).stdout.replace(/\s+/g, " ");
      assert.match(sentences, /found by [^.]*(e-?mail|address)[^.]*(\d{4}-\d\d-\d\d|ago|now)/i);

      const said = await people.update(ANN, asked);
      assert.equal(said.code, EXIT.done, said.stderr);
      assert.deepEqual(firstNames(people), ["First", "First"]);
      assert.equal((await people.sync(text)).books.unchanged, 1);
      await people.byHand("achu", { given_name: "Theirs" });
      const drift = drifted.parse(JSON.parse((await aFile("drift")).stdout));
      assert.deepEqual(drift.changed, [{ username: owner, now: drift.changed[0]?.now }]);
    });

    test("means its owner with --now", async (t) => {
      const people = await setTwo(t, definition);
      await passOn(people);
      const asked = ["Name=given_name,Value=First"];
      const dry = await people.update(ANN, asked, "--dry-run");
      assert.equal(dry.code, EXIT.done, dry.stderr);
      const said = await people.update(ANN, asked, "--now", "--data-dir", people.at("nowhere"));
      assert.equal(said.code, EXIT.done, said.stderr);
      assert.deepEqual(firstNames(people), ["", "First"]);
    });

    test("is nobody's for what was queued before", async (t) => {
      const people = await setTwo(t, definition, true);
      const said = await people.update(ANN, ["Name=given_name,Value=First"], "--queue");
      assert.equal(said.code, EXIT.done, said.stderr);
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
    await people.sync(`email,given_name\n${ANN},First\n`);
    await people.byHand("achu", { email: ANN, email_verified: "true" });
    assert.deepEqual(people.have("email", "alee", "achu"), [ANN, ANN]);
    await people.sync(`email,given_name\n${ANN},Second\n`);
    assert.deepEqual(firstNames(people), ["First", "Second"]);
  });

  test("is nobody's for what was queued before", async (t) => {
    const people = await setTwo(t, pool, true);
    await people.update(ANN, ["Name=given_name,Value=First"], "--queue");
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
  await people.sync(`phone_number,given_name\n${HERS},First\n`, "--baseline", "ledger");
  await people.byHand("alee", called("+390612345601"));
  await people.byHand("achu", called(HERS));
  await people.sync(`phone_number,given_name\n${HERS},Second\n`, "--baseline", "ledger");
  assert.deepEqual(firstNames(people), ["First", "Second"]);
});

describe("an address that poolsync itself moves", () => {
  test("is its new owner's in the next command", async (t) => {
    const people = await setTwo(t, { aliasAttributes: ["email"] });
    await people.sync(`email,nickname\n${ANN},had it\n`, "--baseline", "ledger");
    await people.sync(`username,email\nalee,former-${ANN}\n`, "--verified", "mark");
    await people.sync(`username,email\nachu,${ANN}\n`, "--verified", "mark");
    await people.sync(`email,nickname\n${ANN},has it\n`, "--baseline", "ledger");
    assert.deepEqual(people.have("nickname", "alee", "achu"), ["had it", "has it"]);
    const said = await people.update(ANN, ["Name=given_name,Value=Second"]);
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.deepEqual(firstNames(people), ["", "Second"]);
  });
});
