/** Parked events at the terminal: commands in the test's process, on a store that others have open as well. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { keepAlive } from "../../src/delivery/worker-lease.ts";
import { eventStage } from "../app/event-stage.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { until } from "../support/condition.ts";
import type { AppOptions } from "../support/app-stage.ts";
import { POOL, runCommand } from "./command-run.ts";

const documentForm = z.record(z.string(), z.json());
type Document = z.infer<typeof documentForm>;
const AT = "2026-01-31T18:42:00Z";

async function stage(t: TestContext, options: AppOptions = {}) {
  const events = await eventStage(t, options);
  const { app, engine } = events;
  const where = engine.kind === "redis" ? [] : ["--data-dir", app.dataDir];
  const dead = async (...words: readonly string[]) => {
    const environment = { ...app.environment, POOLSYNC_POOLS: POOL };
    const config = words.includes("--config") ? [] : ["--config", app.at("poolsync.yaml")];
    const said = await runCommand(["dead", ...words, ...config, ...where], { environment });
    return { ...said, stdout: said.stdout.replaceAll(/ --config [^\s`]+/g, "") };
  };
  const json = async (...words: readonly string[]): Promise<Document> => {
    const { stdout, stderr } = await dead(...words, "--json");
    assert.notEqual(stdout, "", stderr);
    return documentForm.parse(JSON.parse(stdout));
  };
  const ids = async (): Promise<readonly string[]> =>
    (await Array.fromAsync(engine.store.inbox.parked({}))).map(({ id }) => id);
  /** Says that it takes events, and drains. */
  const ingest = async () => {
    const lease = keepAlive(engine.store, { does: "events" });
    const drainer = events.drainer();
    // As whatever comes wakes it.
    const timer = setInterval(() => drainer.wake(), 50);
    t.after(async () => {
      clearInterval(timer);
      lease.end();
      await drainer.close();
    });
    await until("it is alive", async () => (await engine.store.workers.list()).length > 0);
  };
  return { ...events, dead, json, ids, ingest };
}

const person = (name: string) => ({ mail: `${name}@example.com`, first: name });

