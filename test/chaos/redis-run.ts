/** A chaos run of a fleet on Redis: workers, producers, feeds and a replayer as processes of their own. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { sendOrder } from "../../src/queues/replay-orders.ts";
import { REPLAY_QUEUE } from "../../src/queues/replay.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { randomFrom } from "../support/random.ts";
import { openChildren } from "./children.ts";
import { startFaults } from "./faults.ts";
import { startFeeds } from "./feeds.ts";
import { DRAIN_WITHIN_MS, settleDown } from "./finale.ts";
import { keysLeft, type KeysLeft } from "./keys-left.ts";
import { CLOCKS_OFF_MS, createLoad } from "./load.ts";
import { createModel } from "./model.ts";
import { TIMEOUTS, type RunSettings } from "./run-settings.ts";
import { startSingles } from "./singles.ts";
import { startRedisFleet } from "./redis-fleet.ts";
import { PROVOKED, provoke } from "./provoke.ts";
import { createTally, type ChaosReport } from "./report.ts";
import { startRole, type Lives } from "./roles.ts";
import { POOL, startService } from "./service.ts";
import { startTcpProxy } from "./tcp-proxy.ts";
import {
  auditBooks,
  judgeBooks,
  judgeClocks,
  judgeKept,
  judgeOrder,
  judgeSecrets,
  judgeValues,
  verdict,
  type Standing,
  type Verdict,
} from "./verdict.ts";
import { wakeUpsAwake, wakeUpsLeft, type WakeUpsLeft } from "./wake-ups-left.ts";
import { evidenceOf, marksIn, readStanding } from "./standing.ts";

const NAMESPACE = "chaos";
const WORKERS = 3;
const RATE = 150;
const CHECKPOINT_EVERY_MS = 20_000;
/** A source without a clock of its own runs on a machine whose clock is far off. */
const WRONG_CLOCK_MS = 600_000;

