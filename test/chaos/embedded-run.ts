/**
 * A chaos run of the embedded engine. One process has the data directory at a time: an application that queues and
 * delivers, a `sync` of a file, a replay. Whichever it is, it is killed again and again, and the next goes on.
 */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import { readConfig } from "../../src/config/config.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { LETTER_KINDS } from "../../src/core/failure.ts";
import { createLog } from "../../src/log.ts";
import { deadLetterQueue, republishLetters } from "../../src/queues/dead-letters.ts";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { openPool } from "../../src/delivery/pool.ts";
import { executeReplay } from "../../src/delivery/replay.ts";
import { until } from "../support/condition.ts";
import { randomFrom } from "../support/random.ts";
import { eventsLeft, judgeArrived, lookAtInbox } from "./arrived.ts";
import { askAgain } from "./asked-again.ts";
import { ASKED } from "./asks.ts";
import { createBreaking } from "./breaking.ts";
import { judgeBroken } from "./broken.ts";
import { lookAtBroken } from "./broken-left.ts";
import type { Child } from "./children.ts";
import { createCommand } from "./commands.ts";
import { createEmbeddedGates } from "./embedded-gates.ts";
import { startFaults } from "./faults.ts";
import { ackFile, nextFile, written, type SyncedFile } from "./feeds.ts";
import { pendingUnits, settleDown } from "./finale.ts";
import { ingestPlace } from "./ingests.ts";
import { judgeRowsLeft } from "./leaks.ts";
import { CLOCKS_OFF_MS, type Single } from "./load.ts";
import { embeddedDocuments } from "./raw-documents.ts";
import type { ChaosReport } from "./report.ts";
import type { RunSettings } from "./run-settings.ts";
import { startSender } from "./sender.ts";
import { POOL } from "./service.ts";
import { MOST_UNDER_WAY } from "./singles.ts";
import { NAMESPACE, onStage, orNamed, RATE, type Played, type Stage } from "./stage.ts";
import { evidenceOf, readStanding } from "./standing.ts";
import { createTeller } from "./teller.ts";
import { auditBooks } from "./verdict.ts";
import { sleepers, wakeUpsAwake, wakeUpsLeft } from "./wake-ups-left.ts";

const TICK_MS = 100;
const BEGUN = '"msg":"run started"';
const TAKES = '"msg":"events are taken"';
const TURN_MS = 8_000;
const LOOK_EVERY_TURNS = 2;
/** One puts a file, one takes events, one has an application. */
const TURNS = 3;

