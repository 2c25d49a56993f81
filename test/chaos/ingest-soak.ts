/**
 * `npm run soak:ingest -- [--minutes 10]`: events come in every way at once, webhooks, a queue of Amazon SQS and jobs, while
 * a flood a minute is held and approved, and a file is put by its schedule. At the end everything that was acknowledged is
 * in the pool or told of, no value went back, nothing is left anywhere, and memory has not grown: see docs/reliability.md.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Queue } from "bullmq";
import { Webhook } from "standardwebhooks";
import { startFeed } from "../../src/app/feeds/start-feed.ts";
import { approveRun } from "../../src/app/runs/approve-run.ts";
import { imbalance } from "../../src/core/books.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { randomFrom } from "../support/random.ts";
import { openChildren } from "./children.ts";
import { startLoneRedis } from "./lone-redis.ts";
import { freePort } from "./redis-processes.ts";
import { watchResident } from "./resident.ts";
import { POOL, startService } from "./service.ts";
import { startSoakQueue } from "./soak-queue.ts";
import { createSource, wentBack, type SourceChange } from "./two-ways.ts";

const USERS = 300;
const NAMESPACE = "soak-ingest";
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/** Of a feed within a minute; a flood has four times as many people. */
const GUARD = 25;
const FLOOD_PEOPLE = 100;
const FLOOD_EVERY_MS = 60_000;
/** Changes a second. */
const PACE = { hooks: 20, queue: 10, jobs: 10, file: 2 } as const;
/** Of a hundred. */
const [DOUBLED, LATE, NOBODYS] = [10, 10, 1];
const LATEST_MS = 20_000;
const OUT_OF_ORDER_MS = 400;
const TRY_AGAIN_MS = 500;
const LOOK_EVERY_MS = 5_000;
/** After the last change. */
const SETTLES_MS = 3 * 60_000;
const PASS_MS = 3 * 60_000;
/** Beside the minutes that it is given. */
const ENDS_MS = 2 * PASS_MS + SETTLES_MS;
/** What is held at last is a heap's own size: the smaller it may be, the sooner what is kept by mistake shows. */
const HEAP = { NODE_OPTIONS: "--max-old-space-size=96 --max-semi-space-size=4" };

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const forMs = Number(values.minutes) * 60_000;
if (!(forMs > 0)) {
  process.stdout.write("Expected --minutes to be a number above 0.\n");
  process.exit(64);
}

// Whatever hangs, it ends: its processes end with it.
setTimeout(() => {
  say("BROKEN  it did not come to its end");
  process.exit(1);
}, forMs + ENDS_MS).unref();
const directory = await mkdtemp(join(tmpdir(), "poolsync-soak-ingest-"));
const closers: (() => Promise<unknown> | void)[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await soak();
} finally {
  for (const close of closers.toReversed()) await close();
  if (process.exitCode === 0) await rm(directory, { recursive: true, force: true });
  else say(`What its processes logged is in ${directory}.`);
}