export async function runOnRedis(settings: RunSettings): Promise<ChaosReport> {
  const { plan, directory, say } = settings;
  const startedAt = Date.now();
  const seconds = (): string => ((Date.now() - startedAt) / 1000).toFixed(0);
  const random = randomFrom(plan.seed * 17 + 3);
  const tally = createTally();
  const model = createModel();
  const load = createLoad(plan.seed, settings.users);
  const children = openChildren(directory);
  const lives: Lives = { exits: new Map(), over: false };
  const closers: (() => Promise<unknown> | void)[] = [() => children.close(), exampleAws()];
  try {
    const redis = await startRedisFleet(directory, plan.topology ?? "aof-everysec");
    closers.push(() => redis.close());
    const there = load.users.filter((user) => !load.missing.has(user));
    const service = await startService(children, directory, [...there, ...PROVOKED]);
    const links = {
      redis: await startTcpProxy(redis.port, random.next),
      emulator: await startTcpProxy(service.port, random.next),
    };
    closers.push(
      () => links.redis.close(),
      () => links.emulator.close(),
    );
    const url = redis.url(links.redis.port);
    const env = {
      ...AWS_ENVIRONMENT,
      REDIS_URL: url,
      POOLSYNC_NAMESPACE: NAMESPACE,
      POOLSYNC_POOLS: POOL,
      POOLSYNC_RATE: String(RATE),
      POOLSYNC_CONCURRENCY: "8",
      POOLSYNC_CONNECT_TIMEOUT: String(TIMEOUTS.connect),
      POOLSYNC_REQUEST_TIMEOUT: String(TIMEOUTS.request),
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: `http://127.0.0.1:${links.emulator.port}`,
    };
    const engine = await openEngine({ redisUrl: redis.url(), namespace: NAMESPACE, dataDir: "" });
    closers.push(() => engine.close());

    const workers = Array.from({ length: WORKERS }, (_, index) =>
      startRole(children, lives, () => ({ name: `worker-${index}`, file: "workers/deliver.ts", args: [], env })),
    );
    const replayer = startRole(children, lives, () => ({
      name: "replayer-0",
      file: "workers/replay.ts",
      args: [],
      env,
    }));
    const singles = startSingles({
      children,
      lives,
      model,
      load,
      env,
      perSecond: settings.singlesPerSecond,
      settings: { pool: POOL, redisUrl: url, namespace: NAMESPACE, ratePerSecond: RATE },
      sources: [
        { name: "a", versionsOffMs: CLOCKS_OFF_MS[0], clockOffMs: 0 },
        { name: "b", versionsOffMs: CLOCKS_OFF_MS[1], clockOffMs: 0 },
        { name: "c", versionsOffMs: null, clockOffMs: WRONG_CLOCK_MS },
      ],
    });
    const feeds = startFeeds({ children, lives, model, load, env, directory, random, everyMs: settings.feedEveryMs });

    const checkpoints: string[] = [];
    let looks = 0;
    const orderReplay = async (): Promise<void> => void (await sendOrder(engine, { until: Date.now() }));
    const faults = startFaults({
      plan,
      tally,
      model,
      service,
      links,
      redis,
      say,
      victims: {
        worker: workers,
        replayer: [replayer],
        producer: singles.roles,
        get feed() {
          return feeds.running;
        },
      },
      orderReplay,
      twinFeed: () => feeds.startTwin(),
    });

    /** Stops everybody who writes, counts, and lets them go on. */
    async function checkpoint(): Promise<void> {
      const writers = [...children.all].filter((child) => child !== service.child);
      for (const writer of writers) writer.suspend();
      try {
        let { wrong, total } = await auditBooks(engine, service);
        for (let look = 1; look < 8 && wrong.length > 0; look += 1) {
          // What is still on its way arrives.
          await sleep(250);
          ({ wrong, total } = await auditBooks(engine, service));
        }
        looks += 1;
        const { received, applied, pending, dead } = total;
        say(`${seconds()} s: received ${received}, applied ${applied}, pending ${pending}, dead ${dead}`);
        checkpoints.push(...wrong.map((line) => `checkpoint ${looks}: ${line}`));
        if (wrong.length > 0) say(`checkpoint ${looks} BROKEN: ${wrong.join("; ")}`);
      } finally {
        for (const writer of writers) writer.goOn();
      }
    }

    while (!faults.over()) {
      await sleep(Math.min(CHECKPOINT_EVERY_MS, plan.forMs / 3));
      await faults.whileRedisIsUp(checkpoint);
    }
    await faults.ended();
    const calmAt = Date.now();
    say("Faults have ended.");
    await singles.finish();
    await feeds.finish();
    const late = load.users.filter((user) => load.missing.has(user)).filter((_, index) => index % 2 === 0);
    await service.addUsers(late);

    const drained = async (): Promise<boolean> =>
      (await engine.store.runs.books()).pending === 0 && (await ordersLeft(engine)) === 0;
    const { drainMs, stuck, moved } = await settleDown({
      engine,
      service,
      users: [...there, ...late],
      calmAt,
      replayAll: orderReplay,
      drained,
    });
    say(`Drained after ${drainMs} ms.`);
    const endpoint = `http://127.0.0.1:${links.emulator.port}`;
    const loses = plan.topology === "aof-everysec";
    const provoked = settings.provoke
      ? await provoke({ engine, endpoint, service, model, redis, loses })
      : { seen: {}, wrong: [], lateSettles: [] };
    await until("what was provoked is delivered", drained);
    await until("nobody is woken any more", async () => (await wakeUpsAwake(engine)) === 0);

    const ends = await Promise.all([...workers, replayer, ...singles.roles].map((role) => role.stop()));
    const evidence = await evidenceOf(directory, await service.writes());
    const standing: Standing = {
      ...(await readStanding(engine, model, service, [...there, ...late, ...PROVOKED], [...load.users, ...PROVOKED])),
      evidence: { ...evidence, lateSettles: [...evidence.lateSettles, ...provoked.lateSettles] },
    };
    const look = new Redis(redis.port, "127.0.0.1");
    closers.push(() => look.disconnect());
    const left = await keysLeft(look, NAMESPACE);
    const serviceErrors = await service.errors();
    const verdicts = [
      await judgeBooks(standing, checkpoints, looks),
      judgeValues(standing),
      judgeOrder(standing),
      verdict(3, "the three ways, provoked", provoked.seen, provoked.wrong),
      await judgeKept(standing, load.files, singles.unacknowledged() + feeds.unacknowledged()),
      verdict(
        5,
        "a replay changes nothing newer, a second one nothing at all",
        { letters: standing.letters.length },
        moved,
      ),
      verdict(6, `everything is delivered within ${DRAIN_WITHIN_MS / 1000} s`, { ms: drainMs }, stuck),
      judgeKeys(left, standing, await wakeUpsLeft(engine), ends),
      judgeClocks(standing, 50),
      judgeSecrets(await marksIn(directory), left.telling),
    ];
    return {
      seed: plan.seed,
      engine: plan.engine,
      ...(plan.topology === undefined ? {} : { topology: plan.topology }),
      startedAt: new Date(startedAt).toISOString(),
      faultsForMs: plan.forMs,
      tookMs: Date.now() - startedAt,
      versions: { node: process.version, redis: redis.version },
      faults: tally.counts,
      serviceErrors,
      exits: Object.fromEntries(lives.exits),
      losses: model.losses,
      drainMs,
      verdicts,
      holds: verdicts.every(({ holds }) => holds),
    };
  } finally {
    lives.over = true;
    for (const close of closers.toReversed()) await close();
  }
}

