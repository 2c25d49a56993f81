/**
 * Parked events go back to the inbox, where whoever drains it maps them anew with its own configuration: in a fleet an
 * `ingest`, in a data directory this process.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { counted } from "../../core/amounts.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { AppError } from "../app-error.ts";
import { demandScan } from "./scan-wait.ts";
import { parkedPages, type ParkedEvents } from "./parked-events.ts";

export interface EventReplay {
  /** How many went back. */
  readonly events: number;
  /** How many are parked again, by reason. */
  readonly parkedAgain: Readonly<Record<string, number>>;
  /** How many wait for the time of their version, for a scan of their pool, or for a name to pass on. */
  readonly ahead: number;
}

export interface EventReplayDeps {
  readonly engine: Engine;
  readonly log: Log;
  /** Told that something waits: for whoever drains in this process. */
  readonly wake?: () => void;
  readonly signal: AbortSignal;
}

/** So many are put back before it is looked what became of them: an idle drainer looks every few seconds. */
const AT_ONCE = 5_000;
const LOOK_EVERY_MS = 250;
/** Entries that can be put as little now as their pool can be asked are given back for less; for a name to pass on, for more. */
const AHEAD_MS = 45_000;
/** How often it is looked whether anybody drains. */
const ALIVE_EVERY_MS = 5_000;

/** True where a process is alive that maps what lies in the inbox; in a data directory nobody else is. */
export async function areEventsDrained({ store }: Pick<Engine, "store">): Promise<boolean> {
  return (await store.workers.list()).some(({ does }) => does === "events");
}

/** Puts them back, and waits for nothing. Answers how many. */
export async function replayParked(
  { engine, log }: Pick<EventReplayDeps, "engine" | "log">,
  parked: ParkedEvents,
  limit?: number,
): Promise<number> {
  let events = 0;
  await demandScan(engine.store);
  for await (const page of parkedPages(parked, limit)) {
    events += (await engine.store.inbox.replay(page.map(({ id }) => id))).length;
  }
  log.info({ events }, "parked events replayed");
  return events;
}

/**
 * Puts them back, some thousands at a time, and waits until each is changes or parked again. Throws an AppError `interrupted`, or
 * `no-ingest` where nobody drains any more; then what was put back waits in the inbox.
 */
export async function replayAndSettle(
  { engine, log, wake, signal }: EventReplayDeps,
  parked: ParkedEvents,
  limit?: number,
): Promise<EventReplay> {
  const { inbox } = engine.store;
  const parkedAgain: Record<string, number> = {};
  let [events, settled, ahead] = [0, 0, 0];
  let aliveAt = 0;

  async function demandDrained(): Promise<void> {
    engine.store.lost.throwIfAborted();
    if (engine.kind === "embedded" || performance.now() < aliveAt) return;
    aliveAt = performance.now() + ALIVE_EVERY_MS;
    if (!(await areEventsDrained(engine))) throw nobodyDrains(events - settled);
  }

  /** Resolves when it has left the inbox, or waits there for a time of its own. */
  async function settle(id: string): Promise<void> {
    for (;;) {
      const entry = await inbox.get(id);
      if (entry === undefined) return;
      const { parked: how, notBefore } = entry;
      if (how) {
        parkedAgain[how.reason] = (parkedAgain[how.reason] ?? 0) + 1;
        return;
      }
      if (notBefore !== undefined && notBefore - (await engine.store.now()) > AHEAD_MS) {
        ahead += 1;
        return;
      }
      await demandDrained();
      await sleep(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  let open: string[] = [];
  async function settleAll(): Promise<void> {
    wake?.();
    for (const id of open) {
      await settle(id);
      settled += 1;
    }
    open = [];
  }

  try {
    await demandScan(engine.store);
    for await (const page of parkedPages(parked, limit)) {
      signal.throwIfAborted();
      const ids = await inbox.replay(page.map(({ id }) => id));
      events += ids.length;
      open.push(...ids);
      if (open.length >= AT_ONCE) await settleAll();
    }
    await settleAll();
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const wait = counted(events - settled, "event waits", "events wait");
    const said = sentence`Interrupted. ${wait} in the inbox, where ${nextStep("ingest")} takes them; the others are parked still.`;
    throw new AppError("interrupted", said, { cause, category: "interrupted" });
  } finally {
    log.info({ events }, "parked events replayed");
  }
  return { events, parkedAgain, ahead };
}

/** What it leads to where nobody maps events. */
export function nobodyDrains(waiting = 0): AppError {
  const ingest = nextStep("ingest");
  if (waiting > 0) {
    const wait = counted(waiting, "event waits", "events wait");
    return new AppError("no-ingest", sentence`No process takes events any more: ${wait} in the inbox for ${ingest}.`);
  }
  return new AppError(
    "no-ingest",
    sentence`No process takes events, so nobody would map them anew, and they stay parked: start ${ingest}, or leave them in the inbox for it with --detach.`,
  );
}
