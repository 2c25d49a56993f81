/** What `dead replay` does with parked events: in a data directory it drains and delivers them itself. */
import { messageOf, type Failure } from "../../app/app-error.ts";
import { openDayRuns } from "../../app/events/day-run.ts";
import { startDrainer } from "../../app/events/drain-events.ts";
import { waitingFloods } from "../../app/events/flood-gate.ts";
import type { ChangeTarget } from "../../app/events/job-change.ts";
import { poolOfEvents, type EventGroup, type ParkedEvents } from "../../app/events/parked-events.ts";
import { areEventsDrained, nobodyDrains, replayAndSettle, type EventReplay } from "../../app/events/replay-events.ts";
import { demandNoPause, pauseOf } from "../../app/gates/pause.ts";
import { waitForOthers } from "../../app/runs/own-deliveries.ts";
import { booksOf } from "../../app/runs/settling.ts";
import { ConfigError } from "../../config/config-error.ts";
import { counted } from "../../core/amounts.ts";
import { imbalance, type Books } from "../../core/books.ts";
import { printable } from "../../core/masking.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Scope } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Run } from "../../store/runs.ts";
import { workersOf } from "../../store/workers.ts";
import { eventReplayText } from "../../views/parked-events.ts";
import { movement } from "../../views/replay.ts";
import { balanceText } from "../../views/run-summary.ts";
import { standstillText } from "../../views/standstill.ts";
import { whoDelivers } from "../../views/who-delivers.ts";
import { asTyped, commandLine } from "../command-line.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import type { OpenedCommand } from "../opening.ts";
import { openReplayPools } from "../replay-pools.ts";
import { startDelivering, type RunFlags } from "../run-context.ts";

/** The parked events that are meant, counted. */
export interface ReplayableEvents {
  readonly parked: ParkedEvents;
  readonly groups: readonly EventGroup[];
  readonly events: number;
  readonly limit: number | undefined;
}

export interface EventsReplayed {
  readonly document: EventReplay & { readonly eventRuns: readonly string[] };
  readonly text: string;
  readonly diedAgain: number;
}

/** Throws where nobody would map them: an AppError `no-ingest`, or `paused`; a ConfigError. Nothing is moved before. */
export async function demandMapped(engine: Engine, { config }: OpenedCommand, groups: readonly EventGroup[]) {
  if (engine.kind === "redis") {
    if (!(await areEventsDrained(engine))) throw nobodyDrains();
    return;
  }
  // Drained with a configuration that knows none, all that waits would be parked.
  if (Object.values(config.feeds).every(({ events }) => events === undefined)) {
    const message = "Expected a feed with `events`: parked events are mapped with them, and there is none";
    throw new ConfigError([{ path: "poolsync.yaml: feeds", message }]);
  }
  for (const { feed } of groups) {
    const pool = poolOfEvents(config, feed);
    if (pool !== undefined) await demandNoPause(engine.store, { pool, feed });
  }
}