describe("parked events", () => {
  test("are listed beside letters, by feed and reason, and one by one", async (t) => {
    const { app, send, drain, dead, json, ids } = await stage(t);
    assert.match((await dead("list")).stdout, /^No dead letters, and no parked events\./);
    await app.sync(await app.file("username,given_name\nnoone,Nan\n"));
    await send("hr", { employees: [person("eve")] }, { id: "1" });
    await send("hr", { employees: [person("fay")] }, { id: "2" });
    await send("crm", "{ secret");
    await drain();
    const { stdout, code } = await dead("list");
    assert.equal(code, EXIT.done);
    assert.match(stdout, /user-not-found +user-not-found +1 +1/);
    assert.match(
      stdout,
      /KIND +REASON +EVENTS +OLDEST +NEWEST +FEED\nevent +nobody +2 +now +now +hr\nevent +unreadable +1 +now +now +crm\n/,
    );
    assert.match(stdout, /event: nobody\n {2}e\.g\. .*dead show [0-9a-f]{32}\n {2}Nothing: it is looked at again/);
    assert.match(stdout, /poolsync dead replay --kind event --reason nobody\n/);
    const [first] = await ids();
    const { total, groups } = await json("list", "--kind", "event", "--feed", "hr");
    assert.equal(total, 2);
    const [{ oldest, newest, advice, ...group } = {}] = z.array(documentForm).parse(groups);
    assert.deepEqual(group, { kind: "event", feed: "hr", reason: "nobody", events: 2, example: { id: first } });
    assert.ok(oldest && newest && advice);
    const counts = async (...words: readonly string[]) => (await json("list", ...words))["total"];
    assert.deepEqual(
      [
        await counts(),
        await counts("--limit", "2"),
        await counts("--reason", "unreadable"),
        await counts("--kind", "user-not-found"),
        await counts("--user", "noone"),
        await counts("--pool", "staff"),
        await counts("--pool", "eu-west-1_Other"),
        await counts("--since", "1h"),
        await counts("--until", "1h"),
      ],
      [4, 2, 1, 1, 1, 4, 0, 4, 0],
    );
    const page = await dead("list", "--letters", "--limit", "3", "--page", "1");
    assert.match(page.stdout, /noone: given_name = \*\*\*/);
    assert.match(page.stdout, /[0-9a-f]{32} {2}event of feed hr\n {2}event: nobody, came now\n/);
    assert.match(page.stdout, /Letters and events 1 to 3 of 4\.\nMore: .*--page 2/);
    const { letters, events, pages } = await json("list", "--letters", "--limit", "3", "--page", "2");
    assert.deepEqual(
      [
        letters,
        pages,
        z
          .array(documentForm)
          .parse(events)
          .map(({ reason }) => reason),
      ],
      [[], 2, ["unreadable"]],
    );
    const wrong = await dead("list", "--feed", "hr");
    assert.equal(wrong.code, EXIT.usage);
    assert.match(wrong.stderr, /Expected --kind event with --feed/);
  });

  test("say which column they have not, or in another form", async (t) => {
    const { send, drain, dead, json, ids } = await stage(t);
    await send("crm", { user: "ana", first: "Ana" });
    await send("crm", { user: "ana", first: "Ana", at: "yesterday" });
    await send("crm", { ping: "secret" });
    await send("crm", { user: "ana", at: "2026-01-31T18:42:00Z" });
    await drain();
    const said: unknown[] = [];
    for (const id of await ids()) said.push((await json("show", id))["why"]);
    assert.deepEqual(said, [
      ["record 1: it has no `at`"],
      [
        "record 1: Expected the version column to hold a time with its zone such as 2026-01-31T18:42:00Z, or epoch seconds or milliseconds.",
      ],
      ["record 1: it has no `user` and no `at`"],
      ["record 1: it has none of `first`, `last`, `nick`"],
    ]);
    const [first = ""] = await ids();
    assert.match((await dead("show", first)).stdout, /\nwhy {10}record 1: it has no `at`\n/);
  });

  test("are shown with what they are, and their bodies masked, and never move the cursor", async (t) => {
    const { send, drain, dead, json, ids, engine, app } = await stage(t);
    app.pool.addUser({ username: "ana", attributes: { email: "ana@example.com", email_verified: "true" } });
    await send("hr", { employees: [person("eve"), person("ana"), person("fay")] }, { id: "1", signedAtMs: 1_000 });
    await send("hr", { employees: [{ mail: "eve@example.com", first: "Secret" }] }, { id: "2" });
    await send("crm", "x\u001b[2J\n\ttwo\u202e");
    await engine.store.inbox.add([{ id: "forged", feed: "crm", body: "x" }], { entries: 10, bytes: 1e6 });
    await drain();
    const [hr = "", one = "", crm = "", forged = ""] = await ids();
    const { came, parked, bytes, advice, ...shown } = await json("show", hr);
    assert.deepEqual(shown, {
      id: hr,
      kind: "event",
      reason: "nobody",
      feed: "hr",
      pool: POOL,
      scheme: "none",
      signed: "1970-01-01T00:00:01.000Z",
      contentType: "application/json",
      left: [1, 3],
      body: "***",
    });
    assert.ok(came && parked && Number(bytes) > 100 && advice);
    const { stdout } = await dead("show", hr, crm, "--show-values");
    assert.match(stdout, /left +records 1, 3\n/);
    assert.match(stdout, /"mail":"eve@example.com"/);
    assert.match(stdout, /body +x<U\+001B>\[2J\n +two<U\+202E>\n/);
    assert.doesNotMatch((await dead("show", hr, crm)).stdout, /example|two/);
    assert.equal((await json("show", one))["body"], "***");
    const { body, reason } = await json("show", forged);
    assert.deepEqual([body, reason], ["(altered)", "unreadable"]);
    await engine.store.inbox.replay([crm]);
    assert.match((await dead("show", crm)).stderr, /is not parked: it waits in the inbox/);
    assert.match((await dead("show", "nothing")).stderr, /There is no dead letter/);
  });

  test("are discarded by ids and filters, and with all else only where that is said", async (t) => {
    const { app, send, drain, dead, json, ids } = await stage(t);
    await app.sync(await app.file("username,given_name\nnoone,Nan\n"));
    for (const name of ["eve", "fay", "gus"]) await send("hr", { employees: [person(name)] }, { id: name });
    await send("crm", "{");
    await drain();
    assert.equal((await dead("discard")).code, EXIT.usage);
    assert.deepEqual(await json("discard", "--all", "--dry-run"), { dryRun: true, letters: 1, events: 4 });
    const [first = ""] = await ids();
    assert.match((await dead("discard", first)).stdout, /^Discarded 1 parked event\./);
    assert.match((await dead("discard", first)).stderr, /There is no dead letter/);
    assert.deepEqual(await json("discard", "--kind", "event", "--reason", "nobody", "--limit", "1"), {
      dryRun: false,
      letters: 0,
      events: 1,
    });
    assert.deepEqual(await json("discard", "--kind", "user-not-found", "--dry-run"), {
      dryRun: true,
      letters: 1,
      events: 0,
    });
    assert.match((await dead("discard", "--all")).stdout, /^Discarded 1 dead letter and 2 parked events\./);
    assert.deepEqual(await ids(), []);
  });

  test("of thousands are counted, replayed and discarded, each once", async (t) => {
    const { engine, drain, json, dead } = await stage(t);
    const entries = Array.from({ length: 1_000 }, (_, index) => ({ id: `e${index}`, feed: "crm", body: "x" }));
    await engine.store.inbox.add(entries, { entries: 1e6, bytes: 1e9 });
    await drain();
    assert.equal((await json("list"))["total"], 1_000);
    assert.deepEqual(await json("replay", "--kind", "event", "--limit", "450", "--detach"), {
      orders: [],
      letters: 0,
      notReplayable: 0,
      events: 450,
      ingest: false,
    });
    assert.match((await dead("discard", "--kind", "event")).stdout, /^Discarded 550 parked events\./);
    assert.equal((await engine.store.inbox.counts()).waiting, 450);
  });

  test("stay parked where no process takes events, unless they are left to one", async (t) => {
    const { app, engine, send, drain, dead, json, ids } = await stage(t);
    await send("crm", "{");
    await drain();
    const [id = ""] = await ids();
    for (const words of [[id], ["--kind", "event"], []]) {
      const { code, stderr } = await dead("replay", ...words);
      assert.deepEqual([code, await ids()], [EXIT.failed, [id]]);
      assert.match(
        stderr,
        /No process takes events, so nobody would map them anew, and they stay parked: start .*ingest/,
      );
    }
    await app.sync(await app.file("username,given_name\nnoone,Nan\n"));
    app.pool.addUser({ username: "noone" });
    const both = await dead("replay");
    assert.equal(both.code, EXIT.partial);
    assert.match(both.stdout, /Replayed 1 letter of 1 person/);
    assert.match(both.stderr, /1 event stays parked: no process takes events/);
    assert.deepEqual(await json("replay", id, "--dry-run"), {
      dryRun: true,
      letters: 0,
      people: 0,
      byKind: {},
      notReplayable: 0,
      events: 1,
    });
    const { stdout, code } = await dead("replay", id, "--detach");
    assert.equal(code, EXIT.done);
    assert.match(stdout, /1 event waits in the inbox again; no process takes events: `.*ingest.*` maps them anew/);
    assert.equal((await engine.store.inbox.counts()).waiting, 1);
  });

  test("wait in the inbox where whoever waits for them is interrupted, or the last ingest ends", async (t) => {
    const { app, engine, send, drain, ids } = await stage(t);
    await send("crm", "{");
    await drain();
    const [id = ""] = await ids();
    const lease = keepAlive(engine.store, { does: "events" });
    t.after(() => lease.end());
    await until("it is alive", async () => (await engine.store.workers.list()).length > 0);
    const goesBack = () => until("it waits", async () => (await engine.store.inbox.counts()).waiting === 1);
    const environment = app.environment;
    const words = ["dead", "replay", id, "--config", app.at("poolsync.yaml")];
    const signal = new AbortController();
    const cut = runCommand(words, { environment, drain: signal.signal });
    await goesBack();
    signal.abort();
    const { code, stderr } = await cut;
    assert.equal(code, EXIT.interrupted);
    assert.match(stderr, /Interrupted\. 1 event waits in the inbox, where `poolsync ingest[^`]*` takes them/);
    await drain();
    const left = runCommand(words, { environment });
    await goesBack();
    lease.end();
    const said = await left;
    assert.equal(said.code, EXIT.failed);
    assert.match(said.stderr, /No process takes events any more: 1 event waits in the inbox for `poolsync ingest/);
  });

  test("are mapped anew by the fleet's ingest, which is waited for", async (t) => {
    const { app, send, drain, dead, json, ids, ingest } = await stage(t);
    await send("hr", { employees: [person("eve")] }, { id: "1" });
    await send("hr", { employees: [person("fay")] }, { id: "2" });
    const ahead = new Date(Date.now() + 25 * 3_600_000).toISOString();
    await send("crm", { user: "eve", first: "Eve", at: ahead });
    await drain();
    app.pool.addUser({ username: "eve", attributes: { email: "eve@example.com", email_verified: "true" } });
    await ingest();
    const { eventRuns, ...document } = await json("replay", "--kind", "event", "--feed", "hr");
    assert.deepEqual(document, {
      letters: 0,
      people: 0,
      byKind: {},
      notReplayable: 0,
      events: 2,
      parkedAgain: { nobody: 1 },
      ahead: 0,
      diedAgain: 0,
    });
    assert.equal(z.array(z.string()).parse(eventRuns).length, 1);
    app.pool.addUser({ username: "fay", attributes: { email: "fay@example.com", email_verified: "true" } });
    const [fay = ""] = await ids();
    const { stdout, code } = await dead("replay", fay);
    assert.equal(code, EXIT.done);
    assert.match(
      stdout,
      /^Mapped 1 parked event anew: 1 became changes\.\n2 changes wait for a worker, and none is alive/,
    );
    const again = await dead("replay", "--kind", "event", "--reason", "ahead");
    assert.equal(again.code, EXIT.partial);
    assert.match(again.stdout, /^Mapped 1 parked event anew: 1 is parked again \(ahead: 1; see `.*dead list/);
  });

  test("are mapped anew and delivered by the command itself in a data directory, by today's configuration", async (t) => {
    const { app, send, drain, dead, json, value } = await stage(t, { putData: (dir) => putMadeDirectory(dir) });
    app.pool.addUser({ username: "ana" });
    await send("crm", { who: "ana", first: "Ana", at: AT });
    await send("crm", { who: "zoe", first: "Zoe", at: AT });
    await send("crm", "{");
    await drain();
    await app.shut();
    const none = await dead("replay", "--kind", "event", "--config", "/dev/null");
    assert.equal(none.code, EXIT.usage);
    assert.match(none.stderr, /Expected a feed with `events`/);
    await app.configure((await readFile(app.at("poolsync.yaml"), "utf8")).replace("username: user", "username: who"));
    const { stdout, stderr, code } = await dead("replay", "--kind", "event");
    assert.equal(code, EXIT.partial, stderr);
    assert.match(stdout, /^Mapped 3 parked events anew: 2 became changes, 1 is parked again \(unreadable: 1; see/);
    assert.match(stdout, /applied +0 +1 +\+1/);
    assert.equal(value("ana"), "Ana");
    assert.equal((await json("list"))["total"], 2);
  });
});
