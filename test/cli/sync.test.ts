import assert from "node:assert/strict";
import { readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { imbalance, TERMS } from "../../src/core/books.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { testRedis } from "../support/redis.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { emulatorWith, POOL, runCommand, type RunOptions } from "./command-run.ts";

const books = z.object(
  Object.fromEntries(TERMS.map((term) => [term, z.number()])) as Record<(typeof TERMS)[number], z.ZodNumber>,
);
const syncDocument = z.object({
  run: z.string(),
  feed: z.string(),
  pool: z.literal(POOL),
  rows: z.object({ read: z.number(), faulty: z.number() }),
  books,
  balanced: z.boolean(),
  deadLetters: z.record(z.string(), z.number()),
  report: z.string().optional(),
  resumed: z.boolean(),
  durationMs: z.number(),
});

describe("a file, from the command line to the pool and back", () => {
  let emulator: Emulator;
  let restore: () => void;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  const at = (name: string) => join(directory.path, name);
  const { url, namespace } = testRedis();
  const environment = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
  const call = async (words: readonly string[], options: RunOptions = {}) =>
    runCommand([...words, "--data-dir", at("data")], { ...options, environment });
  const json = async (words: readonly string[], options: RunOptions = {}) => {
    const said = await call([...words, "--json"], options);
    const document: unknown = JSON.parse(said.stdout);
    return { ...said, document };
  };

  before(async () => {
    emulator = await emulatorWith(5);
    restore = exampleAws({ AWS_REGION: undefined, AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    directory = await temporaryDirectory();
    const rows = [
      "username,given_name,email,custom:team",
      "u0,Ana,u0@example.com,red",
      "u1,Bo,changed@example.com,red",
      "u2,Cy,no address,blue",
      "newcomer,Di,di@example.com,blue",
      ",Eve,eve@example.com,blue",
    ];
    await writeFile(at("users.csv"), `${rows.join("\n")}\n`);
  });
  after(async () => {
    await emulator.close();
    restore();
    await directory.remove();
  });

  const sync = ["sync", "--user-pool-id", POOL, "--verified", "mark"];

  test("sync prints one document whose books have every term and balance, and lists what was not put", async () => {
    const { code, document } = await json([...sync, at("users.csv"), "--report", at("report.ndjson")]);
    const { books: counted, rows, deadLetters, balanced, resumed } = syncDocument.parse(document);
    assert.equal(code, 2);
    assert.deepEqual(rows, { read: 5, faulty: 1 });
    assert.equal(counted.received, 12);
    assert.equal(counted.invalid, 1);
    assert.equal(counted.unchanged, 1);
    assert.equal(counted.dead, 3);
    assert.equal(counted.applied, 7);
    assert.equal(imbalance(counted), 0);
    assert.deepEqual([balanced, resumed, deadLetters], [true, false, { "user-not-found": 3 }]);
    const report = (await readFile(at("report.ndjson"), "utf8")).trim().split("\n");
    assert.deepEqual(
      report.map((line) => z.object({ line: z.number(), attribute: z.string().optional() }).parse(JSON.parse(line))),
      [{ line: 4, attribute: "email" }, { line: 6 }],
    );
    assert.doesNotMatch(report.join("\n"), /no address|eve@/);
    assert.equal((await stat(at("report.ndjson"))).mode & 0o777, 0o600);
    assert.deepEqual(emulator.pools.get(POOL)?.user("u1")?.attributes["email"], "changed@example.com");
  });

  test("the same file again changes nothing and makes no update", async () => {
    const before_ = emulator.counters.categories.UserUpdate.calls;
    const { document } = await json([...sync, at("users.csv"), "--report", at("again.ndjson")]);
    const { books: counted, resumed } = syncDocument.parse(document);
    assert.equal(counted.applied, 0);
    assert.equal(resumed, false);
    // The newcomer is asked for once more, and is still not there.
    assert.ok(emulator.counters.categories.UserUpdate.calls - before_ <= 1);
  });

  test("dead list groups the letters, shows a username and masks the value", async () => {
    const { code, document, stdout } = await json(["dead", "list"]);
    const { total, groups } = z
      .object({
        total: z.number(),
        groups: z.array(
          z.object({
            kind: z.string(),
            letters: z.number(),
            advice: z.string(),
            example: z.object({ username: z.string(), value: z.string(), id: z.string() }),
          }),
        ),
      })
      .parse(document);
    assert.equal(code, 0);
    assert.equal(groups.length, 1);
    assert.equal(groups[0]?.kind, "user-not-found");
    assert.equal(groups[0].letters, total);
    assert.equal(groups[0].example.username, "newcomer");
    assert.match(groups[0].advice, /Create the user/);
    assert.doesNotMatch(stdout, /di@example\.com/);
    const shown = await call(["dead", "show", groups[0].example.id]);
    assert.match(shown.stdout, /newcomer/);
    assert.match(shown.stdout, /\*\*\*/);
  });

  test("dead list shows letters one by one, in pages that are reached by the filters given", async () => {
    const list = ["dead", "list", "--letters", "--user", "newcomer", "--limit", "2"];
    const { document, stdout } = await json(list);
    const shown = z.looseObject({ id: z.string(), attribute: z.string(), times: z.number() });
    const page = z.looseObject({ total: z.number(), times: z.number(), letters: z.array(shown) }).parse(document);
    assert.deepEqual([page.total, page.times, page.letters.map(({ times }) => times)], [3, 6, [2, 2]]);
    assert.doesNotMatch(stdout, /di@example\.com/);

    const text = await call(list, { columns: 80 });
    assert.match(
      text.stdout,
      /^[0-9a-f]{32} {2}newcomer: \S+ = \S+\n {2}user-not-found, 2 times, first now, last now\n/,
    );
    const more = /^Letters 1 to 2 of 3, buried 6 times in all\.\nMore: (.*)$/m.exec(text.stdout)?.[1] ?? "";
    assert.equal(more, `poolsync dead list --letters --user newcomer --limit 2 --page 2 --data-dir ${at("data")}`);
    const last = await call(more.split(" ").slice(1, -2));
    assert.match(last.stdout, /^Letters 3 to 3 of 3/m);

    const [one, two] = page.letters;
    assert.ok(one && two);
    const both = await json(["dead", "show", one.id, two.id, one.id]);
    assert.deepEqual(
      z
        .array(shown)
        .parse(both.document)
        .map(({ id, times }) => [id, times]),
      [one, two].map(({ id }) => [id, 2]),
    );
    for (const wrong of [
      ["replay", one.id, "--kind", "gave-up"],
      ["discard", one.id, "--all"],
      ["discard"],
      ["list", "--page", "2"],
    ]) {
      assert.equal((await call(["dead", ...wrong])).code, 64, wrong.join(" "));
    }
    assert.match(
      (await call(["dead", "discard", one.id, "none"])).stderr,
      /no dead letter `none`.*dead list --letters/,
    );
  });

  test("a table fits a narrow terminal", async () => {
    for (const columns of [40, 80]) {
      const { stdout } = await call(["status"], { columns });
      for (const line of stdout.split("\n")) assert.ok(line.length <= columns, line);
    }
  });

  test("a dry run counts, and a replay before the cause is mended says that the letters died again", async () => {
    const dry = await json(["dead", "replay", "--kind", "user-not-found", "--user", "NEWCOMER", "--dry-run"]);
    assert.deepEqual(dry.document, {
      dryRun: true,
      letters: 3,
      people: 1,
      byKind: { "user-not-found": 3 },
      notReplayable: 0,
      events: 0,
    });
    const { code, document } = await json(["dead", "replay", "--limit", "1"]);
    assert.equal(code, 2);
    assert.equal(z.object({ diedAgain: z.number() }).parse(document).diedAgain, 1);
  });

  test("letters are exported only with care, and what was edited can be synced", async () => {
    const masked = await call(["dead", "export", "--attribute", "email", "--limit", "1"]);
    assert.deepEqual(JSON.parse(masked.stdout), { username: "newcomer", email: null, email_verified: true });
    const { code, stderr } = await call(["dead", "export", "--show-values", "--out", at("letters.ndjson")]);
    assert.equal(code, 0);
    assert.match(stderr, /poolsync sync .*letters\.ndjson --user-pool-id eu-west-1_Example/);
    assert.equal((await stat(at("letters.ndjson"))).mode & 0o777, 0o600);
    const again = await call(["dead", "export", "--show-values", "--out", at("letters.ndjson")]);
    assert.match(again.stderr, /is there already/);
    const edited = (await readFile(at("letters.ndjson"), "utf8"))
      .replaceAll("newcomer", "u4")
      .replaceAll("di@", "edited@");
    const { document } = await json(["sync", "-", "--user-pool-id", POOL], { stdin: edited });
    const { books: counted, feed } = syncDocument.parse(document);
    assert.equal(feed, "standard input");
    assert.equal(counted.received, 3, "one of both passes");
    assert.equal(counted.applied, 3);
    assert.equal(emulator.pools.get(POOL)?.user("u4")?.attributes["email"], "edited@example.com");
  });

  test("once the cause is mended a replay applies the letters, and a recount agrees with the books", async () => {
    emulator.pools.get(POOL)?.addUser({ username: "newcomer", attributes: {} });
    const { code, document } = await json(["dead", "replay", "--kind", "user-not-found"]);
    const said = z.object({ letters: z.number(), before: books, after: books, balanced: z.boolean() }).parse(document);
    assert.equal(code, 0);
    assert.equal(said.letters, 3);
    assert.equal(said.after.received, said.before.received);
    assert.equal(said.after.applied - said.before.applied, 3);
    assert.equal(said.after.dead, 0);
    assert.equal(said.balanced, true);
    assert.equal(emulator.pools.get(POOL)?.user("newcomer")?.attributes["email"], "di@example.com");
    const status = await json(["status", "--verify"]);
    assert.equal(status.code, 0);
    const { verified } = z.object({ verified: z.object({ differences: z.array(z.unknown()) }) }).parse(status.document);
    assert.deepEqual(verified.differences, []);
  });

  test("an older file changes nothing that a newer one wrote", async () => {
    await writeFile(at("old.csv"), "username,given_name\nu0,Old\n");
    await utimes(at("old.csv"), 1_700_000_000, 1_700_000_000);
    const { document } = await json(["sync", at("old.csv"), "--user-pool-id", POOL]);
    assert.equal(syncDocument.parse(document).books.stale, 1);
    assert.equal(emulator.pools.get(POOL)?.user("u0")?.attributes["given_name"], "Ana");
    const said = await json(["sync", at("old.csv"), "--user-pool-id", POOL, "--as-of", new Date().toISOString()]);
    assert.equal(syncDocument.parse(said.document).books.applied, 1);
  });

  test("rows of a version from the future are listed with their lines, and no others", async () => {
    const [now, later] = [new Date().toISOString(), new Date(Date.now() + 3_600_000).toISOString()];
    const rows = ["id,changed,given_name,team", `u0,${later},Late,red`, `u1,${now},Bo,red`, `u2,${later},Later,`];
    await writeFile(at("ahead.csv"), `${rows.join("\n")}\n`);
    const attributes = "{ given_name: given_name, custom:team: team }";
    await writeFile(
      at("ahead.yaml"),
      `feeds: { crm: { pool: ${POOL}, username: id, version: changed, attributes: ${attributes} } }`,
    );
    const words = ["sync", at("ahead.csv"), "--config", at("ahead.yaml"), "--feed", "crm"];
    const { code, document } = await json([...words, "--report", at("ahead.ndjson")]);
    assert.equal(code, 2);
    const { invalid, received } = syncDocument.parse(document).books;
    assert.deepEqual({ invalid, received }, { invalid: 3, received: 5 });
    const report = (await readFile(at("ahead.ndjson"), "utf8")).trim().split("\n");
    const line = z.object({ line: z.number(), attribute: z.string(), reason: z.literal("version-ahead") });
    assert.deepEqual(
      report.map((text) => line.parse(JSON.parse(text))).map((said) => [said.line, said.attribute]),
      [
        [2, "given_name"],
        [2, "custom:team"],
        [4, "given_name"],
      ],
    );
  });

  test("several files are several runs, and one document", async () => {
    await writeFile(at("a.csv"), "username,given_name\nu0,Aa\n");
    await writeFile(at("b.csv"), "username,given_name\nu1,Bb\n");
    const { code, document } = await json(["sync", at("a.csv"), at("b.csv"), "--user-pool-id", POOL]);
    const { runs } = z.object({ runs: z.array(syncDocument) }).parse(document);
    assert.equal(code, 0);
    assert.deepEqual(
      runs.map(({ feed }) => feed),
      ["a.csv", "b.csv"],
    );
    const listed = await json(["runs", "list", "--limit", "2"]);
    assert.equal(
      z.object({ runs: z.array(z.object({ state: z.literal("finished") })) }).parse(listed.document).runs.length,
      2,
    );
  });

  test("a feed that is wrong in the second file stops before anything is put", async () => {
    await writeFile(at("wrong.csv"), "username,shoe_size\nu1,44\n");
    const before_ = await json(["runs", "list", "--limit", "1"]);
    const { code, document } = await json(["sync", at("a.csv"), at("wrong.csv"), "--user-pool-id", POOL]);
    assert.equal(code, 1);
    assert.match(
      z.object({ error: z.object({ kind: z.literal("columns"), message: z.string() }) }).parse(document).error.message,
      /shoe_size/,
    );
    assert.deepEqual((await json(["runs", "list", "--limit", "1"])).document, before_.document);
  });

  test("no spooled file is left in the data directory", async () => {
    assert.deepEqual(
      (await readdir(at("data"))).filter((name) => name.startsWith("spool")),
      [],
    );
  });
});
