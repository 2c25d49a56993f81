/**
 * Senders alone: `node test/chaos/senders.ts --seed N --minutes M --engine redis|embedded`. What of the chaos run is about
 * events, without the rest of its fleet: processes that take events and are killed and suspended all the while, on a Redis
 * of its own that is killed, robbed of its last second, suspended, full and cut off; many of whose requests are hostile. It
 * holds verdict 19, and each value of the pool to the newest version. See docs/reliability.md.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { flagOf } from "../../src/core/unit.ts";
import { createWriteLog } from "../../src/emulator/write-log.ts";
import { withScope, type Scope } from "../../src/lifecycle.ts";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, openOnePool, POOL } from "../support/pool-stage.ts";
import { randomFrom } from "../support/random.ts";
import { eventsLeft, judgeArrived, lookAtInbox } from "./arrived.ts";
import { openChildren, type Child } from "./children.ts";
import { NO_EVIDENCE } from "./evidence.ts";
import { createEventLoad, floodAndQueue, QUEUE_FEED } from "./events.ts";
import { pendingUnits } from "./finale.ts";
import { floodRuns, judgeFloods, judgeQueue } from "./flooded.ts";
import { startFloods, type FloodDeps, type Floods } from "./floods.ts";
import { noGates } from "./gate-records.ts";
import { ingestPlace, startIngests } from "./ingests.ts";
import { startJobs, type Jobs } from "./jobs.ts";
import { startLoneRedis } from "./lone-redis.ts";
import { createModel } from "./model.ts";
import { poolHistory } from "./pool-history.ts";
import { openChaosQueue } from "./queue.ts";
import { createTally } from "./report.ts";
import { startRole, type Lives, type Role } from "./roles.ts";
import { startSender, type Sender } from "./sender.ts";
import { marksIn } from "./standing.ts";
import { judgeSecrets, verdict, type Standing, type Verdict } from "./verdict.ts";

const NAMESPACE = "senders";
const USERS = 60;
/** Whom nobody but floods speaks of, and a queue. */
const [FLOODED, QUEUED] = [40, 20];
const RATES = { events: 12, jobs: 5, messages: 5 } as const;
const DELIVERED_WITHIN_MS = 330_000;
const LONGEST_WAIT_MS = 60_000;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "2" },
    engine: { type: "string", default: "redis" },
    topology: { type: "string", default: "aof-everysec" },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const [seed, forMs] = [Number(values.seed), Number(values.minutes) * 60_000];
const random = randomFrom(seed * 61 + 3);
const tally = createTally();
const model = createModel();

type Stage = Awaited<ReturnType<typeof setStage>>;

/** What was played, with the store open and nobody else at it. */
interface Played {
  readonly engine: Engine;
  readonly sender: Sender;
  readonly floods: Floods;
  readonly jobs?: Jobs;
}

async function setStage(scope: Scope, directory: string) {
  const writes = createWriteLog(Date.now);
  const { emulator, pool } = await openOnePool(scope, { schema: [{ name: "department" }] }, { log: writes });
  addUsers(pool, USERS + FLOODED + QUEUED);
  const users = Array.from({ length: USERS + FLOODED + QUEUED }, (_, index) => `u${index}`);
  const children = scope.defer(openChildren(directory), (opened) => opened.close());
  const lives = scope.defer<Lives>({ exits: new Map(), over: false }, (all) => void (all.over = true));
  const env = {
    ...AWS_ENVIRONMENT,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_LOG_LEVEL: "debug",
    POOLSYNC_RATE: "150",
    POOLSYNC_NAMESPACE: NAMESPACE,
  };
  const load = createEventLoad(seed, users.slice(0, USERS));
  const queue = await openChaosQueue(scope, {
    model,
    random: randomFrom(seed * 67 + 5),
    users: users.slice(USERS + FLOODED),
    perSecond: RATES.messages,
  });
  const send = (ports: () => readonly number[]): Sender =>
    scope.defer(
      startSender({ model, load, random: randomFrom(seed * 59 + 1), perSecond: RATES.events, ports }),
      (started) => started.stop(),
    );
  const floods = (deps: Pick<FloodDeps, "ports" | "env" | "killIngest">): Floods =>
    startFloods({
      ...deps,
      children,
      lives,
      random: randomFrom(seed * 71 + 6),
      users: users.slice(USERS, USERS + FLOODED),
      losses: model.losses,
      say,
    });
  return { scope, directory, children, lives, env, load, pool, writes, users, send, queue, floods };
}

/**
 * One fault after another, most of them once an event was acknowledged since the last one: a machine that is slow would
 * play a fleet that never comes up.
 */
