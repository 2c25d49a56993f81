import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { afterEach, beforeEach, describe, test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { openQueues } from "../../src/queues/bullmq.ts";
import { until } from "../support/condition.ts";
import { POOL, runCommand } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";
import { assertNoPage, assertPage } from "./waiting-page.ts";

const USERS = 150;

describe("the directory worker", () => {
  let stage: DirectoryStage;

  beforeEach(async () => {
    stage = await setDirectoryStage(USERS);
  });
  afterEach(() => stage.clear());

  test("runs a feed at its time, and what it puts is delivered by a worker", async () => {
    const { at, configure, deliverHere, directoryHere, exported, runs, start, stateOf, updates } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    deliverHere();
    const worker = start("workers/directory.ts");
    await until("the run has finished", async () => (await stateOf()) === "finished");
    const [run] = await runs();
    assert.deepEqual([run?.books.applied, run?.books.unchanged, run?.rows.read], [5, USERS - 5, USERS]);
    assert.equal(updates(), 5);
    await worker.kill("SIGTERM");
    assert.equal(await worker.ended(), 0, worker.stderr());
    assert.match(worker.stderr(), /directory worker started[^]*run finished[^]*directory worker stopping/);
    assert.doesNotMatch(worker.stderr(), /u0|"New"/);

    // Nothing was missed: a start alone is no reason to run. A schedule that has changed is placed anew.
    const again = directoryHere();
    await until("it has started", () => again.stderr().includes("directory worker started"));
    assert.match(again.stderr(), /"placed":\[\],"removed":\[\]/);
    await again.stop();
    await configure(`file: ${at("hr.csv")}, schedule: { every: 2h }`, "staff");
    const other = directoryHere();
    await until("it has started", () => other.stderr().includes("directory worker started"));
    assert.match(other.stderr(), /"placed":\["staff"\],"removed":\["hr"\]/);
  });

  test("runs a feed at its time though what it reads of the pool fails at first", async () => {
    const { at, configure, deliverHere, directoryHere, emulator, exported, stateOf, updates } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    for (const operation of ["DescribeUserPool", "ListUsers"]) {
      for (const error of ["TooManyRequestsException", { kind: "http", status: 503 }, { kind: "reset" }] as const) {
        emulator.faults.add({ operation, times: 1, error });
      }
    }
    const worker = directoryHere();
    // It has the pool read; the other worker is to find it well.
    await until("all is read", () => emulator.faults.rules.every(({ fired }) => fired === 1));
    deliverHere();
    await until("the run has finished", async () => (await stateOf()) === "finished");
    assert.equal(updates(), 5);
    assert.doesNotMatch(worker.stderr(), /feed failed/);
  });

  test("stops at a guard, shows its plan to anybody, and goes on with just that once it is approved", async () => {
    const {
      at,
      byHand,
      command,
      configure,
      deliverHere,
      directoryHere,
      environment,
      exported,
      nameOf,
      runs,
      show,
      start,
      stateOf,
      updates,
    } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 60 ? `New${nth}` : "Old"}`);
    deliverHere();
    const worker = start("workers/directory.ts");
    await until("the run waits", async () => (await stateOf()) === "needs-approval");
    await until("its plan is there", async () => (await show((await runs())[0]?.run ?? "")).plan !== undefined);
    const [run] = await runs();
    assert.ok(run);
    assert.equal(updates(), 0);
    const shown = await show(run.run);
    assert.deepEqual([shown.plan?.users.changed, shown.plan?.guards.map(({ guard }) => guard)], [60, ["changed"]]);
    const text = await runCommand(["runs", "show", run.run], { environment });
    assert.match(text.stdout.replaceAll("\n", " "), /waits for an approval until .*`poolsync runs approve r-/);
    assert.doesNotMatch(text.stdout, /New1/);

    await assertPage(stage, run.run, 60);

    // A sync of the same content looks at its guards itself.
    assert.equal((await runCommand(byHand("--baseline", "live"), { environment })).code, EXIT.guarded);

    // Whoever was changed since is left out.
    const elsewhere = ["--user-attributes", "Name=given_name,Value=Else", "--now", "--data-dir", at("nowhere")];
    const changed = ["admin-update-user-attributes", "--user-pool-id", POOL, "--username", "u7", ...elsewhere];
    assert.equal((await runCommand(changed)).code, EXIT.done);
    await worker.kill("SIGKILL");
    await exported((nth) => `u${nth},Later${nth}`);
    const approved = await command("runs", "approve", run.run);
    assert.equal(approved.code, EXIT.done, approved.stderr);
    assert.equal((await command("runs", "approve", run.run)).code, EXIT.failed);
    directoryHere();
    await until("the run has finished", async () => (await show(run.run)).state === "finished");
    const finished = await show(run.run);
    assert.deepEqual(finished.rows, { read: USERS, faulty: 1 });
    assert.equal(finished.books.applied, 59);
    assert.equal(updates(), 60);
    assert.deepEqual([nameOf("u0"), nameOf("u7"), nameOf("u99")], ["New0", "Else", "Old"]);
    assert.equal(finished.plan, undefined);
    await assertNoPage(stage, run.run);
  });

  test("leaves a run that waits as it is while its content is the same, and newer content goes before it", async () => {
    const { at, command, configure, directoryHere, exported, runs, stateOf, timeComes, updates } = stage;
    await configure(`file: ${at("hr-*.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},New${nth}`, "hr-1.csv");
    const worker = directoryHere();
    await until("the run waits", () => worker.stderr().includes("run needs approval"));
    const [first] = await runs();
    await timeComes();
    await until("it is left", () => worker.stderr().includes("run waits for approval"));
    assert.deepEqual(
      (await runs()).map(({ run, state }) => [run, state]),
      [[first?.run, "needs-approval"]],
    );
    await exported((nth) => `u${nth},Newer${nth}`, "hr-2.csv");
    await timeComes();
    await until(
      "the newer one waits",
      async () => (await runs()).length === 2 && (await stateOf()) === "needs-approval",
    );
    assert.equal(await stateOf(1), "cancelled");
    const refused = await command("runs", "approve", first?.run ?? "");
    assert.equal(refused.code, EXIT.failed);
    assert.match(refused.stdout, /not-waiting/);

    const [second] = await runs();
    assert.equal((await command("runs", "cancel", second?.run ?? "")).code, EXIT.done);
    assert.equal(await stateOf(), "cancelled");
    assert.equal((await command("runs", "cancel", second?.run ?? "")).code, EXIT.failed);
    assert.equal((await command("runs", "cancel", "r-none")).code, EXIT.failed);
    assert.equal(updates(), 0);
  });

  test("leaves a run that is cancelled while it is under way", async () => {
    const { at, command, configure, directoryHere, exported, runs, stateOf } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    const worker = directoryHere();
    await until("the run is put", async () => (await stateOf()) === "delivering");
    const cancelled = await command("runs", "cancel", (await runs())[0]?.run ?? "");
    assert.match(cancelled.stdout, /"discarded":5/);
    await until("the worker heeds it", () => worker.stderr().includes("feed cancelled"));
    assert.equal(await stateOf(), "cancelled");
  });

  test("that was killed amid a run is followed by another, which goes on with the same run", async () => {
    const { at, configure, deliverHere, directoryHere, exported, runs, start, stateOf, updates } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    const worker = start("workers/directory.ts");
    // Nobody delivers yet, so the run stands still once it is put.
    await until("the run is put", async () => (await stateOf()) === "delivering");
    await worker.kill("SIGKILL");
    const [run] = await runs();
    directoryHere();
    deliverHere();
    await until("the run has finished", async () => (await stateOf()) === "finished");
    assert.deepEqual(
      (await runs()).map(({ run: id }) => id),
      [run?.run],
    );
    assert.equal(updates(), 5);
  });

  test("goes on with a run that was cut amid its file, and ends one whose content has changed", async () => {
    const { at, byHand, configure, deliverHere, directoryHere, environment, exported, nameOf, runs, show } = stage;
    const scheduled = `file: ${at("hr.csv")}, schedule: { every: 1h }`;
    const off = "changed: off, cleared: off, sameValue: off, unmatched: off";
    await configure(`${scheduled}, guards: { ${off} }`);
    // More than the guards allow: a run that goes on passed them before.
    await exported((nth) => `u${nth},${nth < 60 ? "New" : "Old"}`);
    const put = await runCommand(byHand("--baseline", "none"), { environment });
    assert.equal(put.code, EXIT.done, put.stderr);
    await configure(scheduled);
    const [cut] = await runs();
    const { REDIS_URL: redisUrl, POOLSYNC_NAMESPACE: namespace } = environment;
    const engine = await openEngine({ redisUrl, namespace, dataDir: at("engine") });
    try {
      const other = { source: "file" as const, pool: POOL, feed: "hr", identity: "of older content", asOf: Date.now() };
      await engine.store.runs.begin({ ...other, id: "r-older" });
      await engine.store.runs.advance(cut?.run ?? "", "reading");
    } finally {
      await engine.close();
    }
    deliverHere();
    directoryHere();
    await until("the run has finished", async () => (await show(cut?.run ?? "")).state === "finished");
    const after = await runs();
    assert.deepEqual(
      new Map(after.map(({ run, state }) => [run, state])),
      new Map([
        ["r-older", "failed"],
        [cut?.run, "finished"],
      ]),
    );
    assert.equal((await show(cut?.run ?? "")).rows.read, USERS);
    assert.equal(nameOf("u0"), "New");
  });

  test("runs a feed in one process at a time", async () => {
    const {
      at,
      byHand,
      configure,
      deliverHere,
      directoryHere,
      environment,
      exported,
      runs,
      start,
      stateOf,
      timeComes,
    } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 5 ? "New" : "Old"}`);
    const workers = [start("workers/directory.ts"), directoryHere()];
    await until("the run is put", async () => (await stateOf()) === "delivering");
    await timeComes();
    const sync = runCommand(byHand("--json"), { environment });
    const said = () => workers.map((item) => item.stderr()).join("");
    await until("the other finds it under way", () => said().includes("feed is under way already"));
    const refused = await sync;
    assert.match(refused.stdout, /"kind":\s*"feed-busy"/);
    assert.equal(refused.code, EXIT.failed);
    assert.equal(said().match(/"msg":"run started"/g)?.length, 1);
    assert.equal((await runs()).length, 1);
    deliverHere();
    await until("the run has finished", async () => (await runs()).at(-1)?.state === "finished");
  });

  test("fetches a file from the web with the credential of its environment, and again only when it has changed", async () => {
    const { configure, deliverHere, runs, start, stateOf, timeComes } = stage;
    let etag = '"one"';
    const seen: string[] = [];
    const server = createServer((request, response) => {
      const known = request.headers["if-none-match"] === etag;
      seen.push(`${request.headers.authorization} ${known ? 304 : 200}`);
      if (known) return response.writeHead(304).end();
      return response.writeHead(200, { etag }).end("username,given_name\nu0,New\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      const port = typeof address === "object" ? address?.port : address;
      const file = `file: "http://127.0.0.1:${port}/hr.csv", fetch: { bearer: HR_TOKEN }`;
      await configure(`${file}, schedule: { every: 1h }`);
      deliverHere();
      const worker = start("workers/directory.ts", { HR_TOKEN: "token-of-hr" });
      await until("the run has finished", async () => (await stateOf()) === "finished");
      await timeComes();
      await until("it is asked again", () => worker.stderr().includes("feed unchanged"));
      assert.deepEqual(seen, ["Bearer token-of-hr 200", "Bearer token-of-hr 304"]);
      assert.equal((await runs()).length, 1);
      etag = '"two"';
      await timeComes();
      await until("it is read again", async () => (await runs()).length === 2);
      assert.doesNotMatch(worker.stderr(), /token-of-hr/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test("carries out a run that is approved while a pass fetches the next content, and then that content", async (t) => {
    const { command, configure, deliverHere, directoryHere, nameOf, runs, show } = stage;
    const content = (nth: number, first: string): string => `u${nth},${nth === 0 ? first : nth < 60 ? "New" : "Old"}`;
    const answers = ["New", "Newer"].map((first) => {
      const rows = Array.from({ length: USERS }, (_, nth) => content(nth, first));
      return `${["username,given_name", ...rows].join("\n")}\n`;
    });
    const held = Promise.withResolvers<() => void>();
    let asked = 0;
    const server = createServer((_, response) => {
      const [first, next] = answers;
      asked += 1;
      if (asked === 1) response.end(first);
      else held.resolve(() => response.end(next));
    });
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : address;
    await configure(`file: "http://127.0.0.1:${port}/hr.csv", schedule: { every: 1h }`);
    deliverHere();
    const worker = directoryHere();
    await until("the run waits", () => worker.stderr().includes("run needs approval"));
    const [first] = await runs();
    await stage.timeComes();
    const answer = await held.promise;
    assert.equal((await command("runs", "approve", first?.run ?? "")).code, EXIT.done);
    answer();
    const ended = (state: string | undefined): boolean => state === "finished" || state === "failed";
    await until("the run has ended", async () => ended((await show(first?.run ?? "")).state));
    const approved = await show(first?.run ?? "");
    assert.deepEqual([approved.state, approved.books.applied], ["finished", 60]);
    await until("the next has ended", async () => (await runs()).length === 2 && ended(await stage.stateOf()));
    assert.deepEqual([nameOf("u0"), nameOf("u1"), nameOf("u60")], ["Newer", "New", "Old"]);
    assert.doesNotMatch(worker.stderr(), /run overtaken/);
  });

  test("tries the order of an approval again that did not get the feed's turn", async (t) => {
    const { at, command, configure, deliverHere, directoryHere, environment, exported, runs, show } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},${nth < 60 ? "New" : "Old"}`);
    deliverHere();
    const worker = directoryHere();
    await until("the run waits", () => worker.stderr().includes("run needs approval"));
    const [run] = await runs();
    const id = run?.run ?? "";
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = environment;
    const engine = await openEngine({ redisUrl: url, namespace, dataDir: at("engine") });
    t.after(() => engine.close());
    const { reservations } = engine.store;
    const takes = async (): Promise<boolean> =>
      (await reservations.take("feeds", "hr", "a sync by hand", 300_000)).is === "taken";
    await until("the turn is another's", takes);
    assert.equal((await command("runs", "approve", id)).code, EXIT.done);
    const delayed = async () => (await engine.queues.queue<{ run?: string }>("directory").getDelayed()) ?? [];
    const again = async () => (await delayed()).find(({ data, attemptsMade }) => data.run === id && attemptsMade === 1);
    await until("it is to be tried again", async () => (await again()) !== undefined);
    assert.match(worker.stderr(), /"msg":"approved run waits for its feed's turn"/);
    assert.doesNotMatch(worker.stderr(), /feed failed|feed is under way already/);
    assert.equal((await show(id)).state, "reading");
    await reservations.release("feeds", "hr", "a sync by hand");
    await (await again())?.promote();
    await until("the run has finished", async () => (await show(id)).state === "finished");
    assert.equal((await show(id)).books.applied, 60);
  });

  test("tries a feed that failed again, a little later", async (t) => {
    const { at, configure, directoryHere, environment } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    const worker = directoryHere();
    await until("it has failed", () => worker.stderr().includes("feed failed"));
    assert.match(worker.stderr(), /"kind":"missing","reason":"`.*hr\.csv` does not exist/);
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = environment;
    const queues = await openQueues({ kind: "redis", url, namespace });
    t.after(() => queues.close());
    const delayed = () => queues.queue<object>("directory").getDelayed();
    await until("it is to be tried again", async () =>
      (await delayed()).some(({ attemptsMade }) => attemptsMade === 1),
    );
    assert.equal((await delayed()).length, 2);
  });

  test("tries a feed whose mapped column has another name not before its next time", async (t) => {
    const { at, configure, directoryHere, environment } = stage;
    await writeFile(at("hr.csv"), "username,Vorname\nu1,New\n");
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    const worker = directoryHere();
    await until("it has failed", () => worker.stderr().includes("feed failed"));
    assert.match(worker.stderr(), /"kind":"renamed","reason":".*`given_name` of the mapping is not there/);
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = environment;
    const queues = await openQueues({ kind: "redis", url, namespace });
    t.after(() => queues.close());
    const orders = queues.queue<object>("directory");
    await until("nothing of it is under way", async () => (await orders.getActive()).length === 0);
    assert.deepEqual(
      (await orders.getDelayed()).map(({ attemptsMade }) => attemptsMade),
      [0],
    );
  });

  test("needs Redis, and a feed with a schedule", async () => {
    const { at, configure, start } = stage;
    await mkdir(at("none"));
    await configure(`file: ${at("hr.csv")}`);
    const idle = start("workers/directory.ts");
    assert.equal(await idle.ended(), EXIT.usage);
    assert.match(idle.stderr(), /poolsync\.yaml: feeds: Expected a feed with a `schedule`/);
    const embedded = start("workers/directory.ts", { REDIS_URL: "" });
    assert.equal(await embedded.ended(), EXIT.usage);
    assert.match(embedded.stderr(), /REDIS_URL: Expected/);
  });
});
