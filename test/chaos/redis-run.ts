/** A chaos run of a fleet on Redis: workers, producers, feeds and a replayer as processes of their own. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { republishLetters } from "../../src/queues/dead-letters.ts";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { REPLAY_QUEUE, sendOrder } from "../../src/queues/replay-orders.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { until } from "../support/condition.ts";
import { randomFrom } from "../support/random.ts";
import { eventsLeft, jobsIn, judgeArrived, lookAtInbox } from "./arrived.ts";
import { askAgain } from "./asked-again.ts";
import { ASKED } from "./asks.ts";
import { createBreaking } from "./breaking.ts";
import { judgeBroken } from "./broken.ts";
import { lookAtBroken } from "./broken-left.ts";
import { startCommands } from "./commands.ts";
import { startFaults } from "./faults.ts";
import { startFeeds } from "./feeds.ts";
import { pendingUnits, settleDown } from "./finale.ts";
import { gateCommand, startGateActs } from "./gate-acts.ts";
import { startIngests } from "./ingests.ts";
import { startJobs } from "./jobs.ts";
import { keysLeft } from "./keys-left.ts";
import { judgeKeys } from "./leaks.ts";
import { CLOCKS_OFF_MS, type Single } from "./load.ts";
import { openLiveEngine } from "./live-engine.ts";
import type { RunSettings } from "./run-settings.ts";
import { beginAsFormat1, createOldCalls, judgeOldProcess } from "./old-calls.ts";
import { startSingles } from "./singles.ts";
import { startRedisFleet } from "./redis-fleet.ts";
import { redisVersion } from "./redis-processes.ts";
import { redisDocuments } from "./raw-documents.ts";
import { inKeysOfNow, judgeReplaced, type ToldLine } from "./replaced.ts";
import type { Undo } from "./plan.ts";
import { createReplacements, type Replacements } from "./replacements.ts";
import { PROVOKED, provoke } from "./provoke.ts";
import type { ChaosReport } from "./report.ts";
import { startRole, type Lives } from "./roles.ts";
import { startSender } from "./sender.ts";
import { POOL } from "./service.ts";
import { NAMESPACE, onStage, orNamed, RATE, type Played, type Stage } from "./stage.ts";
import { evidenceOf, readStanding, toldOfStores } from "./standing.ts";
import { auditBooks } from "./verdict.ts";
import { sleepers, wakeUpsAwake, wakeUpsLeft } from "./wake-ups-left.ts";

const WORKERS = { long: 3, short: 2 } as const;
const INGESTS = 2;
/** For each event. */
const JOBS_SHARE = 0.4;
const CHECKPOINT_EVERY_MS = 20_000;
/** A source without a clock of its own runs on a machine whose clock is far off. */
const WRONG_CLOCK_MS = 600_000;

export function runOnRedis(settings: RunSettings): Promise<ChaosReport> {
  return onStage(settings, PROVOKED, (stage) => play(settings, stage));
}