export function runEmbedded(settings: RunSettings): Promise<ChaosReport> {
  return onStage(settings, [], (stage) => play(settings, stage));
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
  const exits = new Map<string, number>();
  const dataDir = join(directory, "data");
  const env = { ...stage.env, POOLSYNC_DATA_DIR: dataDir };
  const teller = createTeller(model, asks);
  const command = createCommand({ children, model, asks, env });
  const sources = [
    orNamed(stage, false, () => load.single("a", CLOCKS_OFF_MS[0], Date.now())),
    orNamed(stage, false, () => load.single("b", CLOCKS_OFF_MS[1], Date.now())),
    orNamed(stage, false, () => load.single("c", null, Date.now())),
    orNamed(stage, true, () => asks.next("update()")),
  ] as const;
  const nothing = (): undefined => undefined;
  let current: Child | undefined;
  /** Set where this life was killed. */
  let backInMs: number | undefined;
  let replayOrdered = false;
  const faults = scope.defer(
    startFaults({
      plan,
      tally,
      model,
      service,
      links: { emulator: [emulatorLink] },
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
    }),
    (started) => started.stop(),
  );

  async function ended(child: Child): Promise<number | string> {
    current = child;
    const end = await child.ended;
    current = undefined;
    if (end !== 0 && end !== 2 && backInMs === undefined) {
      const why = `${child.name.replace(/-\d+$/, "")} ended with ${end}`;
      exits.set(why, (exits.get(why) ?? 0) + 1);
    }
    await sleep(backInMs ?? 0);
    backInMs = undefined;
    return end;
  }

  /** An application has the directory for a while, or until all that it was told is acknowledged and nothing is next. */
  async function application(next: () => Single | undefined): Promise<void> {
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
      let told = 0;
      for (let count = 0; count < (settings.singlesPerSecond * TICK_MS) / 1000; count += 1) {
        const single = teller.underWay < MOST_UNDER_WAY ? next() : undefined;
        if (!single) continue;
        teller.tell(life, single);
        told += 1;
      }
      if (Date.now() > endsAt || (told === 0 && teller.underWay === 0)) life.finish();
    }, TICK_MS);
    try {
      await ended(life);
    } finally {
      clearInterval(timer);
    }
  }

  const openStore = (): Promise<Engine> => openEngine({ dataDir, namespace: NAMESPACE });
  const gates = createEmbeddedGates({
    plan,
    tally,
    openStore,
    command: async (words, killedAfterMs) => {
      const child = children.start({ name: "gate", file: "src/cli/main.ts", args: [...words, "--json"], env });
      const kill = killedAfterMs === undefined ? undefined : setTimeout(() => void child.kill(), killedAfterMs);
      const end = await ended(child);
      clearTimeout(kill);
      return end;
    },
  });

  const { port, spec } = await ingestPlace(directory, "ingest", env);
  let takes = false;
  const sender = scope.defer(
    startSender({
      model,
      load: eventLoad,
      random: randomFrom(plan.seed * 59 + 1),
      perSecond: settings.eventsPerSecond * 2,
      ports: () => (takes ? [port] : []),
    }),
    (started) => started.stop(),
  );

  /** A process takes events, and delivers, for a while, or until it has answered each. */
  async function ingest(isDone: () => boolean = () => false): Promise<void> {
    const child = children.start(spec);
    const whole = (async () => {
      await onceLogged(child, directory, TAKES);
      takes = true;
      const endsAt = Date.now() + TURN_MS;
      while (child.alive && Date.now() < endsAt && !isDone()) await sleep(TICK_MS);
      takes = false;
      if (child.alive) child.signal("SIGTERM");
    })();
    await ended(child);
    await whole;
  }

  let unfinished: SyncedFile | undefined;
  /** The same command until it has come to its end; then another file. */
  async function feed(): Promise<void> {
    unfinished ??= await nextFile({ load, named, random }, directory);
    const { feed: file, report, args } = unfinished;
    for (const change of file.changes) model.sent(change, Date.now());
    const child = children.start({ name: "sync", file: "src/cli/main.ts", args, env });
    // What is paused nobody lets go on while this process has the directory: somebody at a terminal interrupts it.
    const interrupt = gates.isPaused ? setTimeout(() => child.signal("SIGTERM"), TURN_MS) : undefined;
    const afterMs = gates.cancelsNextAfterMs;
    const wrong = afterMs === undefined ? undefined : interruptedOnceBegun(child, directory, afterMs);
    const end = await ended(child);
    clearTimeout(interrupt);
    await wrong;
    if (end !== 0 && end !== 2) return;
    await ackFile(model, { feed: file, report });
    unfinished = undefined;
  }

  const breaking = createBreaking({ model, random: randomFrom(plan.seed * 43 + 8), people: [...load.users, ...ASKED] });
  const checkpoints: string[] = [];
  let looks = 0;
  async function checkpoint(): Promise<void> {
    const engine = await openStore();
    try {
      const { lost, miscounted } = await engine.store.inbox.verify();
      if (lost + miscounted > 0) checkpoints.push(`the inbox lost ${lost} places, and miscounted ${miscounted}`);
      const { wrong, total } = await auditBooks(engine, service, breaking.all);
      looks += 1;
      checkpoints.push(...wrong.map((line) => `checkpoint ${looks}: ${line}`));
      const { received, applied, pending, dead } = total;
      stage.note(`received ${received}, applied ${applied}, pending ${pending}, dead ${dead}`);
      await breaking.some(embeddedDocuments(engine.store), engine);
    } finally {
      await engine.close();
    }
  }

  for (let turn = 1; !faults.over(); turn += 1) {
    if (replayOrdered) {
      replayOrdered = false;
      await ended(children.start({ name: "replay", file: "src/cli/main.ts", args: ["dead", "replay", "--json"], env }));
    } else if (turn % TURNS === 2) await ingest();
    else if (turn % TURNS === 0) {
      await application(() => random.pick(sources)());
      await command.give(ended);
    } else await feed();
    await gates.between();
    if (unfinished && gates.isCancelled(unfinished.feed.name)) unfinished = undefined;
    if (turn % LOOK_EVERY_TURNS === 0) await checkpoint();
  }
  await faults.ended();
  await gates.finish();
  if (unfinished && gates.isCancelled(unfinished.feed.name)) unfinished = undefined;
  const calmAt = Date.now();
  say("Faults have ended.");
  await checkpoint();
  for (let tries = 0; tries < 5 && unfinished; tries += 1) await feed();
  for (let tries = 0; tries < 5 && teller.underWay > 0; tries += 1) await application(nothing);
  for (let tries = 0; tries < 5 && command.unfinished; tries += 1) await command.give(ended);
  const isAcked = (): boolean => sender.all.some(({ acked }) => acked !== undefined);
  // There may have been no turn of it, and a life may end before it takes any.
  for (let tries = 0; tries < 5 && !isAcked(); tries += 1) await ingest(isAcked);
  sender.enough();
  for (let tries = 0; tries < 5 && sender.underWay > 0; tries += 1) await ingest(() => sender.underWay === 0);
  await sender.finish();
  await others.ended();
  await stage.handovers.ended();
  await askAgain({
    asks,
    others,
    load,
    async answerAll() {
      for (let tries = 0; tries < 5 && asks.underWay > 0; tries += 1) {
        await command.give(ended);
        await application(() => asks.next("update()"));
      }
    },
    async putFile(file) {
      unfinished = await written(file, directory);
      for (let tries = 0; tries < 5 && unfinished; tries += 1) await feed();
    },
  });
  await checkpoint();
  const users = await stage.addLate();

  const engine = scope.defer(await openStore(), (opened) => opened.close());
  const cognito = scope.defer(createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 8 }), (client) =>
    client.close(),
  );
  // It delivers what is left, and tells of its settles as the others do.
  const own = scope.defer(await open(join(directory, "finale.log"), "a"), (file) => file.close());
  const log = createLog("debug", own.fd);
  const pool = scope.defer(
    await openPool({ engine, cognito, pool: POOL, ratePerSecond: RATE, listsPerSecond: 25, concurrency: 8, log }),
    (opened) => opened.close(),
  );
  await republishLetters(engine.queues, engine.store.letters, POOL);
  const delivery = await pool.deliver();
  const config = await readConfig({}, spec.env);
  const drainer = scope.defer(startDrainer({ engine, config, poolOf: async () => pool, log }), (started) =>
    started.close(),
  );
  const finale = await settleDown({
    engine,
    service,
    users,
    calmAt,
    replayAll: async () => void (await executeReplay(engine, { until: Date.now() })),
    lastWord: () => others.lastWord(),
    drained: async () => (await eventsLeft(engine)) === 0 && (await pendingUnits(engine)) === 0,
  });
  await until("nobody is woken any more", async () => (await wakeUpsAwake(engine)) === 0);
  const slept = await sleepers(engine);
  await drainer.close();
  await delivery.stop(5_000);
  say(`Drained after ${finale.drain.ms} ms.`);

  const broken = judgeBroken(model, await lookAtBroken(engine, embeddedDocuments(engine.store), breaking.all, 0));
  const standing = {
    ...(await readStanding(engine, model, service, users, [...load.users, ...ASKED, ...(await stage.namedEver())])),
    asks: asks.all,
    gates: gates.records,
    broken: breaking.all,
    evidence: await evidenceOf(directory, await service.writes(), children.ends),
  };
  let letterJobs = 0;
  for (const kind of LETTER_KINDS) letterJobs += await engine.queues.queue(deadLetterQueue(kind)).count();
  const sending = { events: sender.all, toGarbage: sender.toGarbage, jobs: [] };
  const arrived = await lookAtInbox(engine, sending, breaking.all);
  return {
    standing,
    checkpoints,
    looks,
    unacknowledged: teller.underWay + (unfinished ? 1 : 0) + (command.unfinished ? 1 : 0) + sender.underWay,
    refused: teller.refused,
    finale,
    leaks: judgeRowsLeft(standing, await wakeUpsLeft(engine, slept), letterJobs),
    telling: [],
    further: [broken, judgeArrived(standing, arrived)],
    exits,
  };
}

/** Somebody at a terminal sees that the file is wrong, and interrupts its command so long after its run has begun. */
async function interruptedOnceBegun(child: Child, directory: string, afterMs: number): Promise<void> {
  await onceLogged(child, directory, BEGUN);
  await sleep(afterMs);
  if (child.alive) child.signal("SIGTERM");
}

/** Resolves once this life has logged it, or is over. */
async function onceLogged(child: Child, directory: string, line: string): Promise<void> {
  const log = join(directory, `${child.name}.log`);
  const logged = async (): Promise<number> => (await readFile(log, "utf8")).split(line).length;
  const before = await logged();
  while (child.alive && (await logged()) === before) await sleep(TICK_MS);
}