async function suffer(sender: Sender, draw: () => readonly [name: string, act: () => Promise<unknown>]): Promise<void> {
  await until("an event is acknowledged", () => sender.all.some(({ acked }) => acked !== undefined), 300_000);
  const endsAt = Date.now() + forMs;
  for (let lastAt = 0; Date.now() < endsAt; lastAt = Date.now()) {
    const mayBeEarly = random.chance(0.15);
    const isDue = (): boolean => {
      if (mayBeEarly || Date.now() > Math.min(endsAt, lastAt + LONGEST_WAIT_MS)) return true;
      return sender.all.some(({ acked }) => (acked?.begunAt ?? 0) > lastAt);
    };
    while (!isDue()) await sleep(100);
    await sleep(500 + random.next() * 4_000);
    const [name, act] = draw();
    await act();
    tally.add(name);
  }
  sender.enough();
  say(`${new Date().toISOString()} Faults have ended: ${JSON.stringify(tally.counts)}`);
}

async function onRedis({
  scope,
  directory,
  children,
  lives,
  load,
  env: ofAll,
  send,
  queue,
  floods: startOwn,
}: Stage): Promise<Played> {
  const appendfsync = values.topology === "aof-always" ? "always" : "everysec";
  const redis = scope.defer(await startLoneRedis(directory, appendfsync, random.next), (started) => started.close());
  const url = redis.proxiedUrl;
  const env = { ...ofAll, REDIS_URL: url, POOLSYNC_POOLS: POOL };
  const ingests = await startIngests(2, { children, lives, directory, env, moreFeeds: floodAndQueue(queue.url) });
  const worker = startRole(children, lives, () => ({ name: "worker-0", file: "workers/deliver.ts", args: [], env }));
  const ports = (): readonly number[] => ingests.map(({ port }) => port);
  const sender = send(ports);
  const jobs = startJobs({
    children,
    lives,
    model,
    load,
    perSecond: RATES.jobs,
    settings: { url, namespace: NAMESPACE },
  });
  const anyIngest = (): Role => ingests[random.below(ingests.length)]?.role ?? worker;
  const killIngest = (): Promise<void> => anyIngest().kill(random.next() * 1_500);
  const floods = startOwn({ ports, env: ingests[0]?.env ?? env, killIngest });
  const forSome = (mostMs: number): Promise<void> => sleep(random.next() * mostMs);
  await suffer(sender, () => {
    const drawn = random.next();
    if (drawn < 0.45) return ["kill ingest", killIngest];
    if (drawn < 0.5) return ["refuse the queue", () => queue.refuse(random.next() * 4_000)];
    if (drawn < 0.55) return ["kill the producer of jobs", () => jobs.role.kill(random.next() * 1_000)];
    if (drawn < 0.65) return ["suspend ingest", () => suspended(anyIngest().child, 12_000)];
    if (drawn < 0.7) return ["kill worker", () => worker.kill(random.next() * 1_500)];
    if (drawn < 0.8) return ["cut redis", async () => redis.links.redis[0]?.cut(random.pick([0.3, 1]))];
    if (drawn < 0.87) {
      const suspend = async (): Promise<void> => {
        redis.suspend();
        await forSome(6_000);
        redis.goOn();
      };
      return ["suspend redis", suspend];
    }
    const losesMs = random.chance(0.6) ? random.next() * 1_000 : 0;
    const kill = async (): Promise<void> => {
      const loss = await redis.kill(losesMs);
      if (loss) model.lost(loss);
      await forSome(2_500);
      await redis.startAgain();
    };
    return [losesMs > 0 && appendfsync === "everysec" ? "redis power cut" : "redis killed", kill];
  });
  await floods.finish();
  await sender.finish();
  await jobs.finish();
  await queue.finish();
  const engine = scope.defer(await openEngine({ redisUrl: redis.url, namespace: NAMESPACE, dataDir: "" }), (opened) =>
    opened.close(),
  );
  await until("everything is delivered", () => isDelivered(engine), DELIVERED_WITHIN_MS);
  for (const role of [...ingests.map((one) => one.role), worker, jobs.role]) await role.stop();
  return { engine, sender, floods, jobs };
}