async function ordersLeft(engine: Engine): Promise<number> {
  const counts = await engine.queues.queue(REPLAY_QUEUE).getJobCounts();
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** 7: nothing leaks. A claim that died is remembered for 15 minutes, and nothing else of a mailbox is left. */
function judgeKeys(
  left: KeysLeft,
  { states, letters }: Standing,
  wakeUps: WakeUpsLeft,
  ends: readonly (number | string)[],
): Verdict {
  const { known, strange, woken, growing } = left;
  const wrong = [...strange.map((key) => `${key} is none of the keys that are known`), ...growing, ...wakeUps.wrong];
  let remembering = 0;
  // A key is deduplicated by the beginning of the user's.
  const asleep = new Set([...woken].filter((key) => ![...wakeUps.sleeping].some((user) => user.startsWith(key))));
  for (const [username, { mailbox }] of states) {
    if (!mailbox) continue;
    remembering += 1;
    if (mailbox.claim) wrong.push(`${username} is still claimed`);
    if (Object.keys(mailbox.pending).length > 0) wrong.push(`${username} has something pending`);
  }
  const count = (kind: string): number => known[kind] ?? 0;
  if (count("bull wake-up lock") > 0) wrong.push(`${count("bull wake-up lock")} locks are left`);
  if (count("bull wake-up job") !== wakeUps.jobs)
    wrong.push(`${count("bull wake-up job")} jobs of wake-ups are left, and ${wakeUps.jobs} sleep`);
  if (asleep.size > 0) wrong.push(`${asleep.size} users without a wake-up keep its key: ${[...asleep].join(", ")}`);
  if (count("bull letter job") !== letters.length)
    wrong.push(`${count("bull letter job")} letter jobs for ${letters.length} letters`);
  if (count("bull replay job") > 0) wrong.push(`${count("bull replay job")} replay orders are left`);
  const failed = ends.filter((end) => end !== 0);
  if (failed.length > 0) wrong.push(`processes that were asked to end ended with ${failed.join(", ")}`);
  return verdict(7, "no claim, key or job leaks", { remembering, ...known }, wrong);
}
