/**
 * The run of a feed's events: one a feed, pool and day (UTC, by the store's clock). It is begun when its first event is put.
 * Once its day is over and nothing of it is pending, it is finished. One that was cancelled ends as others do, and the next
 * event begins another.
 *
 * A run of events that was approved is delivered, takes no more, and is finished as soon as nothing of it is pending.
 */
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Run, Runs } from "../../store/runs.ts";
import { freshRunId } from "../runs/run-id.ts";

const DAY_MS = 86_400_000;
/** How long after its day somebody may still be about to put into a run: longer than a drainer has entries. */
const AFTER_DAY_MS = 10 * 60_000;

export interface DayRuns {
  /** The run of the day of `nowMs`; begun where it is not there. */
  of(feed: string, pool: string, nowMs: number): Promise<string>;
  /** It takes nothing any more: the next time another one is begun, unless somebody has. */
  forget(feed: string, pool: string): void;
}

export function createDayRuns({ store, keyring }: Pick<Engine, "store" | "keyring">): DayRuns {
  const known = new Map<string, { readonly day: number; readonly id: string }>();
  const keyOf = (feed: string, pool: string): string => JSON.stringify([feed, pool]);
  return {
    async of(feed, pool, nowMs) {
      const day = Math.floor(nowMs / DAY_MS);
      const key = keyOf(feed, pool);
      const there = known.get(key);
      if (there?.day === day) return there.id;
      const identity = keyring.contentName(
        `events ${key.replaceAll(" ", "_")} ${new Date(day * DAY_MS).toISOString()}`,
      );
      const beginning = { id: freshRunId(), source: "events" as const, pool, feed, identity, asOf: nowMs };
      const { run } = await store.runs.begin(beginning);
      known.set(key, { day, id: run.id });
      return run.id;
    },
    forget: (feed, pool) => void known.delete(keyOf(feed, pool)),
  };
}

/** Those of some feeds that take changes still. */
export async function openDayRuns(runs: Runs, feeds: ReadonlySet<string>): Promise<readonly Run[]> {
  return (await runs.unfinished()).filter((run) => isOpen(run) && feeds.has(run.feed));
}

function isOpen({ source, state }: Run): boolean {
  return source === "events" && (state === "reading" || state === "delivering");
}

/** Ends those that are over. Of several processes one does, and its log is told. */
export async function finishDayRuns(runs: Runs, log: Log, nowMs: number): Promise<void> {
  for (const run of await runs.unfinished()) {
    const { id, feed, pool, startedAt } = run;
    if (!isOpen(run)) continue;
    if (run.state === "reading" && nowMs < endOfDay(startedAt) + AFTER_DAY_MS) continue;
    const books = await runs.books(id);
    if (books.pending > 0 || !(await runs.transition(id, ["reading", "delivering"], "finished"))) continue;
    const ended: Run | undefined = await runs.get(id);
    log.info({ run: id, feed, pool, rows: ended?.rows, books }, "day of events finished");
  }
}

function endOfDay(timeMs: number): number {
  return (Math.floor(timeMs / DAY_MS) + 1) * DAY_MS;
}