async function embedded({
  scope,
  directory,
  children,
  lives,
  env: ofAll,
  send,
  queue,
  floods: startOwn,
}: Stage): Promise<Played> {
  const dataDir = join(directory, "data");
  putMadeDirectory(dataDir);
  const env = { ...ofAll, POOLSYNC_DATA_DIR: dataDir };
  const { port, spec } = await ingestPlace(directory, "ingest", env, floodAndQueue(queue.url));
  // Whoever gives a command while it is away has the directory, and it is started again.
  const start = (): Role => startRole(children, lives, () => spec);
  let ingest = start();
  const ports = (): readonly number[] => [port];
  const sender = send(ports);
  const killIngest = (): Promise<void> => ingest.kill(0);
  const floods = startOwn({ ports, env: spec.env, killIngest });
  await suffer(sender, () => {
    const drawn = random.next();
    if (drawn < 0.15) return ["suspend", () => suspended(ingest.child, 5_000)];
    if (drawn < 0.25) return ["refuse the queue", () => queue.refuse(random.next() * 4_000)];
    return ["kill", killIngest];
  });
  await floods.finish();
  await sender.finish();
  await queue.finish();
  for (let tries = 0; tries < 10; tries += 1) {
    await ingest.stop();
    const engine = await openEngine({ dataDir, namespace: NAMESPACE });
    if (await isDelivered(engine)) return { engine: scope.defer(engine, (opened) => opened.close()), sender, floods };
    await engine.close();
    ingest = start();
    // What is left it delivers by itself.
    await sleep(15_000);
  }
  throw new Error("Expected everything to be delivered");
}

const isDelivered = async (engine: Engine): Promise<boolean> =>
  (await eventsLeft(engine)) === 0 && (await pendingUnits(engine)) === 0;

async function suspended(child: Child | undefined, mostMs: number): Promise<void> {
  child?.suspend();
  await sleep(random.next() * mostMs);
  if (child?.alive) child.goOn();
}

/** Each value is the newest that the store must have, and where Redis lost nothing none goes back. */
function judgeNewest({ writes, attributes }: Standing): Verdict {
  const final = (username: string, name: string): { value: string | undefined; verified: boolean } => {
    const there = attributes.get(username) ?? {};
    return { value: there[name], verified: there[flagOf(name) ?? ""] === "true" };
  };
  const broken = model.broken(final, poolHistory(writes), () => false);
  const backs = model.goingsBack(writes);
  const wrong = broken.map(
    ({ username, attribute, expected, found }) => `${username} ${attribute}: ${expected}, ${found}`,
  );
  if (model.losses.length === 0) wrong.push(...backs.map(({ from, to, at }) => `from ${from} back to ${to} at ${at}`));
  const facts = {
    changes: model.changes.size,
    losses: model.losses.length,
    writes: writes.length,
    wentBack: backs.length,
  };
  return verdict(2, "every value is the newest that was acknowledged", facts, wrong);
}

const directory = await mkdtemp(join(tmpdir(), "poolsync-senders-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const verdicts = await withScope(async (scope): Promise<readonly Verdict[]> => {
  const stage = await setStage(scope, directory);
  const { engine, sender, floods, jobs } = await (values.engine === "embedded" ? embedded(stage) : onRedis(stage));
  const { pool, writes, users, lives, queue } = stage;
  const standing: Standing = {
    model,
    engine,
    writes: writes.writes.map((write, index) => ({ ...write, seq: index + 1 })),
    attributes: new Map(users.map((username) => [username, pool.user(username)?.attributes ?? {}])),
    states: new Map(),
    userKeys: new Map(),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
  };
  const sending = { events: sender.all, toGarbage: sender.toGarbage, jobs: jobs?.all ?? [] };
  const arrived = judgeArrived(standing, await lookAtInbox(engine, sending, []));
  const flooded = judgeFloods({
    floods: floods.all,
    model: floods.model,
    writes: standing.writes,
    losses: model.losses,
    runs: await floodRuns(engine),
    killed: floods.killed,
  });
  const counts = await engine.store.inbox.counts();
  const queued = judgeQueue({
    messages: queue.all,
    model,
    left: await queue.left(),
    parked: counts.parked.feeds[QUEUE_FEED] ?? 0,
    faults: queue.faults,
  });
  const exits = [...lives.exits].map(([why, times]) => `${why} ${times} times`);
  say(`Processes that ended by themselves: ${exits.join(", ") || "none"}`);
  return [arrived, judgeNewest(standing), flooded, queued, judgeSecrets(await marksIn(directory), [])];
});
for (const { invariant, title, holds, facts, broken } of verdicts) {
  say(`${holds ? "holds" : "BROKEN"}  ${invariant}. ${title}: ${JSON.stringify(facts)}`);
  for (const line of broken) say(`        ${line}`);
}
say(`What its processes logged: ${directory}`);
process.exitCode = verdicts.every(({ holds }) => holds) ? 0 : 1;
