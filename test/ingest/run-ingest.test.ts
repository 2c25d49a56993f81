import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { createAccept } from "../../src/app/events/accept-event.ts";
import { jobEvent } from "../../src/app/events/job-change.ts";
import { digestOfFile, keyProof } from "../../src/cli/served-command.ts";
import { readConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { commandHolder } from "../../src/store/postgres/directory-lock.ts";
import { packageVersion } from "../../src/version.ts";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { runCommand } from "../cli/command-run.ts";
import { responseTo } from "./ingest-stage.ts";
import { POOL } from "../support/pool-stage.ts";
import { linesOf, portIn, SECRETS, setIngestStage } from "./process-stage.ts";

const root = dirname(dirname(import.meta.dirname));
const AT = "2026-01-31T18:42:00Z";
const hex = (key: string, text: string): string => createHmac("sha256", key).update(text).digest("hex");

/** Sends an event to a feed; the status. */
async function send(port: number, feed: string, body: string, headers: Readonly<Record<string, string>> = {}) {
  const url = `http://127.0.0.1:${port}/events/${feed}`;
  const all = { "content-type": "application/json", ...headers };
  const response = await fetch(url, { method: "POST", body, headers: all });
  await response.arrayBuffer();
  return response.status;
}

const secondsOf = (time: Date): string => `${Math.floor(time.getTime() / 1000)}`;

/** The headers that the other side's own library makes. */
function standard(body: string, id: string, signedAt = new Date()): Record<string, string> {
  const signature = new Webhook(SECRETS.CRM_SECRET).sign(id, signedAt, body);
  return { "webhook-id": id, "webhook-timestamp": secondsOf(signedAt), "webhook-signature": signature };
}

const bodyOf = (user: string, values: Readonly<Record<string, string>>): string =>
  JSON.stringify({ user, ...values, at: AT });

describe("the process that takes events, on Redis", () => {
  test("has what each sender and a producer of jobs says reach its user by a worker, and parks what cannot", async (t) => {
    const stage = await setIngestStage(t, "redis");
    const ingest = stage.ingestHere();
    const worker = stage.deliverHere();
    const port = await portIn(ingest.log);
    const first = bodyOf("u0", { first: "Ana" });
    const last = bodyOf("u1", { last: "Roe" });
    const nick = bodyOf("u2", { nick: "Bo" });
    const now = new Date();
    const fields = { "Employee #": { value: "u3" }, "Middle name": { value: "Cy" } };
    const employees = JSON.stringify({ employees: [{ id: "5", fields }] });
    const bamboo = {
      "X-BambooHR-Timestamp": secondsOf(now),
      "X-BambooHR-Signature": hex(SECRETS.BAMBOO_SECRET, employees + secondsOf(now)),
    };
    const genuine = [
      send(port, "crm", first, standard(first, "msg_1")),
      send(port, "tool", last, { "X-Sig": hex(SECRETS.HMAC_SECRET, last) }),
      send(port, "bot", nick, { authorization: `Bearer ${SECRETS.TOKEN}` }),
      send(port, "hr", employees, bamboo),
    ];
    assert.deepEqual(await Promise.all(genuine), [200, 200, 200, 200]);

    const other = bodyOf("u4", { first: "Mallory" });
    const old = new Date(now.getTime() - 3_600_000);
    const refused = [
      send(port, "crm", other, standard(first, "msg_2")),
      send(port, "crm", other, standard(other, "msg_3", old)),
      send(port, "nobody", other),
    ];
    assert.deepEqual(await Promise.all(refused), [401, 401, 404]);
    const nobody = bodyOf("stranger", { first: "Di" });
    const unusable = [
      send(port, "crm", "no JSON", standard("no JSON", "msg_4")),
      send(port, "crm", nobody, standard(nobody, "msg_5")),
    ];
    assert.deepEqual(await Promise.all(unusable), [200, 200]);

    await until("all of them are written", () => stage.nameOf("u3", "middle_name") === "Cy" && worker.log() !== "");
    await until("so are the others", () =>
      ["Ana", "Roe", "Bo"].every((name, index) => {
        const attribute = ["given_name", "family_name", "nickname"][index] ?? "";
        return stage.nameOf(`u${index}`, attribute) === name;
      }),
    );

    // The example of the page, in a process that knows BullMQ and nothing else.
    const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "docs/events.md"), "utf8")) ?? [];
    await symlink(join(root, "node_modules"), join(stage.directory, "node_modules"));
    const { redisUrl, namespace } = stage.place;
    const said = example.replace("{poolsync:poolsync}", `{poolsync:${namespace}}`).replace('"ana"', '"u5"');
    await writeFile(join(stage.directory, "producer.mts"), said);
    await writeFile(join(stage.directory, "broken.mts"), said.replace("attributes", "attribute"));
    for (const file of ["producer.mts", "broken.mts"]) {
      const producer = runFile(relative(root, join(stage.directory, file)), [], { REDIS_URL: redisUrl });
      assert.equal(await producer.ended(), 0, producer.stderr());
    }
    await until("the job's change is written", () => stage.nameOf("u5", "given_name") === "Ana");

    const engine = await openEngine({ ...stage.place, dataDir: "/nonexistent" });
    t.after(() => engine.close());
    // One that named a feed which was not there when it came, and is by now.
    const keep = createAccept({ engine, log: createLog("silent"), limits: { entries: 100, bytes: 1e6 } });
    const data = { feed: "crm", username: "u6", attributes: { given_name: "Eli" } };
    const job = jobEvent({ pools: [], poolSettings: {}, feeds: {} }, { id: "1@1", data, addedAtMs: Date.now() });
    assert.deepEqual([job.feed, await keep(job.feed, job.event)], ["changes", "accepted"]);
    await until("it is written", () => stage.nameOf("u6", "given_name") === "Eli");
    await until("what cannot be a change is parked", async () => {
      const { parked } = await engine.store.inbox.counts();
      return parked.entries === 2;
    });
    const reasons: string[] = [];
    for await (const { reason } of engine.store.inbox.parked({})) reasons.push(reason);
    assert.deepEqual(reasons, ["unreadable", "unreadable"]);
    await until("nobody's change is a dead letter", async () => {
      const kinds: string[] = [];
      for await (const { kind } of engine.store.letters.list({})) kinds.push(kind);
      return kinds.join() === "user-not-found";
    });
    const left = Object.values(await engine.queues.queue("changes").getJobCounts());
    assert.equal(
      left.reduce((sum, count) => sum + count),
      0,
    );
    assert.equal(stage.nameOf("u4", "given_name"), "Old");
    await ingest.stop();
    assert.doesNotMatch(ingest.log() + worker.log(), /Ana|Roe|stranger|Mallory|u\d"/);
    assert.deepEqual(
      linesOf(ingest.log()).filter(({ level }) => level === "error" || level === "fatal"),
      [],
    );
  });
});

