/** One user's path as `explain` finds it, and as people are shown it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { textOf } from "../../src/core/sentence.ts";
import { explanationText } from "../../src/views/explanation.ts";
import { setApp, type App } from "../support/app-stage.ts";

const shown = async (app: App, username: string): Promise<string> => explanationText(await app.explain(username), 80);

describe("explain", () => {
  test("claims nothing of a pool that cannot be asked", async (t) => {
    const app = await setApp(t, { readsWithinMs: 300 });
    app.pool.addUser({ username: "jane", attributes: { given_name: "Original" } });
    await app.update("jane", { given_name: "Changed" });
    app.emulator.faults.add({ operation: "ListUsers", error: { kind: "http", status: 503 } });
    const text = await shown(app, "jane");
    assert.match(text, /The pool has\n  It could not be asked\./);
    assert.match(text, /Nothing waits\..*`given_name` was written at/s);
    assert.doesNotMatch(text, /Found by|not listed|is there/);
    assert.equal((await app.explain("jane")).asked, false);
  });

  test("tells of one user's pool, mailbox, ledger, letters and aliases, and masks every value", async (t) => {
    const app = await setApp(t, { pool: { aliasAttributes: ["email"] } });
    app.pool.addUser({
      username: "jane",
      attributes: { given_name: "Original", email: "first@example.com", email_verified: "true" },
    });
    app.pool.addUser({ username: "joe", attributes: { email: "wanted@example.com", email_verified: "true" } });
    assert.match(await shown(app, "jane"), /poolsync knows of no change of this user: .*\n$/s);

    assert.deepEqual(await app.update("jane", { given_name: "Changed" }), { given_name: "applied" });
    await app.queue("jane", { email: "wanted@example.com", nickname: "Secretive" }, { verified: "ask" });
    const text = await shown(app, "jane");
    assert.match(text, /^jane in eu-west-1_Example \(eu-west-1\), known as [0-9a-f]{32}\n/);
    assert.match(text, /email +w\*\*\*@e\*\*\*\.com +joe/);
    // Asked for without its flag the address is not yet hers, and takes nothing from him.
    assert.match(
      text,
      /The next delivery would send\n  AdminUpdateUserAttributes: (?:email=w\*\*\*@e\*\*\*\.com, nickname=S\*\*\*|nickname=S\*\*\*, email=w\*\*\*@e\*\*\*\.com)\n/,
    );
    assert.doesNotMatch(text, /Original|Changed|Secretive|wanted@|first@/);
    const { pending, ledger } = await app.explain("jane");
    assert.deepEqual(pending.map(({ attribute, would }) => `${attribute} ${would}`).toSorted(), [
      "email change",
      "nickname set",
    ]);
    assert.deepEqual(
      ledger.map(({ attribute }) => attribute),
      ["given_name"],
    );

    const clientMetadata = { reason: "secretive" };
    await app.queue("jane", { email: "wanted@example.com" }, { verified: "mark", clientMetadata });
    const taking = await shown(app, "jane");
    assert.match(taking, /letter\s+\(alias-exists\)/);
    assert.match(taking, /would send\n  AdminUpdateUserAttributes: nickname=S\*\*\*\n/);
    assert.match(taking, /Another user has what `email` is to be/);
    await app.queue("jane", { email: "free@example.com" }, { verified: "ask", clientMetadata });
    const free = await shown(app, "jane");
    assert.match(free, /email=f\*\*\*@e\*\*\*\.com, with metadata reason=s\*\*\*/);
    assert.match(free, /email +f\*\*\*@e\*\*\*\.com +nobody/);
    assert.doesNotMatch(free, /secretive|free@/);

    await app.update("gone", { nickname: "Secretive" });
    const gone = await shown(app, "gone");
    assert.match(gone, /The pool does not list this user/);
    assert.match(
      gone,
      /`nickname` is a dead letter, [0-9a-f]{32}\s\(user-not-found\),\sburied\sat \S+, put by a single\schange\.\sCreate/,
    );
  });

  test("masks an attribute that is only named like a flag", async (t) => {
    const app = await setApp(t, { pool: { schema: [{ name: "home_verified" }] } });
    const attributes = { email: "ann@example.com", email_verified: "true", "custom:home_verified": "Elm Street 1" };
    app.pool.addUser({ username: "ann", attributes });
    const { listed } = await app.explain("ann");
    assert.deepEqual(
      [listed?.attributes["custom:home_verified"], listed?.attributes["email_verified"]],
      ["E***", "true"],
    );
    assert.doesNotMatch(await shown(app, "ann"), /Elm Street/);
  });

  test("knows an alias in every spelling of a pool that ignores case", async (t) => {
    const app = await setApp(t, { pool: { aliasAttributes: ["email"], caseSensitive: false } });
    app.pool.addUser({ username: "ann", attributes: { email: "shared@example.com", email_verified: "true" } });
    app.pool.addUser({ username: "bob" });
    const mark = { verified: "mark" } as const;
    assert.deepEqual(await app.update("bob", { email: "Shared@example.com" }, mark), { email: "dead" });
    assert.deepEqual(await app.queue("bob", { email: "shared@Example.com" }, mark), ["email"]);
    const { pending, letters } = await app.explain("bob");
    assert.deepEqual(
      letters.map(({ attribute }) => attribute),
      ["email"],
    );
    assert.deepEqual(
      pending.map(({ attribute, would }) => [attribute, would]),
      [["email", "letter (alias-exists)"]],
    );
  });

  test("says by whom and why what waits is kept, and that nothing of it is sent", async (t) => {
    const app = await setApp(t);
    app.pool.addUser({ username: "jane" });
    await app.pause({ pool: "eu-west-1_Example" }, { by: "zofia@desk", reason: "HR checks it" });
    await app.queue("jane", { nickname: "Secretive" });
    await app.queue("jane", { locale: "pl" });
    assert.match(
      await app.because("jane"),
      /^Pool eu-west-1_Example has been paused since \S+ by zofia@desk: HR checks it\. Let it go on with `poolsync resume --pool eu-west-1_Example`\. Until then 2 changes of this user are kept\. `locale` waits/,
    );
    assert.deepEqual((await app.explain("jane")).next, []);
    const typed = explanationText(await app.explain("jane"), 200, (said) =>
      textOf(said, ({ words }) => `npm run -s poolsync -- ${words.join(" ")}`),
    );
    assert.match(typed, /Let it go on with npm run -s poolsync -- resume --pool eu-west-1_Example\.\n/);
    await app.resume({ pool: "eu-west-1_Example" });
    assert.match(await app.because("jane"), /^What is pending is delivered by a worker/);
  });

  test("says which run put the same before a later value that a pause keeps", async (t) => {
    const app = await setApp(t);
    app.pool.addUser({ username: "jane" });
    const runs: string[] = [];
    for (const name of ["first.csv", "later.csv"]) {
      const file = await app.file(`username,nickname,given_name\njane,Secretive,${name}\n`, name);
      runs.push((await app.sync(file, { detached: true })).run);
    }
    await app.pause({ feed: "later.csv" }, { by: "zofia@desk", reason: "HR checks it" });
    assert.match(
      await app.because("jane"),
      new RegExp(
        `kept\\. The same was put before by run ${runs[0]}: it gave way to the later value, and waits with it\\. `,
      ),
    );
  });

  test("says of a value whose call was given up that it may have been written", async (t) => {
    const app = await setApp(t);
    app.pool.addUser({ username: "jane" });
    const operation = "AdminUpdateUserAttributes";
    app.emulator.faults.add({ operation, attributes: ["nickname"], times: 1, error: { kind: "reset" } });
    app.emulator.faults.add({ operation, attributes: ["nickname"], error: "InvalidParameterException" });
    assert.deepEqual(await app.update("jane", { given_name: "Secretive" }), { given_name: "applied" });
    assert.deepEqual(await app.update("jane", { nickname: "Secretive" }), { nickname: "dead" });
    const text = await shown(app, "jane");
    assert.match(text, /given_name +\S+Z\n/);
    assert.match(text, /nickname +\S+Z +may have been written, or was found there\n/);
    assert.doesNotMatch(text, /given_name +\S+Z +may/);
  });
});
