/** Memory is not the pool: what poolsync wrote once says nothing of what is there now. */
import assert from "node:assert/strict";
import { utimes } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { openPoolsync, type UserChange } from "../../src/index.ts";
import { runCommand } from "../cli/command-run.ts";
import { setApp, type Asked } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { byHand, POOL } from "../support/pool-stage.ts";

type Wanted = UserChange["attributes"];
type More = Pick<UserChange, "verified">;

async function setStage(t: TestContext, definition: Omit<PoolDefinition, "id"> = {}) {
  const app = await setApp(t, { pool: { schema: [{ name: "cost_center" }], ...definition } });
  const { emulator, pool, environment } = app;
  return {
    ...app,
    writes: (): number => emulator.counters.operations["AdminUpdateUserAttributes"]?.calls ?? 0,
    has: (name: string): string | undefined => pool.user("ann")?.attributes[name],
    async outcomes(wanted: Wanted, more: More = {}) {
      const outcomes = await app.update("ann", wanted, more);
      const others = Object.values(outcomes).filter((is) => is !== "applied" && is !== "unchanged");
      assert.deepEqual(others, []);
      return outcomes;
    },
    /** What a dry run says, which is the command line's own, and opens no engine. */
    async would(wanted: Wanted, { verified }: More = {}): Promise<Record<string, string>> {
      const flag = verified === "mark" ? ["Name=email_verified,Value=true"] : [];
      const attributes = Object.entries(wanted).map(([name, value]) => `Name=${name},Value=${value ?? ""}`);
      const who = ["--user-pool-id", POOL, "--username", "ann", "--user-attributes", ...attributes, ...flag];
      const said = await runCommand(["admin-update-user-attributes", ...who, "--dry-run"], { environment });
      const [, ...rows] = said.stdout.trimEnd().split("\n");
      const would = (row: string): [string, string] => {
        const [attribute = "", what = ""] = row.split(/ {2,}/);
        return [attribute, what];
      };
      return Object.fromEntries(rows.map(would));
    },
    async sync(path: string, asked: Asked = {}) {
      const summary = await app.sync(path, asked);
      assert.ok(isComplete(summary));
      const { applied, unchanged, dead } = summary.books;
      return { applied, unchanged, dead };
    },
    async plannedCalls(path: string, asked: Asked = {}): Promise<number> {
      const { figures, broken } = await app.plan(path, asked);
      assert.deepEqual(broken, []);
      return figures.calls.updates;
    },
  };
}

const WANTED = { "custom:cost_center": "42" };