describe("the process that takes events, when it is stopped", () => {
  const body = bodyOf("u0", { nick: "Bo" });
  /** A request of which half has arrived. */
  async function begin(port: number, log: () => string) {
    const headers = { authorization: `Bearer ${SECRETS.TOKEN}`, "content-length": body.length };
    const half = request({ port, host: "127.0.0.1", path: "/events/bot", method: "POST", headers });
    const answered = responseTo(half);
    answered.catch(() => undefined);
    half.write(body.slice(0, 10));
    // Another one is answered behind it.
    await send(port, "nobody", "");
    await until("it is known", () => log().includes("unknown-path"));
    return { half, answered };
  }

  test("answers the request in hand, and takes no other; what it has kept is put by the next one", async (t) => {
    const stage = await setIngestStage(t, "redis");
    const ingest = stage.ingestHere();
    const port = await portIn(ingest.log);
    const { half, answered } = await begin(port, ingest.log);
    const stopped = ingest.stop();
    await until("nobody else is let in", () =>
      send(port, "nobody", "").then(
        () => false,
        () => true,
      ),
    );
    half.end(body.slice(10));
    assert.equal((await answered).statusCode, 200);
    (await answered).resume();
    await stopped;
    stage.ingestHere();
    stage.deliverHere();
    await until("it is written", () => stage.nameOf("u0", "nickname") === "Bo");
  });

  test("cuts the request in hand with a second signal", async (t) => {
    const stage = await setIngestStage(t, "redis");
    const ingest = stage.ingestHere();
    const { answered } = await begin(await portIn(ingest.log), ingest.log);
    const stopped = ingest.stop();
    ingest.insist();
    await assert.rejects(answered);
    await stopped;
  });
});

