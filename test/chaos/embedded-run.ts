/**
 * A chaos run of the embedded engine. One process has the data directory at a time: an application that queues and
 * delivers, a `sync` of a file, a replay. Whichever it is, it is killed again and again, and the next goes on.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { LETTER_KINDS } from "../../src/core/failure.ts";
import { createLog } from "../../src/log.ts";
import { deadLetterQueue, republishLetters } from "../../src/queues/dead-letters.ts";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { openPool } from "../../src/queues/pool.ts";
import { carryOut } from "../../src/queues/replay.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { randomFrom } from "../support/random.ts";
import { until } from "../support/condition.ts";
import { wakeUpsAwake, wakeUpsLeft } from "./wake-ups-left.ts";
import { openChildren, type Child } from "./children.ts";
import { startFaults } from "./faults.ts";
import { DRAIN_WITHIN_MS, settleDown } from "./finale.ts";
import { CLOCKS_OFF_MS, createLoad, type FeedFile } from "./load.ts";
import { createModel } from "./model.ts";
import type { RunSettings } from "./run-settings.ts";
import { createTally, type ChaosReport } from "./report.ts";
import { POOL, startService } from "./service.ts";
import { MOST_UNDER_WAY } from "./singles.ts";
import { evidenceOf, marksIn, readStanding } from "./standing.ts";
import { startTcpProxy } from "./tcp-proxy.ts";
import { createTeller } from "./teller.ts";
import { PLAIN, TIMEOUTS } from "./run-settings.ts";
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
} from "./verdict.ts";

const NAMESPACE = "chaos";
const RATE = 150;
const ROWS = 120;
/** Several pages: a run may be cut between them. */
const MANY_ROWS = 1_300;
const MANY_SHARE = 0.2;
const TICK_MS = 100;
const TURN_MS = 8_000;
const LOOK_EVERY_TURNS = 4;
type Source = readonly [name: string, versionsOffMs: number | null];
const SOURCES: readonly [Source, Source, Source] = [
  ["a", CLOCKS_OFF_MS[0]],
  ["b", CLOCKS_OFF_MS[1]],
  ["c", null],
];

