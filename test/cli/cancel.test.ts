/** What is cancelled is not written, whenever it is said; where it comes too late, cancel says so. */
import assert from "node:assert/strict";
import { copyFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, setStage, type Stage } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage, type WorkerHere } from "./directory-stage.ts";

const USERS = 150;
/** So few that no guard looks at them. */
const FEW = 48;
const cancelled = z.object({ run: z.string(), applied: z.number(), inFlight: z.number() });
const refused = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });

describe("a run that waits for an approval", () => {
  let stage: DirectoryStage;
  let directory: WorkerHere;
  /** The feed's time came, and it has what was cancelled. */
  const untilUnchanged = (run: string): Promise<void> =>
    until("it is left alone", () => {
      const lines = directory.stderr().split("\n");
      return lines.some((line) => line.includes("feed unchanged since it was cancelled") && line.includes(run));
    });
  before(async () => {
    stage = await setDirectoryStage(USERS);
  });
  after(() => stage.clear());

  test("is written or cancelled, and never both: whoever comes first wins, and the other is told", async () => {
    const { at, command, configure, deliverHere, directoryHere, exported, runs, show, timeComes, updates } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { cron: "0 3 1 1 *", timezone: UTC }`);
    directory = directoryHere();
    deliverHere();
    let seen = 0;
    for (const [nth, calls] of [0, 1, 20, 60, 120].entries()) {
      await exported((user) => `u${user},New ${nth}`);
      await timeComes();
      await until("the run waits", async () => {
        const [run, ...others] = await runs();
        return others.length === nth && run !== undefined && (await show(run.run)).plan !== undefined;
      });
      const [waiting] = await runs();
      const id = waiting?.run ?? "";
      const before = updates();
      assert.equal((await command("runs", "approve", id)).code, EXIT.done);
      // Anywhere in the pass that carries it out.
      await until(`${calls} calls were made`, async () => updates() - before >= calls);
      const said = await command("runs", "cancel", id);
      if (said.code === EXIT.done) {
        const { applied, inFlight } = cancelled.parse(JSON.parse(said.stdout));
        await until("what waits is discarded", async () => (await show(id)).books.pending === 0);
        const { state, books } = await show(id);
        assert.equal(state, "cancelled");
        // Calls that are in flight at that moment still go through.
        assert.ok(inFlight <= 20, `${inFlight} calls are under way`);
        assert.ok(books.applied <= applied + inFlight);
        assert.equal(updates() - before, books.applied);
        seen += 1;
        // However little was left of it, no other run does the rest.
        await timeComes();
        await untilUnchanged(id);
        assert.deepEqual([(await runs()).length, updates() - before], [nth + 1, books.applied]);
      } else {
        const { error } = refused.parse(JSON.parse(said.stdout));
        assert.equal(error.kind, "not-open");
        await until("the run has finished", async () => (await show(id)).state === "finished");
        assert.equal(updates() - before, USERS);
      }
      assert.equal((await runs()).length, nth + 1, "no other run carries it out");
    }
    assert.ok(seen > 0, "one was cancelled in time");
  });

  test("is not carried out once it is cancelled, though the same content comes again", async () => {
    const { command, exported, runs, show, stateOf, timeComes, updates } = stage;
    const known = (await runs()).length;
    await exported((user) => `u${user},Newest`);
    await timeComes();
    await until("the run waits", async () => {
      const [run, ...others] = await runs();
      return others.length === known && run !== undefined && (await show(run.run)).plan !== undefined;
    });
    const before = updates();
    const [waiting] = await runs();
    await command("runs", "approve", waiting?.run ?? "");
    await command("runs", "cancel", waiting?.run ?? "");
    await timeComes();
    await untilUnchanged(waiting?.run ?? "");
    assert.deepEqual([(await runs()).length, await stateOf()], [known + 1, "cancelled"]);
    // Newer content waits, and then the file is what it was: nobody is to approve the newer one any more.
    await exported((user) => `u${user},Still newer`);
    await timeComes();
    await until("the newer content waits", async () => (await stateOf()) === "needs-approval");
    await exported((user) => `u${user},Newest`);
    await timeComes();
    await until("it is overtaken", async () => (await stateOf()) === "cancelled");
    const late = await command("runs", "approve", waiting?.run ?? "");
    assert.deepEqual([late.code, /not-waiting/.test(late.stdout)], [EXIT.failed, true]);
    assert.equal(updates(), before);
  });
});

describe("a run under way", () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage(USERS);
  });
  after(() => stage.clear());
  const where = (): string[] => ["--data-dir", join(stage.directory, "data"), "--user-pool-id", POOL];
  const file = async (name: string, rows: number, value: string): Promise<string> => {
    const lines = Array.from({ length: rows }, (_, nth) => `u${nth},${value}`);
    await writeFile(stage.at(name), `${["username,given_name", ...lines].join("\n")}\n`);
    return stage.at(name);
  };
  const updates = (): number => stage.emulator.counters.operations["AdminUpdateUserAttributes"]?.calls ?? 0;
  const latest = async (): Promise<string> => {
    const { stdout } = await runCommand(["runs", "list", "--data-dir", join(stage.directory, "data"), "--json"]);
    return z.object({ runs: z.array(z.object({ run: z.string() })) }).parse(JSON.parse(stdout)).runs[0]?.run ?? "";
  };
  const cancel = (id: string) => runCommand(["runs", "cancel", id, "--data-dir", join(stage.directory, "data")]);

  test("that was interrupted and cancelled is not delivered by the next command, which says nothing of it", async () => {
    const wrong = await file("wrong.csv", FEW, "Wrong");
    const interrupt = new AbortController();
    const running = runCommand(["sync", wrong, ...where(), "--rate", "20"], { drain: interrupt.signal });
    await until("some of it is written", async () => updates() > 2);
    interrupt.abort();
    assert.equal((await running).code, EXIT.interrupted);
    const written = updates();
    const said = await cancel(await latest());
    assert.equal(said.code, EXIT.done, said.stderr);
    const text = said.stdout.replaceAll(/\s+/g, " ");
    assert.match(
      text,
      new RegExp(
        `is cancelled\\. ${written} changes of it were written before, and ${FEW - written} changes that were not written are discarded\\.`,
      ),
    );
    const right = await file("right.csv", 1, "Right");
    assert.equal((await runCommand(["sync", right, ...where()])).code, EXIT.done);
    assert.equal(updates(), written + 1);
  });

  test("gives back to a run that had ended what the same command then delivers", async (t) => {
    const at = testRedis();
    const environment = { REDIS_URL: at.url, POOLSYNC_NAMESPACE: at.namespace };
    const store = await openRedisStore(at);
    t.after(() => store.close());
    const sync = (path: string, ...words: string[]) =>
      runCommand(["sync", path, "--user-pool-id", POOL, "--data-dir", stage.at("shared"), ...words], { environment });
    const right = await file("ended.csv", 3, "Ended");
    assert.equal((await sync(right, "--detach")).code, EXIT.done);
    const [ended] = await store.runs.list(1);
    assert.equal((await sync(await file("newer.csv", 3, "Newer"), "--detach")).code, EXIT.done);
    const [newer] = await store.runs.list(1);
    await store.runs.advance(ended?.id ?? "", "finished");
    const cancelled = await runCommand(["runs", "cancel", newer?.id ?? ""], { environment });
    assert.equal(cancelled.code, EXIT.done, cancelled.stderr);
    const said = await sync(right);
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.doesNotMatch(said.stderr, /Left pending/);
    for (const user of ["u0", "u1", "u2"])
      assert.equal(stage.emulator.pools.get(POOL)?.user(user)?.attributes["given_name"], "Ended");
    assert.equal((await store.runs.books()).pending, 0);
  });

  test("gives back what then cannot be written, and the same command says so", async (t) => {
    const at = testRedis();
    const environment = { REDIS_URL: at.url, POOLSYNC_NAMESPACE: at.namespace };
    const store = await openRedisStore(at);
    t.after(() => store.close());
    const sync = (path: string, ...words: string[]) =>
      runCommand(["sync", path, "--user-pool-id", POOL, "--data-dir", stage.at("shared"), ...words], { environment });
    const right = await file("refused.csv", 3, "Refused");
    assert.equal((await sync(right, "--detach")).code, EXIT.done);
    const [ended] = await store.runs.list(1);
    assert.equal((await sync(await file("newest.csv", 3, "Newest"), "--detach")).code, EXIT.done);
    const [newest] = await store.runs.list(1);
    await store.runs.advance(ended?.id ?? "", "finished");
    assert.equal((await runCommand(["runs", "cancel", newest?.id ?? ""], { environment })).code, EXIT.done);
    stage.emulator.faults.add({
      operation: "AdminUpdateUserAttributes",
      username: "u1",
      error: "UserLambdaValidationException",
    });
    t.after(() => stage.emulator.faults.clear());
    const said = await sync(right);
    assert.equal(said.code, EXIT.partial, said.stdout);
    // The same values again are of a run of their own, and go instead of what waited.
    const [again] = await store.runs.list(1);
    const [before, after] = [await store.runs.books(ended?.id), await store.runs.books(again?.id)];
    assert.deepEqual([before.superseded, before.pending, after.applied, after.dead], [3, 0, 2, 1]);
  });

  test("under another file's name is paused as the run that it goes on with", async () => {
    const at = testRedis();
    const environment = { REDIS_URL: at.url, POOLSYNC_NAMESPACE: at.namespace };
    const words = ["--user-pool-id", POOL, "--data-dir", stage.at("shared")];
    const path = await file("first.csv", 3, "First");
    assert.equal((await runCommand(["sync", path, ...words, "--detach"], { environment })).code, EXIT.done);
    const paused = await runCommand(["pause", "--feed", "first.csv", "--reason", "asking HR"], { environment });
    assert.equal(paused.code, EXIT.done, paused.stderr);
    const copy = stage.at("copy.csv");
    await copyFile(path, copy);
    const { atime, mtime } = await stat(path);
    await utimes(copy, atime, mtime);
    const said = await runCommand(["sync", copy, ...words], { environment });
    assert.deepEqual(
      [said.code, /first\.csv has been paused since/.test(said.stderr)],
      [EXIT.failed, true],
      said.stderr,
    );
  });

  test("that is wholly delivered is not cancelled, and stays what it was", async () => {
    const said = await runCommand(["sync", await file("done.csv", 3, "Done"), ...where()]);
    assert.equal(said.code, EXIT.done, said.stderr);
    const id = await latest();
    const late = await cancel(id);
    assert.equal(late.code, EXIT.failed);
    assert.match(
      late.stderr.replaceAll(/\s+/g, " "),
      /is finished, and cannot be cancelled\. 3 changes of it were written\./,
    );
    const shown = await runCommand(["runs", "show", id, "--data-dir", join(stage.directory, "data"), "--json"]);
    assert.match(shown.stdout, /"state": "finished"/);
  });
});
