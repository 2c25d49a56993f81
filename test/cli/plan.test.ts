import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
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
  const redis = testRedis();
  let stage: Stage;
  beforeEach(async () => {
    stage = await setStage(USERS, { shortPages: 0 });
  });
  afterEach(() => stage.clear());

  const at = (name: string) => stage.at(name);
  /** Every user's row, with what the test says of it. */
  async function file(name: string, row: (nth: number) => string, header = "username,given_name"): Promise<string> {
    const rows = Array.from({ length: USERS }, (_, nth) => row(nth));
    await writeFile(at(name), `${[header, ...rows].join("\n")}\n`);
    return at(name);
  }
  const said = (words: readonly string[]) => runCommand([...words, "--data-dir", at("data"), "--json"]);
  const report = () => ["--report", at("report.ndjson")];
  const calls = (operation: string) => stage.emulator.counters.operations[operation]?.calls ?? 0;

  test("tell what a sync would do, and write nothing", async () => {
    const path = await file("few.csv", (nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    const { code, stdout, stderr } = await said(["plan", path, "--user-pool-id", POOL, "--baseline", "live"]);
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

  test("are what a live sync carries out: equal values cost no call, and unknown users no write", async () => {
    const path = await file("mixed.csv", (nth) => (nth === 7 ? "nobody,New" : `u${nth},${nth < 5 ? "New" : "Old"}`));
    const words = ["sync", path, "--user-pool-id", POOL, "--baseline", "live", ...report()];
    const { code, stdout, stderr } = await said(words);
    assert.equal(code, EXIT.partial, stderr);
    const { books, rows } = summary.parse(JSON.parse(stdout));
    assert.deepEqual(books, { received: USERS - 1, applied: 5, unchanged: USERS - 6, invalid: 0 });
    assert.deepEqual(rows, { read: USERS, faulty: 1 });
    assert.match(await readFile(at("report.ndjson"), "utf8"), /"line":9,"reason":"user-unknown"/);
    assert.equal(calls("AdminUpdateUserAttributes"), 5);
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

  test("are approved for one run: once it is cancelled, the same content is stopped again", async () => {
    const path = await file("many.csv", (nth) => `u${nth},New${nth}`);
    const environment = { REDIS_URL: redis.url, POOLSYNC_NAMESPACE: redis.namespace };
    const command = (...words: readonly string[]) => runCommand([...words, "--json"], { environment });
    const sync = (...more: readonly string[]) =>
      command("sync", path, "--user-pool-id", POOL, "--baseline", "live", "--detach", ...more);
    const { plans } = guarded.parse(JSON.parse((await sync()).stdout));
    const approved = await sync("--approve", plans[0]?.plan ?? "");
    assert.equal(approved.code, EXIT.done, approved.stderr);
    assert.equal((await sync()).code, EXIT.done, "it goes on with the run that was approved");
    const { run } = z.object({ run: z.string() }).parse(JSON.parse(approved.stdout));
    assert.equal((await command("runs", "cancel", run)).code, EXIT.done);
    assert.equal((await sync()).code, EXIT.guarded);
    assert.equal(calls("AdminUpdateUserAttributes"), 0);
  });

  test("of one value for everyone, of cleared attributes and of silent columns are stopped", async () => {
    const rows = (nth: number) => `u${nth},${nth < 140 ? "Boss" : "Old"},,`;
    const path = await file("boss.csv", rows, "username,given_name,nickname,profile");
    const { code, stdout } = await said(["plan", path, "--user-pool-id", POOL, "--baseline", "live"]);
    assert.equal(code, EXIT.guarded);
    const { guards } = planned.parse(JSON.parse(stdout));
    // Everybody had the same name before, so that one name for all is no loss of differences.
    assert.deepEqual(
      guards.map(({ guard }) => guard),
      ["changed", "emptyColumn", "emptyColumn"],
    );
  });

  test("of a file whose mapped column has another name are stopped, and approved leave the attribute alone", async () => {
    const mapping = "username: ID, attributes: { given_name: First Name, nickname: Nick }";
    await writeFile(at("renamed.csv"), "ID,Firstname,Nick\nu1,New,Jo\n");
    await writeFile(at("renamed.yaml"), `feeds: { hr: { pool: ${POOL}, ${mapping} } }\n`);
    const words = ["sync", at("renamed.csv"), "--feed", "hr", "--config", at("renamed.yaml")];
    const stopped = await said(words);
    assert.equal(stopped.code, EXIT.guarded, stopped.stderr);
    const { error, plans } = guarded.parse(JSON.parse(stopped.stdout));
    assert.match(
      error.message,
      /no column `First Name`, which `given_name` is mapped from \(did you mean `Firstname`\?\): map/,
    );
    assert.equal(calls("AdminUpdateUserAttributes"), 0);
    const approved = await said([...words, "--approve", plans[0]?.plan ?? ""]);
    assert.equal(approved.code, EXIT.done, approved.stderr);
    const written = stage.emulator.log.writes.map(({ attributes }) => attributes);
    assert.deepEqual(written, [{ nickname: "Jo" }]);
    // No plan is made of a stream, which no guard could stop.
    const stdin = "ID,Firstname,Nick\nu2,New,Jo\n";
    const streamed = ["sync", "-", "--stream", "--feed", "hr", "--config", at("renamed.yaml"), "--json"];
    const refused = await runCommand([...streamed, "--data-dir", at("data")], { stdin });
    assert.equal(refused.code, EXIT.guarded, refused.stderr);
    assert.match(refused.stdout, /"renamed".*`First Name` of the mapping is not there/s);
    assert.equal(stage.emulator.log.writes.length, 1);
  });

  test("of a feed that was cut off are stopped by the rows of its last good run", async () => {
    const path = await file("daily.csv", (nth) => `u${nth},Old`);
    const words = ["sync", path, "--user-pool-id", POOL, ...report()];
    assert.equal((await said(words)).code, EXIT.done);
    await writeFile(path, "username,given_name\nu1,Old\n");
    const { code, stdout } = await said(words);
    assert.equal(code, EXIT.guarded);
    assert.match(guarded.parse(JSON.parse(stdout)).error.message, /has 1 rows, and the last good run had 150/);
  });

  test("are made of a scan for files of more than 1,000 rows, and stop those that do not fit the pool", async () => {
    const rows = Array.from({ length: 1001 }, (_, nth) => `u${nth},Old`);
    await writeFile(at("large.csv"), `username,given_name\n${rows.join("\n")}\n`);
    const { code, stdout } = await said(["plan", at("large.csv"), "--user-pool-id", POOL]);
    assert.equal(code, EXIT.done);
    const { baseline, faults, users } = planned.parse(JSON.parse(stdout));
    assert.deepEqual([baseline, faults, users.changed], ["live", { "user-unknown": 1001 - USERS }, 0]);
  });

  test("find users by any attribute that the mapping names", async () => {
    const config = at("match.yaml");
    await writeFile(
      config,
      `feeds: { hr: { pool: ${POOL}, username: Mail, match: email, attributes: { given_name: Name } } }\n`,
    );
    const path = await file("match.csv", (nth) => `u${nth}@example.com,${nth < 2 ? "New" : "Old"}`, "Mail,Name");
    const { code, stdout, stderr } = await said(["plan", path, "--config", config, "--feed", "hr"]);
    assert.equal(code, EXIT.done, stderr);
    assert.deepEqual(planned.parse(JSON.parse(stdout)).users, { matched: USERS, changed: 2, unchanged: USERS - 2 });
  });

  test("match any text, and refuse a baseline that knows no attributes", async () => {
    const config = at("number.yaml");
    await writeFile(
      config,
      `feeds: { hr: { pool: ${POOL}, username: No, match: "custom:team", attributes: { given_name: Name } } }\n`,
    );
    await writeFile(at("number.csv"), "No,Name\nEMP 001,New\n");
    const words = ["plan", at("number.csv"), "--config", config, "--feed", "hr"];
    assert.deepEqual(planned.parse(JSON.parse((await said(words)).stdout)).faults, { "user-unknown": 1 });
    assert.equal((await said([...words, "--baseline", "ledger"])).code, EXIT.usage);
  });

  test("take two rows of one user that disagree for wrong, unless the mapping says that the last one stands", async () => {
    const config = at("twice.yaml");
    const yaml = (more: string) =>
      `feeds: { hr: { pool: ${POOL}, username: u, attributes: { given_name: n }${more} } }\n`;
    await writeFile(at("twice.csv"), "u,n\nu1,One\nu2,Same\nu1,Two\nu2,Same\n");
    const words = ["plan", at("twice.csv"), "--config", config, "--feed", "hr", "--baseline", "live"];
    await writeFile(config, yaml(""));
    const refused = planned.parse(JSON.parse((await said(words)).stdout));
    assert.deepEqual([refused.invalid, refused.users.changed], [{ "rows-disagree": 2 }, 1]);
    await writeFile(config, yaml(", duplicates: last"));
    const last = planned.parse(JSON.parse((await said(words)).stdout));
    assert.deepEqual([last.invalid, last.users.changed], [{}, 2]);
  });

  test("never touch what is protected", async () => {
    const config = at("protect.yaml");
    await writeFile(
      config,
      `guards: { protectUsers: [u1], protectAttributes: [nickname] }
feeds: { hr: { pool: ${POOL}, username: username, attributes: { given_name: given_name, nickname: nickname } } }\n`,
    );
    await writeFile(at("protect.csv"), "username,given_name,nickname\nu1,New,N\nu2,New,N\n");
    for (const baseline of ["live", "none"]) {
      const words = [
        "sync",
        at("protect.csv"),
        "--config",
        config,
        "--feed",
        "hr",
        "--baseline",
        baseline,
        ...report(),
      ];
      const { code, stdout, stderr } = await said(words);
      assert.equal(code, EXIT.partial, stderr);
      const { rows, books } = summary.parse(JSON.parse(stdout));
      assert.deepEqual([rows.faulty, books.invalid], [1, 1], baseline);
    }
    assert.equal(calls("AdminUpdateUserAttributes"), 1);
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
    const { code, stdout, stderr } = await said(["apply", out, ...report()]);
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
    for (const text of [
      whole.replace("u1", "u9"),
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
    const elsewhere = await runCommand(["apply", out, "--data-dir", at("elsewhere"), "--json"]);
    assert.match(elsewhere.stdout, /made in another namespace/);
    assert.equal(calls("AdminUpdateUserAttributes"), 0);
  });

  for (const columns of [40, 80, 160]) {
    test(`fit a terminal of ${columns} columns`, async () => {
      const path = await file("wide.csv", (nth) => `u${nth},New${nth}`);
      const words = ["plan", path, "--user-pool-id", POOL, "--baseline", "live", "--data-dir", at("data")];
      const { code, stdout } = await runCommand(words, { columns });
      assert.equal(code, EXIT.guarded);
      for (const line of stdout.split("\n")) assert.ok(Array.from(line).length <= columns, line);
      assert.equal(stdout.includes("█"), columns >= 70);
      assert.match(stdout, /•••• \(3\)/);
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
    await said([...words, "--show-values"]);
    const shown = await readFile(html, "utf8");
    assert.ok(shown.includes("&#60;b&#62;Ann7&#60;/b&#62;") && !shown.includes("<b>Ann"));
    assert.equal((await stat(html)).mode & 0o777, 0o600);
  });
});