export async function runEmbedded(settings: RunSettings): Promise<ChaosReport> {
  const { plan, directory, say } = settings;
  const startedAt = Date.now();
  const random = randomFrom(plan.seed * 17 + 3);
  const tally = createTally();
  const model = createModel();
  const load = createLoad(plan.seed, settings.users);
  const children = openChildren(directory);
  const exits = new Map<string, number>();
  const closers: (() => Promise<unknown> | void)[] = [() => children.close()];
  const restoreAws = exampleAws();
  closers.push(restoreAws);
  try {
    const there = load.users.filter((user) => !load.missing.has(user));
    const service = await startService(children, directory, there);
    const proxy = await startTcpProxy(service.port, random.next);
    closers.push(() => proxy.close());
    const dataDir = join(directory, "data");
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    const env = {
      ...AWS_ENVIRONMENT,
      POOLSYNC_DATA_DIR: dataDir,
      POOLSYNC_RATE: String(RATE),
      POOLSYNC_CONNECT_TIMEOUT: String(TIMEOUTS.connect),
      POOLSYNC_REQUEST_TIMEOUT: String(TIMEOUTS.request),
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: endpoint,
    };
    const teller = createTeller(model);
    let current: Child | undefined;
    let backInMs = 0;
    let replayOrdered = false;
    const faults = startFaults({
      plan,
      tally,
      model,
      service,
      links: { emulator: proxy },
      victims: {
        get worker() {
          const kill = async (inMs: number): Promise<void> => {
            backInMs = inMs;
            await current?.kill();
          };
          return [{ child: current, kill }];
        },
      },
      orderReplay: async () => {
        replayOrdered = true;
      },
      twinFeed: () => false,
      say,
    });

    async function ended(child: Child): Promise<number | string> {
      current = child;
      const end = await child.ended;
      current = undefined;
      if (end !== 0 && end !== 2 && backInMs === 0) {
        const why = `${child.name.replace(/-\d+$/, "")} ended with ${end}`;
        exits.set(why, (exits.get(why) ?? 0) + 1);
      }
      await sleep(backInMs);
      backInMs = 0;
      return end;
    }

    /** An application has the directory for a while, or until all that it was told is acknowledged. */
    async function application(tells: boolean): Promise<void> {
      const own = JSON.stringify({ pool: POOL, dataDir, namespace: NAMESPACE, ratePerSecond: RATE, clockOffMs: 0 });
      const onLine = (line: string): void => teller.heard(current, line);
      const life = children.start({
        name: "application",
        file: "test/chaos/producer.ts",
        args: [own],
        env,
        stdin: true,
        onLine,
      });
      teller.tellAgain(life);
      const endsAt = Date.now() + TURN_MS;
      const timer = setInterval(() => {
        for (let count = 0; tells && count < (settings.singlesPerSecond * TICK_MS) / 1000; count += 1) {
          const [name, offMs] = random.pick(SOURCES);
          if (teller.underWay < MOST_UNDER_WAY) teller.tell(life, load.single(name, offMs, Date.now()));
        }
        if (Date.now() > endsAt || (!tells && teller.underWay === 0)) life.finish();
      }, TICK_MS);
      await ended(life);
      clearInterval(timer);
    }

    let unfinished: { readonly feed: FeedFile; readonly args: readonly string[] } | undefined;
    /** The same command until it has come to its end; then another file. */
    async function feed(): Promise<void> {
      if (!unfinished) {
        const file = load.feed(Date.now(), random.chance(MANY_SHARE) ? MANY_ROWS : ROWS);
        const path = join(directory, file.name);
        await writeFile(path, file.csv);
        unfinished = {
          feed: file,
          args: ["sync", path, "--user-pool-id", POOL, "--as-of", file.asOf, "--json", ...PLAIN],
        };
      }
      const { feed: file, args } = unfinished;
      for (const change of file.changes) model.sent(change, Date.now());
      const end = await ended(children.start({ name: "sync", file: "src/cli/main.ts", args, env }));
      if (end !== 0 && end !== 2) return;
      for (const { id } of file.changes) model.acked(id, Date.now());
      unfinished = undefined;
    }

    const open = (): Promise<Engine> => openEngine({ dataDir, namespace: NAMESPACE });
    const checkpoints: string[] = [];
    let looks = 0;
    async function checkpoint(): Promise<void> {
      const engine = await open();
      try {
        const { wrong, total } = await auditBooks(engine, service);
        looks += 1;
        checkpoints.push(...wrong.map((line) => `checkpoint ${looks}: ${line}`));
        const { received, applied, pending, dead } = total;
        say(
          `${Math.round((Date.now() - startedAt) / 1000)} s: received ${received}, applied ${applied}, pending ${pending}, dead ${dead}`,
        );
      } finally {
        await engine.close();
      }
    }

    for (let turn = 1; !faults.over(); turn += 1) {
      if (replayOrdered) {
        replayOrdered = false;
        await ended(
          children.start({ name: "replay", file: "src/cli/main.ts", args: ["dead", "replay", "--json"], env }),
        );
      } else if (turn % 2 === 0) await application(true);
      else await feed();
      if (turn % LOOK_EVERY_TURNS === 0) await checkpoint();
    }
    await faults.ended();
    const calmAt = Date.now();
    say("Faults have ended.");
    for (let tries = 0; tries < 5 && unfinished; tries += 1) await feed();
    for (let tries = 0; tries < 5 && teller.underWay > 0; tries += 1) await application(false);
    const late = load.users.filter((user) => load.missing.has(user)).filter((_, index) => index % 2 === 0);
    await service.addUsers(late);
    const users = [...there, ...late];

    const engine = await open();
    closers.push(() => engine.close());
    const cognito = createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 8 });
    closers.push(() => cognito.close());
    const log = createLog("silent");
    const pool = await openPool({ engine, cognito, pool: POOL, ratePerSecond: RATE, concurrency: 8, log });
    closers.push(() => pool.close());
    await republishLetters(engine.queues, engine.store.letters, POOL);
    const delivery = await pool.deliver();
    const { drainMs, stuck, moved } = await settleDown({
      engine,
      service,
      users,
      calmAt,
      replayAll: async () => void (await carryOut(engine, { until: Date.now() })),
      drained: async () => (await engine.store.runs.books()).pending === 0,
    });
    await until("nobody is woken any more", async () => (await wakeUpsAwake(engine)) === 0);
    await delivery.stop(5_000);
    say(`Drained after ${drainMs} ms.`);

    const standing: Standing = {
      ...(await readStanding(engine, model, service, users, load.users)),
      evidence: await evidenceOf(directory, await service.writes()),
    };
    const unacknowledged = teller.underWay + (unfinished ? 1 : 0);
    const verdicts = [
      await judgeBooks(standing, checkpoints, looks),
      judgeValues(standing),
      judgeOrder(standing),
      await judgeKept(standing, load.files, unacknowledged),
      verdict(
        5,
        "a replay changes nothing newer, a second one nothing at all",
        { letters: standing.letters.length },
        moved,
      ),
      verdict(6, `everything is delivered within ${DRAIN_WITHIN_MS / 1000} s`, { ms: drainMs }, stuck),
      await judgeLeft(engine, standing),
      judgeClocks(standing, 50),
      judgeSecrets(await marksIn(directory), []),
    ];
    return {
      seed: plan.seed,
      engine: plan.engine,
      startedAt: new Date(startedAt).toISOString(),
      faultsForMs: plan.forMs,
      tookMs: Date.now() - startedAt,
      versions: { node: process.version },
      faults: tally.counts,
      serviceErrors: await service.errors(),
      exits: Object.fromEntries(exits),
      losses: model.losses,
      drainMs,
      verdicts,
      holds: verdicts.every(({ holds }) => holds),
    };
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

/** 7: nothing leaks. A claim that died is remembered for 15 minutes, and nothing else of a mailbox is left. */
async function judgeLeft(engine: Engine, { states, letters }: Standing) {
  const wrong: string[] = [];
  let remembering = 0;
  for (const [username, { mailbox }] of states) {
    if (!mailbox) continue;
    remembering += 1;
    if (mailbox.claim) wrong.push(`${username} is still claimed`);
    if (Object.keys(mailbox.pending).length > 0) wrong.push(`${username} has something pending`);
  }
  const wakeUps = await wakeUpsLeft(engine);
  wrong.push(...wakeUps.wrong);
  let letterJobs = 0;
  for (const kind of LETTER_KINDS) letterJobs += await engine.queues.queue(deadLetterQueue(kind)).count();
  if (letterJobs !== letters.length) wrong.push(`${letterJobs} letter jobs for ${letters.length} letters`);
  return verdict(7, "no claim, key or job leaks", { remembering, wakeUps: wakeUps.jobs, letterJobs }, wrong);
}