describe("what a person asks for", () => {
  test("is written again where somebody else has changed it, and all commands say so", async (t) => {
    const stage = await setStage(t);
    stage.pool.addUser({ username: "ann" });
    assert.deepEqual(await stage.outcomes(WANTED), { "custom:cost_center": "applied" });
    await byHand(stage.emulator, "ann", { "custom:cost_center": "WRONG" });
    const { ledger } = await stage.explain("ann");
    assert.deepEqual(
      ledger.map(({ attribute, changedSince }) => [attribute, changedSince]),
      [["custom:cost_center", true]],
    );
    assert.match(await stage.because("ann"), /holds another `custom:cost_center` than poolsync wrote last/);
    assert.deepEqual(await stage.would(WANTED), { "custom:cost_center": "change" });
    assert.deepEqual(await stage.outcomes(WANTED), { "custom:cost_center": "applied" });
    assert.equal(stage.has("custom:cost_center"), "42");
    assert.match(
      await stage.because("ann"),
      /^Nothing waits, and what poolsync wrote last is there\. `custom:cost_center` was written at \S+ by a single change\.$/,
    );
  });

  test("is sent although it is there: nobody looked, and memory decides nothing", async (t) => {
    const stage = await setStage(t);
    stage.pool.addUser({ username: "ann" });
    await stage.outcomes(WANTED);
    const before = stage.writes();
    assert.deepEqual(await stage.would(WANTED), { "custom:cost_center": "rewrite" });
    assert.deepEqual(await stage.outcomes(WANTED), { "custom:cost_center": "applied" });
    assert.equal(stage.writes(), before + 1);
  });

  for (const [title, elsewhere, would] of [
    ["another address", { email: "wrong@example.com", email_verified: "true" }, "change"],
    ["the address without its flag", { email: "ann@example.com", email_verified: "false" }, "change"],
    ["the address in another spelling", { email: "ANN@example.com", email_verified: "true" }, "change"],
    ["no address", { email: "" }, "set"],
    ["just that", {}, "unchanged"],
  ] as const) {
    test(`is an address with its flag where the pool has ${title}`, async (t) => {
      const stage = await setStage(t, { caseSensitive: false });
      stage.pool.addUser({ username: "ann" });
      const asked = [{ email: "ann@example.com" }, { verified: "mark" }] as const;
      await stage.outcomes(...asked);
      if (Object.keys(elsewhere).length > 0) await byHand(stage.emulator, "ann", elsewhere);
      const before = stage.writes();
      assert.deepEqual(await stage.would(...asked), { email: would });
      assert.deepEqual(await stage.outcomes(...asked), { email: would === "unchanged" ? would : "applied" });
      assert.equal(stage.writes() - before, would === "unchanged" ? 0 : 1);
      assert.deepEqual([stage.has("email"), stage.has("email_verified")], ["ann@example.com", "true"]);
    });
  }

  test("is a number, a flag alone and a cleared value as well", async (t) => {
    const stage = await setStage(t);
    stage.pool.addUser({ username: "ann", attributes: { email: "ann@example.com", email_verified: "true" } });
    const numbers = [{ phone_number: "+14325551212", nickname: null }, { verified: "mark" }] as const;
    await stage.outcomes(...numbers);
    await stage.outcomes({ email_verified: "false" });
    await byHand(stage.emulator, "ann", { phone_number: "+14325551213", nickname: "Nick", email_verified: "true" });
    await stage.outcomes(...numbers);
    await stage.outcomes({ email_verified: "false" });
    assert.deepEqual(
      ["phone_number", "phone_number_verified", "nickname", "email_verified"].map((name) => stage.has(name) ?? ""),
      ["+14325551212", "true", "", "false"],
    );
  });

  test("is the same of the library's update()", async (t) => {
    const stage = await setStage(t);
    stage.pool.addUser({ username: "ann" });
    const poolsync = await openPoolsync({ ...stage.place, logLevel: "silent" });
    t.after(() => poolsync.close());
    const change = {
      pool: POOL,
      username: "ann",
      attributes: { "custom:cost_center": "42", email: "ann@example.com" },
      verified: "mark" as const,
    };
    await poolsync.update(change);
    await byHand(stage.emulator, "ann", { "custom:cost_center": "WRONG", email_verified: "false" });
    const { attributes } = await poolsync.update(change);
    assert.deepEqual(attributes, { "custom:cost_center": { is: "applied" }, email: { is: "applied" } });
    assert.deepEqual([stage.has("custom:cost_center"), stage.has("email_verified")], ["42", "true"]);
  });
});

describe("what an application queues", () => {
  test("is not written again within the hour, and is where it asks with update()", async (t) => {
    const stage = await setStage(t);
    stage.pool.addUser({ username: "ann" });
    const poolsync = await openPoolsync({ ...stage.place, logLevel: "silent" });
    t.after(() => poolsync.close());
    await poolsync.deliver(POOL);
    const change = { pool: POOL, username: "ann", attributes: { nickname: "Ann" } };
    await poolsync.enqueue(change);
    await until("the change is applied", async () => (await poolsync.books()).applied === 1);
    await poolsync.enqueue(change);
    await until("the change is unchanged", async () => (await poolsync.books()).unchanged === 1);
    assert.equal(stage.writes(), 1);
    assert.deepEqual((await poolsync.update(change)).attributes, { nickname: { is: "applied" } });
    assert.equal(stage.writes(), 2);
  });
});