async function soak(): Promise<number> {
  const { next: random } = randomFrom(1);
  const users = Array.from({ length: USERS }, (_, nth) => `user${nth}`);
  const begunAt = Date.now() - 60_000;
  const sourceOf = (attribute: string) => createSource(users, [attribute], begunAt);
  const sources = {
    hooks: sourceOf("given_name"),
    queue: sourceOf("family_name"),
    jobs: sourceOf("nickname"),
    floods: sourceOf("custom:department"),
    file: sourceOf("middle_name"),
  };
  const exports = createServer((_, response) => response.end(sources.file.exported(Date.now())));
  const exportPort = await freePort();
  await new Promise<void>((resolve) => exports.listen(exportPort, "127.0.0.1", resolve));
  closers.push(() => {
    exports.close();
    exports.closeAllConnections();
  });

  const children = openChildren(directory);
  closers.push(() => children.close());
  const redis = await startLoneRedis(directory, "everysec");
  closers.push(() => redis.close());
  const service = await startService(children, directory, users);
  const queue = await startSoakQueue(children);
  closers.push(() => queue.close());
  const ingestPort = await freePort();
  const config = join(directory, "poolsync.yaml");
  await writeFile(config, yaml(exportPort, queue.url));
  const env = {
    ...AWS_ENVIRONMENT,
    ...HEAP,
    REDIS_URL: redis.url,
    POOLSYNC_NAMESPACE: NAMESPACE,
    POOLSYNC_CONFIG: config,
    POOLSYNC_DATA_DIR: join(directory, "data"),
    POOLSYNC_INGEST_PORT: String(ingestPort),
    POOLSYNC_RATE: "200",
    HOOK_SECRET: SECRET,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: `http://127.0.0.1:${service.port}`,
  };
  const workers = ["deliver", "ingest", "directory"].map((name) =>
    children.start({ name, file: `workers/${name}.ts`, args: [], env }),
  );
  const engine = await openEngine({ redisUrl: redis.url, namespace: NAMESPACE, dataDir: "" });
  closers.push(() => engine.close());
  const { runs, inbox, letters, mailboxes, gates } = engine.store;
  const jobs = new Queue("changes", { connection: { url: redis.url }, prefix: `{poolsync:${NAMESPACE}}:bull` });
  closers.push(() => jobs.close());
  const passes = async (since: number): Promise<number> =>
    (await runs.list(500)).filter((run) => run.source === "file" && run.startedAt >= since && run.state === "finished")
      .length;
  await until("events are taken", () =>
    fetch(`http://127.0.0.1:${ingestPort}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await until("the file was put once", async () => (await passes(0)) > 0, PASS_MS);

  const wrong: string[] = [];
  const counts = {
    hooks: 0,
    queue: 0,
    jobs: 0,
    file: 0,
    floods: 0,
    approved: 0,
    nobodys: 0,
    doubled: 0,
    late: 0,
    again: 0,
  };
  const sending = new Set<Promise<void>>();
  const webhook = new Webhook(SECRET);
  let ids = 0;
  /** Until it is acknowledged. Each try is signed anew, as the rules of Standard Webhooks say. */
  async function post(feed: string, content: object, id = `m${(ids += 1)}`): Promise<void> {
    const body = JSON.stringify(content);
    for (;;) {
      const now = new Date();
      const headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": webhook.sign(id, now, body),
      };
      const request = { method: "POST", headers, body };
      const answer = await fetch(`http://127.0.0.1:${ingestPort}/events/${feed}`, request).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.ok) return;
      counts.again += 1;
      await sleep(TRY_AGAIN_MS);
    }
  }
  function later(what: () => Promise<void>, afterMs: number): void {
    const one = sleep(afterMs)
      .then(what)
      .catch((error: unknown) => void wrong.push(`it could not be sent: ${String(error)}`))
      .finally(() => sending.delete(one));
    sending.add(one);
  }
  const record = ({ at, username, value }: SourceChange) => ({ user: username, value, at });
  const ways = {
    hooks: (change: SourceChange) => post("hooks", record(change), `hook_${change.value}`),
    queue: (change: SourceChange) => queue.send([JSON.stringify(record(change))]),
    async jobs({ at, username, attribute, value }: SourceChange): Promise<void> {
      const data = { pool: POOL, username, attributes: { [attribute]: value }, version: at };
      await jobs.add("change", data, { jobId: `job-${value}` });
    },
    file: () => Promise.resolve(),
  };
  function change(way: keyof typeof ways): void {
    const [attribute = ""] = sources[way].attributes;
    const username = users[Math.floor(random() ** 2 * USERS)] ?? "";
    const made = sources[way].change(username, attribute, Date.now());
    counts[way] += 1;
    const lot = random() * 100;
    if (lot < DOUBLED && way !== "file") {
      counts.doubled += 1;
      later(() => ways[way](made), random() * LATEST_MS);
    }
    const isLate = lot >= DOUBLED && lot < DOUBLED + LATE;
    if (isLate) counts.late += 1;
    later(() => ways[way](made), random() * (isLate ? LATEST_MS : OUT_OF_ORDER_MS));
    if (way === "hooks" && lot >= 100 - NOBODYS) {
      counts.nobodys += 1;
      later(() => post("hooks", { value: "of nobody", at: Date.now() }), 0);
    }
  }

  const waitingRun = async () =>
    (await runs.list(100)).find(({ state, source }) => state === "needs-approval" && source === "events");
  /** Half of them in bodies of many people. Nothing beyond the guard is written before somebody approves it. */
  async function flood(): Promise<void> {
    const from = Date.now();
    const people = users.slice(0, FLOOD_PEOPLE);
    const made = people.map((username) => sources.floods.change(username, "custom:department", Date.now()));
    const half = FLOOD_PEOPLE / 2;
    const bodies = [made.slice(0, half / 2), made.slice(half / 2, half), ...made.slice(half).map((one) => [one])];
    await Promise.all(bodies.map((some) => post("floods", some.map(record))));
    counts.floods += 1;
    await until("a flood waits for an approval", async () => (await waitingRun()) !== undefined);
    await until("a flood is out of the inbox", async () => {
      const of = new Set(made.map(({ value }) => value));
      const run = await waitingRun();
      const books = run && (await runs.books(run.id));
      const written = (await service.writes()).filter(
        ({ at, attributes }) => at >= from && of.has(attributes["custom:department"] ?? ""),
      ).length;
      if (written > GUARD) wrong.push(`${written} of a flood were written before it was approved`);
      return written + (books?.pending ?? 0) >= FLOOD_PEOPLE;
    });
    for (let run = await waitingRun(); run !== undefined; run = await waitingRun()) {
      await approveRun(engine, createLog("silent"), run.id);
      counts.approved += 1;
    }
  }

  const resident = watchResident(workers);
  const begun = Date.now();
  let [lookedAt, floodedAt, saidAt] = [begun, begun - FLOOD_EVERY_MS / 2, begun];
  let flooding: Promise<void> = Promise.resolve();
  const owed = { hooks: 0, queue: 0, jobs: 0, file: 0 };
  for (let last = begun; Date.now() - begun < forMs; await sleep(50)) {
    const now = Date.now();
    for (const way of ["hooks", "queue", "jobs", "file"] as const) {
      owed[way] += (PACE[way] * (now - last)) / 1000;
      for (; owed[way] >= 1; owed[way] -= 1) change(way);
    }
    last = now;
    if (now - floodedAt > FLOOD_EVERY_MS) {
      floodedAt = now;
      flooding = flooding.then(flood).catch((error: unknown) => void wrong.push(String(error)));
    }
    if (now - lookedAt > LOOK_EVERY_MS) {
      lookedAt = now;
      await resident.look();
    }
    if (now - saidAt > 60_000) {
      saidAt = now;
      say(`${Math.round((now - begun) / 60_000)} min: ${JSON.stringify(counts)}`);
    }
  }

  await flooding;
  await Promise.all(sending);
  const restsSince = await engine.store.now();
  await startFeed(engine, "file");
  const left = async (): Promise<Readonly<Record<string, number>>> => {
    const { waiting, ahead, taken } = await inbox.counts();
    const inJobs = Object.values(await jobs.getJobCounts()).reduce((sum, many) => sum + many, 0);
    const { pending } = await runs.books();
    const due = await mailboxes.dueCount(POOL);
    return {
      inbox: waiting + ahead + taken,
      queue: await queue.left(),
      jobs: inJobs,
      pending,
      due,
      gates: (await gates.list()).length,
    };
  };
  const isOver = async (): Promise<boolean> => {
    const run = await waitingRun();
    if (run) {
      await approveRun(engine, createLog("silent"), run.id);
      counts.approved += 1;
    }
    return (await passes(restsSince)) > 0 && Object.values(await left()).every((many) => many === 0);
  };
  await until("nothing is left", isOver, SETTLES_MS).catch(async () => {
    wrong.push(`something is left: ${JSON.stringify(await left())}`);
  });

  const writes = (await service.writes()).filter(({ deed }) => deed === undefined);
  wrong.push(...wentBack(writes).map((one) => `went back: ${one}`));
  for (const [way, source] of Object.entries(sources)) {
    const [attribute = ""] = source.attributes;
    // Whoever has no event has but what the source began with; a file says that, too.
    const said = new Set(
      (way === "file" ? source.changes : source.changes.slice(USERS)).map(({ username }) => username),
    );
    for (const username of said) {
      const there = (await service.attributesOf(username))[attribute];
      const last = source.value(username, attribute);
      if (there !== last) wrong.push(`${username} has ${there} of ${way}, and not ${last}`);
    }
  }
  const books = await runs.books();
  if (imbalance(books) !== 0) wrong.push("the books do not balance");
  const lettersLeft = (await Array.fromAsync(letters.list({}))).length;
  if (lettersLeft > 0) wrong.push(`there are ${lettersLeft} dead letters`);
  const parked = (await Array.fromAsync(inbox.parked({}))).length;
  if (parked !== counts.nobodys) wrong.push(`${parked} events are parked, of ${counts.nobodys} of nobody`);
  if (counts.floods === 0 || counts.approved < counts.floods) wrong.push("a flood was not held");
  const memory = resident.verdict();
  wrong.push(...memory.wrong);
  for (const worker of workers) {
    worker.signal("SIGTERM");
    const end = await worker.ended;
    if (end !== 0) wrong.push(`${worker.name} ended with ${end}`);
  }

  say(JSON.stringify(counts));
  say(`writes ${writes.length}; passes of the file ${await passes(0)}; books ${JSON.stringify(books)}`);
  for (const line of memory.lines) say(line);
  for (const line of wrong) say(`BROKEN  ${line}`);
  say(wrong.length === 0 ? "Everything that was acknowledged is there, and nothing is left." : "It does not hold.");
  return wrong.length === 0 ? 0 : 1;
}

function yaml(exportPort: number, queue: string): string {
  const off = "{ changed: off, cleared: off, sameValue: off, shape: off, unmatched: off, rows: off, events: off }";
  const hooks = "events: { scheme: standard-webhooks, secret: HOOK_SECRET }";
  const of = (attribute: string): string =>
    `pool: ${POOL}, username: user, version: at, attributes: { "${attribute}": value }`;
  return [
    `guards: ${off}`,
    `pools: { people: { id: ${POOL} } }`,
    "feeds:",
    `  hooks: { ${of("given_name")}, ${hooks} }`,
    `  queue: { ${of("family_name")}, events: { sqs: "${queue}" } }`,
    `  floods: { ${of("custom:department")}, ${hooks}, guards: { events: { people: ${GUARD}, within: 1m, sameValue: off } } }`,
    `  file: { ${of("middle_name").replace("value", "middle_name")}, file: "http://127.0.0.1:${exportPort}/file.csv", schedule: { every: 1m } }`,
    "",
  ].join("\n");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