async function play(settings: RunSettings, stage: Stage): Promise<Played> {
  const { plan, directory, say } = settings;
  const {
    scope,
    random,
    tally,
    model,
    load,
    named,
    eventLoad,
    asks,
    others,
    children,
    service,
    emulatorLink,
    endpoint,
  } = stage;
  const lives: Lives = { exits: new Map(), over: false };
  try {
    const redis = await startRedisFleet(scope, directory, plan.topology ?? "aof-everysec", {
      random: random.next,
      lost: (loss) => model.lost(loss),
      changed: () => tally.add("the master changed"),
    });
    const url = redis.proxiedUrl;
    const env = {
      ...stage.env,
      REDIS_URL: url,
      POOLSYNC_NAMESPACE: NAMESPACE,
      POOLSYNC_POOLS: POOL,
      POOLSYNC_CONCURRENCY: "8",
    };
    const isReplaced = plan.topology === "replaced";
    if (!isReplaced) {
      const first = new Redis(await redis.masterPort(), "127.0.0.1");
      await beginAsFormat1(first, NAMESPACE, POOL, new URL(endpoint).host).finally(() => first.disconnect());
    }
    const engine = scope.defer(
      await openLiveEngine(() => openEngine({ redisUrl: redis.url, namespace: NAMESPACE, dataDir: "" })),
      (opened) => opened.close(),
    );

    const workers = Array.from({ length: WORKERS[settings.isShort ? "short" : "long"] }, (_, index) =>
      startRole(children, lives, () => ({ name: `worker-${index}`, file: "workers/deliver.ts", args: [], env })),
    );
    const replayer = startRole(children, lives, () => ({
      name: "replayer-0",
      file: "workers/replay.ts",
      args: [],
      env,
    }));
    // What they queue at their full rate is in the way of who is asked for again once the faults have ended.
    let areQuiet = false;
    const queueing = (name: string, clockOffMs: number, next: () => Single) => {
      const single = orNamed(stage, false, next);
      return { name, clockOffMs, next: () => (areQuiet ? undefined : single()) };
    };
    const singles = startSingles({
      children,
      lives,
      model,
      asks,
      env,
      perSecond: settings.singlesPerSecond,
      settings: { pool: POOL, redisUrl: url, namespace: NAMESPACE, ratePerSecond: RATE },
      sources: [
        queueing("a", 0, () => load.single("a", CLOCKS_OFF_MS[0], Date.now())),
        ...(settings.isShort ? [] : [queueing("b", 0, () => load.single("b", CLOCKS_OFF_MS[1], Date.now()))]),
        queueing("c", WRONG_CLOCK_MS, () => load.single("c", null, Date.now())),
        { name: "q", clockOffMs: 0, next: orNamed(stage, true, () => asks.next("update()")) },
      ],
    });
    const ingests = await startIngests(settings.isShort ? 1 : INGESTS, { children, lives, directory, env });
    const sender = scope.defer(
      startSender({
        model,
        load: eventLoad,
        random: randomFrom(plan.seed * 59 + 1),
        perSecond: settings.eventsPerSecond,
        ports: () => ingests.map(({ port }) => port),
      }),
      (started) => started.stop(),
    );
    const jobs = startJobs({
      children,
      lives,
      model,
      load: eventLoad,
      perSecond: settings.eventsPerSecond * JOBS_SHARE,
      settings: { url, namespace: NAMESPACE },
    });
    const gateActs = scope.defer(
      startGateActs({ plan, tally, engine, command: gateCommand(children, env) }),
      (started) => started.stop(),
    );
    const toldByCommands: ToldLine[] = [];
    const feeds = startFeeds({
      children,
      lives,
      model,
      load,
      named,
      env,
      directory,
      random,
      everyMs: settings.feedEveryMs,
      isCancelled: (feed) => gateActs.isCancelled(feed),
      onLine(name, line) {
        if (line.includes('"kind": "store-replaced"'))
          toldByCommands.push({ name, at: Date.now(), is: "store-replaced" });
      },
    });

    const commands = startCommands({ children, lives, model, asks, env });

    const people = load.users.map((username) => engine.keyring.userKey(POOL, username));
    const oldCalls = createOldCalls();
    /** It was suspended through the upgrade, and goes on in the middle of the run. */
    const old = isReplaced
      ? undefined
      : startRole(children, lives, () => ({
          name: "old",
          file: "test/chaos/old-process.ts",
          args: [JSON.stringify({ url, namespace: NAMESPACE, pool: POOL, users: people, afterMs: plan.forMs / 4 })],
          env: {},
          onLine: (line) => oldCalls.heard(line),
        }));
    const replacements =
      isReplaced && redis.kind === "lone"
        ? createReplacements({
            redis,
            engine,
            children,
            model,
            replaced() {
              load.sayAgain();
              feeds.giveAgain();
            },
          })
        : undefined;
    const documents = redisDocuments(NAMESPACE, () => redis.masterPort());
    const breaking = createBreaking({
      model,
      random: randomFrom(plan.seed * 43 + 8),
      people: [...load.users, ...ASKED],
    });
    const checkpoints: string[] = [];
    let looks = 0;
    /** Who is refused orders it again, as somebody at a terminal would. */
    const orderReplay = (): Promise<void> =>
      until("a replay is ordered", async () => {
        try {
          await sendOrder(engine, { until: Date.now() });
          return true;
        } catch (error) {
          if (error instanceof StoreError && (error.kind === "full" || error.kind === "no-replicas")) return false;
          throw error;
        }
      });
    const faults = scope.defer(
      startFaults({
        plan,
        tally,
        model,
        service,
        links: { ...redis.links, emulator: [emulatorLink] },
        redis,
        say,
        victims: {
          worker: workers,
          replayer: [replayer],
          producer: [...singles.roles, jobs.role],
          ingest: ingests.map(({ role }) => role),
          get feed() {
            return feeds.running;
          },
        },
        orderReplay,
        ...(replacements && { empty: emptied(engine, replacements) }),
        twinFeed: () => feeds.startTwin(),
      }),
      (started) => started.stop(),
    );

    /** Stops everybody who writes, counts, and lets them go on. */
    async function checkpoint(): Promise<void> {
      const writers = [...children.all].filter((child) => child !== service.child);
      for (const writer of writers) writer.suspend();
      try {
        const { lost, miscounted } = await engine.store.inbox.verify();
        if (lost + miscounted > 0) checkpoints.push(`the inbox lost ${lost} places, and miscounted ${miscounted}`);
        let { wrong, total } = await auditBooks(engine, service, breaking.all);
        for (let look = 1; look < 8 && wrong.length > 0; look += 1) {
          // What is still on its way arrives.
          await sleep(250);
          ({ wrong, total } = await auditBooks(engine, service, breaking.all));
        }
        looks += 1;
        const { received, applied, pending, dead } = total;
        stage.note(`received ${received}, applied ${applied}, pending ${pending}, dead ${dead}`);
        checkpoints.push(...wrong.map((line) => `checkpoint ${looks}: ${line}`));
        if (wrong.length > 0) say(`checkpoint ${looks} BROKEN: ${wrong.join("; ")}`);
        await breaking.some(documents, engine);
      } finally {
        for (const writer of writers) writer.goOn();
      }
    }

    while (!faults.over()) {
      await sleep(Math.min(CHECKPOINT_EVERY_MS, plan.forMs / 3));
      await faults.whileRedisIsUp(() => gateActs.whileQuiet(checkpoint));
    }
    await faults.ended();
    await gateActs.ended();
    if (old) {
      const hasMetKeys = (): boolean => Object.keys(oldCalls.refused).length > 0 || oldCalls.wrong.length > 0;
      await until("the older process has met its keys", hasMetKeys, 120_000);
      await old.stop();
    }
    const calmAt = Date.now();
    say("Faults have ended.");
    await checkpoint();
    await others.ended();
    await stage.handovers.ended();
    await feeds.finish();
    sender.enough();
    areQuiet = true;
    await askAgain({
      asks,
      others,
      load,
      answerAll: () =>
        until(
          () =>
            `every single request is answered; left are ${asks.latest
              .filter(({ answered }) => !answered)
              .map(({ id, by, username }) => `${id} by ${by} of ${username}`)
              .join(", ")}`,
          () => asks.underWay === 0,
          120_000,
        ),
      putFile: (feed) => feeds.last(feed),
    });
    await singles.finish();
    await commands.finish();
    await sender.finish();
    await jobs.finish();
    await checkpoint();
    const users = await stage.addLate();
    const drained = async (): Promise<boolean> =>
      (await eventsLeft(engine)) === 0 && (await pendingUnits(engine)) === 0 && (await ordersLeft(engine)) === 0;
    const finale = await settleDown({
      engine,
      service,
      users,
      calmAt,
      replayAll: orderReplay,
      lastWord: () => others.lastWord(),
      drained,
    });
    say(`Drained after ${finale.drain.ms} ms.`);
    const forgetful = redis.kind === "lone" && plan.topology === "aof-everysec" ? redis : undefined;
    const provoked = settings.provoke
      ? await provoke({ engine, endpoint, service, model, forgetful })
      : { seen: {}, wrong: [], lateSettles: [] };
    await until("what was provoked is delivered", drained);
    await until("nobody is woken any more", async () => (await wakeUpsAwake(engine)) === 0);
    const slept = await sleepers(engine);

    const takers = [jobs.role, ...ingests.map(({ role }) => role)];
    const ends = await Promise.all([...workers, replayer, ...singles.roles, ...takers].map((role) => role.stop()));
    const told = await evidenceOf(directory, await service.writes(), children.ends);
    const ever = [...load.users, ...ASKED, ...PROVOKED, ...(await stage.namedEver())];
    const read = await readStanding(engine, model, service, [...users, ...PROVOKED], ever);
    const evidence = inKeysOfNow(told, replacements?.all ?? [], read.userKeys);
    const standing = {
      ...read,
      asks: asks.all,
      gates: gateActs.records,
      broken: breaking.all,
      evidence: { ...evidence, lateSettles: [...evidence.lateSettles, ...provoked.lateSettles] },
    };
    const emptiedAt = replacements?.all.at(-1)?.emptiedAt ?? 0;
    const broken = judgeBroken(model, await lookAtBroken(engine, documents, breaking.all, emptiedAt));
    // The job of a letter that broke goes when a worker starts.
    if (breaking.all.some(({ kind }) => kind === "letter"))
      await republishLetters(engine.queues, engine.store.letters, POOL);
    const look = scope.defer(new Redis(await redis.masterPort(), "127.0.0.1"), (client) => client.disconnect());
    const left = await keysLeft(look, NAMESPACE);
    const sending = { events: sender.all, toGarbage: sender.toGarbage, jobs: jobs.all };
    const arrived = await lookAtInbox(engine, sending, breaking.all);
    return {
      standing,
      checkpoints,
      looks,
      unacknowledged:
        singles.unacknowledged() + feeds.unacknowledged() + commands.unacknowledged() + sender.underWay + jobs.underWay,
      refused: singles.refused(),
      finale,
      leaks: judgeKeys(left, standing, await wakeUpsLeft(engine, slept), ends),
      telling: left.telling,
      runsBefore: (replacements?.all ?? []).flatMap(({ runs }) => runs),
      further: [
        broken,
        judgeArrived(standing, arrived),
        replacements
          ? await judgeReplaced(standing, {
              replacements: replacements.all,
              told: [...(await toldOfStores(directory)), ...toldByCommands],
              evidence: told,
              usernames: ever,
              saidAgain: { changes: load.saidAgain, files: feeds.givenAgain },
            })
          : judgeOldProcess(
              oldCalls,
              (await look.hget(`{poolsync:${NAMESPACE}}:memory`, "format")) ?? "none",
              left.old,
            ),
      ],
      exits: lives.exits,
      ...(settings.provoke ? { provoked } : {}),
      redisVersion: redisVersion(),
    };
  } finally {
    // What is closed now is not to be started again.
    lives.over = true;
  }
}

/** A store that no worker has opened yet shows nothing when it is emptied. */
function emptied(engine: Engine, replacements: Replacements): () => Promise<Undo> {
  return async () => {
    const isDelivered = async (): Promise<boolean> => (await engine.store.runs.books()).applied > 0;
    await until("a worker has delivered something", isDelivered, 300_000);
    return replacements.empty();
  };
}

const ordersLeft = (engine: Engine): Promise<number> => jobsIn(engine, REPLAY_QUEUE);