describe("the process that takes events, when it is killed", () => {
  test("has kept what it has acknowledged, and counts once what is sent again", async (t) => {
    const stage = await setIngestStage(t, "redis");
    const child = stage.startIngest();
    const port = await portIn(child.stderr);
    const sent: number[] = [];
    let acknowledged = 0;
    const deliver = (to: number, number: number): Promise<number> => {
      const body = JSON.stringify({ user: `u${number % 10}`, first: `New ${number}`, at: 1_700_000_000_000 + number });
      return send(to, "crm", body, standard(body, `msg_${number}`));
    };
    // One after the other, each newer than the one before, until nobody answers.
    const lanes = Array.from({ length: 10 }, async (_, lane) => {
      for (let number = lane; ; number += 10) {
        sent.push(number);
        try {
          assert.equal(await deliver(port, number), 200);
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          return;
        }
        acknowledged += 1;
        if (acknowledged === 50) child.child.kill("SIGKILL");
      }
    });
    await Promise.all(lanes);
    await child.kill("SIGKILL");
    assert.ok(acknowledged >= 50);

    const engine = await openEngine({ ...stage.place, dataDir: "/nonexistent" });
    t.after(() => engine.close());
    const { inbox, runs } = engine.store;
    const count = async () => {
      for (;;) {
        // What a slow drainer has given back is ahead for a while.
        const { waiting, ahead, taken } = await inbox.counts();
        const days = (await runs.list(10)).filter(({ source }) => source === "events");
        const books = await Promise.all(days.map(({ id }) => runs.books(id)));
        const after = await inbox.counts();
        // What is put in between would count in both.
        if (after.waiting !== waiting || after.ahead !== ahead || after.taken !== taken) continue;
        return { waiting, all: waiting + ahead + taken + books.reduce((sum, { received }) => sum + received, 0) };
      }
    };
    const { all: kept } = await count();
    assert.ok(kept >= acknowledged && kept <= sent.length, `${kept} of ${acknowledged} are kept`);

    const next = await portIn(stage.ingestHere().log);
    const answers = await Promise.all(sent.map((number) => deliver(next, number)));
    assert.ok(answers.every((status) => status === 200));
    // What the one that was killed had taken is its own until a lease ends.
    await until("all others are put", async () => (await count()).waiting === 0);
    assert.equal((await count()).all, sent.length);
  });
});

