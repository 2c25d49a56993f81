/** Plans as commands show, write and apply them. What a plan finds and what stops it: test/app/plans.test.ts. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, setStage, type Stage } from "./command-run.ts";

const USERS = 150;

const deeds = z.object({
  set: z.number(),
  change: z.number(),
  clear: z.number(),
  unchanged: z.number(),
  invalid: z.number(),
});
const planned = z.object({
  plan: z.string(),
  baseline: z.string(),
  rows: z.object({ read: z.number(), faulty: z.number() }),
  faults: z.record(z.string(), z.number()),
  users: z.object({ matched: z.number(), changed: z.number(), unchanged: z.number() }),
  attributes: z.record(z.string(), deeds),
  invalid: z.record(z.string(), z.number()),
  calls: z.object({ updates: z.number(), lists: z.number() }),
  guards: z.array(z.object({ guard: z.string(), examples: z.array(z.object({ username: z.string() })) })),
});
const summary = z.object({
  rows: z.object({ read: z.number(), faulty: z.number() }),
  books: z.object({ received: z.number(), applied: z.number(), unchanged: z.number(), invalid: z.number() }),
  report: z.string().optional(),
});
const guarded = z.object({ error: z.object({ kind: z.string(), message: z.string() }), plans: z.array(planned) });

describe("plans at the command line", () => {
  let stage: Stage;
  let environment: Readonly<Record<string, string>>;
  beforeEach(async () => {
    stage = await setStage(USERS, { shortPages: 0 }, false);
    environment = inRedis();
  });
  afterEach(() => stage.clear());

  const at = (name: string) => stage.at(name);
  /** Every user's row, with what the test says of it. */
  async function file(name: string, row: (number: number) => string): Promise<string> {
    const rows = Array.from({ length: USERS }, (_, number) => row(number));
    await writeFile(at(name), `${["username,given_name", ...rows].join("\n")}\n`);
    return at(name);
  }
  const inRedis = () => {
    const { url, namespace } = testRedis();
    return { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace, POOLSYNC_RATE: "500" };
  };
  const said = (words: readonly string[], where = environment) =>
    runCommand([...words, "--data-dir", at("data"), "--json"], { environment: where });
  const report = () => ["--report", at("report.ndjson")];
  const calls = (operation: string) => stage.emulator.counters.operations[operation]?.calls ?? 0;

  test("tell what a sync would do, and write nothing", async () => {
    const path = await file("few.csv", (nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    putMadeDirectory(at("data"));
    // With the embedded engine, which is the one without any setting.
    const { code, stdout, stderr } = await said(["plan", path, "--user-pool-id", POOL, "--baseline", "live"], {});
    assert.equal(code, EXIT.done, stderr);
    const document = planned.parse(JSON.parse(stdout));
    assert.deepEqual(document.users, { matched: USERS, changed: 5, unchanged: USERS - 5 });
    assert.deepEqual(document.attributes["given_name"], {
      set: 0,
      change: 5,
      clear: 0,
      unchanged: USERS - 5,
      invalid: 0,
    });
    assert.deepEqual(document.calls, { updates: 5, lists: 0 });
    assert.equal(calls("ListUsers"), 3);
    assert.equal(calls("AdminUpdateUserAttributes"), 0);
  });

  test("of a stream cannot be made: a mapped column that has another name stops it as a guard does", async () => {
    const mapping = "username: ID, attributes: { given_name: First Name, nickname: Nick }";
    await writeFile(at("renamed.yaml"), `feeds: { hr: { pool: ${POOL}, ${mapping} } }\n`);
    const stdin = "ID,Firstname,Nick\nu2,New,Jo\n";
    const streamed = ["sync", "-", "--stream", "--feed", "hr", "--config", at("renamed.yaml"), "--json"];
    const refused = await runCommand([...streamed, "--data-dir", at("data")], { stdin, environment });
    assert.equal(refused.code, EXIT.guarded, refused.stderr);
    assert.match(refused.stdout, /"renamed".*`First Name` of the mapping is not there/s);
    assert.equal(stage.emulator.log.writes.length, 0);
  });

  test("of a baseline that leaves guards blind say which, and so does a sync", async () => {
    await writeFile(at("one.csv"), "username,given_name\nu1,Old\n");
    const words = [at("one.csv"), "--user-pool-id", POOL, "--baseline", "none", "--data-dir", at("data")];
    const blind = /4 guards could not look \(`changed`, `cleared`, `sameValue`, `unmatched`\): what is in the pool/;
    const plan = await runCommand(["plan", ...words], { environment });
    const text = plan.stdout.replaceAll(/\s+/g, " ");
    assert.equal(plan.code, EXIT.done, plan.stderr);
    assert.match(text, blind);
    assert.doesNotMatch(text, /All guards hold/);
    const sync = await runCommand(["sync", ...words], { environment });
    assert.equal(sync.code, EXIT.done, sync.stderr);
    assert.match(sync.stderr.replaceAll(/\s+/g, " "), blind);
  });

  test("of a feed that matches refuse a baseline that knows no attributes", async () => {
    const feed = `{ pool: ${POOL}, username: No, match: "custom:team", attributes: { given_name: Name } }`;
    await writeFile(at("number.yaml"), `feeds: { hr: ${feed} }\n`);
    await writeFile(at("number.csv"), "No,Name\nEMP 001,New\n");
    const words = ["plan", at("number.csv"), "--config", at("number.yaml"), "--feed", "hr", "--baseline", "ledger"];
    assert.equal((await said(words)).code, EXIT.usage);
  });

  test("that change too many stop the sync before its first write, unless just this plan is approved", async () => {
    const path = await file("many.csv", (nth) => `u${nth},New${nth}`);
    const words = ["sync", path, "--user-pool-id", POOL, "--baseline", "live", ...report()];
    const stopped = await said(words);
    assert.equal(stopped.code, EXIT.guarded, stopped.stderr);
    const { error, plans } = guarded.parse(JSON.parse(stopped.stdout));
    assert.equal(error.kind, "guarded");
    assert.match(error.message, /150 of 150 matched users would change: 100 %, and the guard allows 20 %/);
    const [plan] = plans;
    assert.deepEqual(
      plan?.guards.map(({ guard, examples }) => [guard, examples.length]),
      [["changed", 10]],
    );
    assert.equal(calls("AdminUpdateUserAttributes"), 0);
    assert.equal((await said([...words, "--approve", "p-0000000000000000"])).code, EXIT.guarded);
    const approved = await said([...words, "--approve", plan?.plan ?? ""]);
    assert.equal(approved.code, EXIT.done, approved.stderr);
    assert.equal(calls("AdminUpdateUserAttributes"), USERS);
  });

  test("are written to a file for their owner only, and applied as they were", async () => {
    const path = await file("apply.csv", (nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    const out = at("apply.psplan");
    const made = await said(["plan", path, "--user-pool-id", POOL, "--baseline", "live", "--out", out]);
    assert.equal(made.code, EXIT.done, made.stderr);
    assert.equal((await stat(out)).mode & 0o777, 0o600);
    // Meanwhile one of them changes elsewhere, and one comes to the planned value by itself.
    const other = at("other.csv");
    await writeFile(other, "username,given_name\nu2,Elsewhere\nu3,New\n");
    assert.equal((await said(["sync", other, "--user-pool-id", POOL, "--baseline", "live"])).code, EXIT.done);
    const before = calls("AdminUpdateUserAttributes");
    // A pipe can be read once, and another plan lies in its place as soon as it was.
    const second = await file("second.csv", (nth) => `u${nth},${nth === 50 ? "Second" : "Old"}`);
    const swapped = ["plan", second, "--user-pool-id", POOL, "--baseline", "live", "--out", at("second.psplan")];
    assert.equal((await said(swapped)).code, EXIT.done);
    await promisify(execFile)("mkfifo", [at("fifo")]);
    const [{ code, stdout, stderr }] = await Promise.all([
      said(["apply", at("fifo"), ...report()]),
      writeFile(at("fifo"), await readFile(out)).then(() => rename(at("second.psplan"), at("fifo"))),
    ]);
    assert.equal(code, EXIT.partial, stderr);
    const { rows, books } = summary.parse(JSON.parse(stdout));
    // Rows that change nothing are not in the plan, and count as read all the same.
    assert.deepEqual(rows, { read: USERS, faulty: 1 });
    assert.deepEqual([books.received, books.applied], [4, 3]);
    assert.match(await readFile(at("report.ndjson"), "utf8"), /"line":4,"reason":"changed-since-plan"/);
    assert.equal(calls("AdminUpdateUserAttributes") - before, 3);
  });

  test("that were altered, cut off, or made in another namespace are refused", async () => {
    const path = await file("altered.csv", (nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    const out = at("altered.psplan");
    await said(["plan", path, "--user-pool-id", POOL, "--baseline", "live", "--out", out]);
    const whole = await readFile(out, "utf8");
    const lines = whole.split("\n");
    const [first = "", second = ""] = [...whole.matchAll(/"username":"([^"]+)"/g)].map(([, sealed]) => sealed);
    assert.ok(first !== "" && second !== first);
    for (const text of [
      whole.replace(first, second),
      lines.slice(0, -2).join("\n"),
      `${lines.slice(0, 2).join("\n")}\n${lines.slice(3).join("\n")}`,
      `${whole}{}\n`,
    ]) {
      await writeFile(out, text);
      const { code, stdout } = await said(["apply", out]);
      assert.equal(code, EXIT.failed);
      assert.match(stdout, /was altered or cut off, or was made in another namespace/);
    }
    await writeFile(out, whole);
    const elsewhere = await said(["apply", out], inRedis());
    assert.match(elsewhere.stdout, /made in another namespace/);
    assert.equal(calls("AdminUpdateUserAttributes"), 0);
  });

  for (const columns of [40, 80, 160]) {
    test(`fit a terminal of ${columns} columns`, async () => {
      const path = await file("wide.csv", (nth) => `u${nth},New${nth}`);
      const words = ["plan", path, "--user-pool-id", POOL, "--baseline", "live", "--data-dir", at("data")];
      const { code, stdout } = await runCommand(words, { columns, environment });
      assert.equal(code, EXIT.guarded);
      for (const line of stdout.split("\n")) assert.ok(Array.from(line).length <= columns, line);
      assert.equal(stdout.includes("█"), columns >= 70);
      assert.match(stdout, /other value/);
    });
  }

  test("are shown on a page without values, which is its owner's", async () => {
    const path = await file("page.csv", (nth) => `u${nth},<b>Ann${nth}</b>`);
    const html = at("page.html");
    const words = ["plan", path, "--user-pool-id", POOL, "--baseline", "live", "--html", html];
    await said(words);
    const page = await readFile(html, "utf8");
    assert.ok(!page.includes("Ann"));
    assert.ok(!/https?:\/\//.test(page), "nothing is fetched");
    assert.match(page, /<dt>made by<\/dt><dd><bdi>[^<]+@[^<]+<\/bdi>, with poolsync \d/);
    const content = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    assert.match(page, new RegExp(`<bdi>page.csv</bdi>, [\\d,]+ bytes, modified .*\\n.*<code>${content}</code>`));
    assert.match(page, /kept nowhere: <code>poolsync sync --approve p-[0-9a-f]+<\/code> of the same file plans anew/);
    assert.equal(page.match(/<td><bdi>u\d+<\/bdi><\/td><\/tr>/g)?.length, USERS);
    await said([...words, "--show-values"]);
    const shown = await readFile(html, "utf8");
    assert.ok(shown.includes("&#60;b&#62;Ann7&#60;/b&#62;") && !shown.includes("<b>Ann"));
    assert.equal((await stat(html)).mode & 0o777, 0o600);
  });
});