describe("a file", () => {
  for (const [title, asked] of [
    ["by default", {}],
    ["--baseline none", { baseline: "none" }],
    ["--baseline ledger", { baseline: "ledger" }],
    ["--stream", { stream: true }],
  ] as const) {
    test(`of one row is written again where somebody else has changed it: ${title}`, async (t) => {
      const stage = await setStage(t);
      stage.pool.addUser({ username: "ann" });
      const path = await stage.file("username,custom:cost_center,email\nann,42,ann@example.com\n");
      const all = { verified: "mark", ...asked } as const;
      assert.equal((await stage.sync(path, all)).applied, 2);
      await byHand(stage.emulator, "ann", { "custom:cost_center": "WRONG", email_verified: "false" });
      await utimes(path, new Date(), new Date());
      assert.equal((await stage.sync(path, all)).applied, 2);
      assert.deepEqual([stage.has("custom:cost_center"), stage.has("email_verified")], ["42", "true"]);
      await utimes(path, new Date(), new Date());
      const before = stage.writes();
      assert.deepEqual(await stage.sync(path, all), { applied: 0, unchanged: 2, dead: 0 });
      assert.equal(stage.writes(), before, "what is there is not sent");
    });
  }

  test("of every night makes no write where nothing differs, and just one where one value does", async (t) => {
    const stage = await setStage(t);
    const names = ["ann", ...Array.from({ length: 1_200 }, (_, number) => `u${number}`)];
    for (const username of names) stage.pool.addUser({ username, attributes: { nickname: `Nick ${username}` } });
    const path = await stage.file(["username,nickname", ...names.map((name) => `${name},Nick ${name}`)].join("\n"));
    for (const [night, differs] of [false, true, false].entries()) {
      if (differs) await byHand(stage.emulator, "ann", { nickname: "Somebody else's" });
      await utimes(path, new Date(), new Date());
      const before = stage.writes();
      const { applied, unchanged } = await stage.sync(path);
      const writes = differs ? 1 : 0;
      assert.deepEqual([applied, unchanged], [writes, names.length - writes], `night ${night}`);
      assert.equal(stage.writes() - before, writes, `night ${night}`);
    }
  });

  test("is planned as it is carried out: what is there already, and who is not listed", async (t) => {
    const stage = await setStage(t);
    stage.pool.addUser({ username: "ann", attributes: { nickname: "Ann" } });
    stage.pool.addUser({ username: "bob", attributes: { nickname: "Old", email: "bob@example.com" } });
    const path = await stage.file("username,nickname\nann,Ann\nbob,Bob\n");
    assert.equal(await stage.plannedCalls(path), 1);
    assert.deepEqual(await stage.sync(path), { applied: 1, unchanged: 1, dead: 0 });
    assert.equal(stage.writes(), 1);
    const byMail = await stage.file("email,nickname\nbob@example.com,Bobby\n");
    assert.equal(await stage.plannedCalls(byMail, { usernameColumn: "email" }), 1);
    assert.equal((await stage.sync(byMail, { usernameColumn: "email" })).applied, 1);
  });

  test("is not written again where its address awaits the person, and is once it was confirmed and changed", async (t) => {
    const stage = await setStage(t, { autoVerified: ["email"], requireVerificationBeforeUpdate: ["email"] });
    stage.pool.addUser({ username: "ann", attributes: { email: "old@example.com", email_verified: "true" } });
    const path = await stage.file("username,email\nann,ann@example.com\n");
    for (const asked of [{}, { baseline: "none" }] as const) {
      await utimes(path, new Date(), new Date());
      await stage.sync(path, { verified: "ask", ...asked });
      assert.equal(stage.pool.messages.length, 1, "the person is written to once");
    }
    stage.pool.confirm("ann", "email");
    await utimes(path, new Date(), new Date());
    assert.equal((await stage.sync(path, { verified: "ask" })).unchanged, 1);
    await byHand(stage.emulator, "ann", { email: "wrong@example.com", email_verified: "true" });
    await utimes(path, new Date(), new Date());
    assert.equal((await stage.sync(path, { verified: "ask" })).applied, 1);
    assert.equal(stage.pool.messages.length, 2);
  });
});