describe("the process that takes events, in a data directory", () => {
  test("runs single commands of others, as if the directory were theirs, and refuses long ones", async (t) => {
    const stage = await setIngestStage(t, "embedded");
    const ingest = stage.ingestHere();
    const port = await portIn(ingest.log);
    const config = ["--config", join(stage.directory, "poolsync.yaml")];
    const tail = ["--data-dir", join(stage.directory, "data"), ...config];
    /** What it prints, where it ends with 0. */
    const command = async (...words: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runCommand([...words, ...tail]);
      assert.equal(code, 0, `${words.join(" ")}: ${stderr}`);
      return stdout;
    };
    const change = [
      "admin-update-user-attributes",
      "--user-pool-id",
      POOL,
      "--user-attributes",
      "Name=nickname,Value=By hand",
    ];
    await command(...change, "--username", "u1");
    assert.equal(stage.nameOf("u1", "nickname"), "By hand");
    const known = await command("explain", "--username", "u1", "--user-pool-id", POOL);
    assert.match(known, /nickname/);

    await command("pause", "--feed", "crm", "--reason", "HR looks");
    const body = bodyOf("u0", { first: "Ana" });
    assert.equal(await send(port, "crm", body, standard(body, "msg_1")), 200);
    await until("it is kept", async () => /^1 user|1 user/m.test(await command("status")));
    assert.match(await command("resume", "--feed", "crm"), /the process that has the data directory\s+delivers them/);
    await until("it is written", () => stage.nameOf("u0", "given_name") === "Ana");

    const stranger = bodyOf("stranger", { first: "Di" });
    assert.equal(await send(port, "crm", stranger, standard(stranger, "msg_2")), 200);
    await until("it is a letter", async () => (await command("dead", "list")).includes("user-not-found"));
    const runs = await command("runs", "list", "--json");
    const [run = ""] = /r-[\w-]+(?=",\s+"feed": "crm")/.exec(runs) ?? [];
    assert.match(await command("runs", "show", run), /crm/);
    assert.match(await command("dead", "discard", "--all"), /Discarded 1 dead letter/);

    const wrong = await runCommand([...change, "--username", "u1", "--user-attributes", "Name=nope,Value=x", ...tail]);
    assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
    assert.match(wrong.stderr, /nope/);
    const long = await runCommand(["sync", "--feed", "crm", ...tail]);
    assert.notEqual(long.code, 0);
    await writeFile(join(stage.directory, "other.yaml"), `pools: { staff: { id: ${POOL} } }`);
    const other = await runCommand([
      "runs",
      "list",
      ...tail.slice(0, 2),
      "--config",
      join(stage.directory, "other.yaml"),
    ]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /was started with \S+poolsync\.yaml, and this command has \S+other\.yaml/);
    await ingest.stop();
    assert.doesNotMatch(ingest.log(), /By hand|Ana|stranger|u\d"/);
  });

  test("takes commands from who has its key, files as they were read there, and looks itself at what it is asked for", async (t) => {
    const key = { POOLSYNC_KEY: Buffer.alloc(32, 1).toString("base64") };
    const stage = await setIngestStage(t, "embedded", key);
    const ingest = stage.ingestHere();
    await portIn(ingest.log);
    const { directory } = stage;
    const tail = ["--data-dir", join(directory, "data"), "--config", join(directory, "poolsync.yaml")];
    await writeFile(join(directory, "nick.txt"), "By file");
    const nickname = `Name=nickname,Value@=file://${relative(process.cwd(), join(directory, "nick.txt"))}`;
    const user = ["--user-pool-id", POOL, "--username", "u1", "--user-attributes", nickname];
    const change = ["admin-update-user-attributes", ...user, ...tail];
    const without = await runCommand(change);
    assert.deepEqual([without.code, without.stdout], [64, ""]);
    assert.match(without.stderr, /works with a POOLSYNC_KEY, and none is set here/);
    const changed = await runCommand(change, { environment: key });
    assert.equal(changed.code, 0, changed.stderr);
    assert.equal(stage.nameOf("u1", "nickname"), "By file");

    const config = await readConfig({}, stage.environment);
    const look = { isTTY: false };
    for (const argv of [
      ["sync", "--feed", "crm"],
      ["dead", "export", "--show-values"],
      ["runs", "show", "r-1", "--html", join(directory, "page.html")],
      ["admin-update-user-attributes", "--rate", "1"],
      ["admin-update-user-attributes", "--user-pool-id", POOL, "-"],
      ["status"],
    ]) {
      const asked = { version: packageVersion(), argv, files: [], file: digestOfFile(config) };
      const request = { ...asked, stdin: look, stdout: look, stderr: look };
      const wire = await commandHolder(config.dataDir, request);
      const said: string[] = [];
      wire?.onMessage((message) => {
        const [, nonce] = /^\{"nonce":"(.*)"\}$/.exec(JSON.stringify(message)) ?? [];
        if (nonce !== undefined) wire.send({ proofs: [keyProof(Buffer.alloc(32, 1), nonce, request)] });
        else said.push(JSON.stringify(message));
      });
      await until("it has ended", () => wire?.closed.aborted === true);
      assert.match(said.join(" "), /does not run this for others.*"exit":1/, argv.join(" "));
    }
    await ingest.stop();
  });

  test("delivers by itself, and tells others how it stands", async (t) => {
    const stage = await setIngestStage(t, "embedded");
    const ingest = stage.ingestHere();
    const port = await portIn(ingest.log);
    const body = bodyOf("u0", { first: "Ana" });
    assert.equal(await send(port, "crm", body, standard(body, "msg_1")), 200);
    await until("it is written", () => stage.nameOf("u0", "given_name") === "Ana");
    const tail = ["--data-dir", join(stage.directory, "data")];
    const status = await runCommand(["status", ...tail]);
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stdout, /The books balance/);
    await ingest.stop();
    const after = await runCommand(["status", "--verify", "--json", ...tail]);
    assert.equal(after.code, 0, after.stderr);
  });
});