/** Puts them back, and waits for what becomes of them. */
export async function replayEvents(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  engine: Engine,
  { parked, groups, limit }: ReplayableEvents,
  flags: RunFlags,
): Promise<EventsReplayed> {
  const { config, log } = opened;
  const { runs, gates } = engine.store;
  const { interrupts } = io;
  const command = (...words: readonly string[]): string => commandLine(io, words, flags);
  const feeds = new Set(groups.map(({ feed }) => feed));
  const settling = { engine, log, signal: interrupts.drain };
  if (engine.kind === "redis") {
    const replay = await replayAndSettle(settling, parked, limit);
    const dayRuns = await openDayRuns(runs, feeds);
    const waiting: string[] = [];
    for (const { id, pool, feed } of dayRuns) {
      const { pending } = await runs.books(id);
      if (pending === 0) continue;
      const paused = await pauseOf({ gates }, { pool, feed });
      waiting.push(whoDelivers({ pool, pending, workers: await workersOf(engine.store, pool), paused }, command));
    }
    waiting.push(...(await floodLines()));
    const text = [eventReplayText(replay, command), ...waiting.map((line) => `${line}\n`)].join("");
    return { document: { ...replay, eventRuns: idsOf(dayRuns) }, text, diedAgain: 0 };
  }

  const pools = new Map<string, Promise<Pool>>();
  const poolOf = (id: string): Promise<Pool> => {
    const opening = pools.get(id) ?? openReplayPools(io, opened, scope, engine, [id], flags).then(onlyOne);
    pools.set(id, opening);
    opening.catch(() => pools.delete(id));
    return opening;
  };
  for (const feed of feeds) {
    const id = poolOfEvents(config, feed);
    if (id !== undefined) await poolOf(id);
  }
  const before = await booksOf(runs, idsOf(await openDayRuns(runs, feeds)));
  const replay = await withDrainer();
  const floods = await floodLines();
  const dayRuns = await openDayRuns(runs, feeds);
  const ids = idsOf(dayRuns);
  const own = [...new Set(dayRuns.map(({ pool }) => pool))];
  const opening = await Promise.all(own.map(poolOf));
  const started = await startDelivering(io, opened, scope, { engine, pools: opening, runs: ids }, flags);
  const observe: Parameters<typeof waitForOthers>[0]["observe"] = (event) => {
    if (event.is === "held") tell(io, asTyped(io, standstillText(event.standstill), flags));
  };
  await waitForOthers({ engine, ...started, interrupts, observe }, own, [...ids, ...started.leftRuns]);
  const after = await booksOf(runs, ids);
  const diedAgain = Math.max(0, after.dead - before.dead);
  return { document: { ...replay, eventRuns: ids }, text: textOf(replay, before, after, diedAgain), diedAgain };

  /** What became of events where a guard keeps those of the feed. */
  async function floodLines(): Promise<readonly string[]> {
    const floods = (await waitingFloods(engine.store)).filter(({ feed }) => feeds.has(feed));
    return floods.map(
      ({ id, feed }) =>
        `Events of ${printable(feed)} wait for an approval, and so do these: \`${command("runs", "show", id)}\`.`,
    );
  }

  /** Drains for as long as it is waited for. */
  async function withDrainer(): Promise<EventReplay> {
    const reported = new Set<string>();
    // Whoever looks on would see nothing for as long as the pool cannot be asked.
    const onWait = (feed: string, failure: Failure): void => {
      const line = `Events of ${printable(feed)} wait: ${messageOf(failure)} They are tried again; Ctrl-C leaves them in the inbox.`;
      if (!reported.has(line)) tell(io, line);
      reported.add(line);
    };
    const deps = { engine, config, poolOf: ({ pool }: ChangeTarget) => poolOf(pool), log, onWait };
    const drainer = startDrainer({ ...deps, rescans: false });
    try {
      return await replayAndSettle({ ...settling, wake: () => drainer.wake() }, parked, limit);
    } finally {
      await drainer.close();
    }
  }

  function textOf(replayed: EventReplay, earlier: Books, later: Books, died: number): string {
    const dead = died === 0 ? "" : `${counted(died, "value")} died (see \`${command("dead", "list")}\`).\n`;
    const moved = `${movement(earlier, later, columnsOf(io.stdout))}${balanceText(imbalance(later) === 0, command)}\n`;
    const kept = floods.map((line) => `${line}\n`).join("");
    return `${eventReplayText(replayed, command)}${kept}${dead}${ids.length > 0 ? `\n${moved}` : ""}`;
  }
}

function idsOf(runs: readonly Run[]): readonly string[] {
  return runs.map(({ id }) => id);
}

function onlyOne(pools: readonly Pool[]): Pool {
  const [pool] = pools;
  if (!pool) throw new Error("Expected a pool");
  return pool;
}
