/** Ends a run that waits, or that is under way: what it has put and what is not sent yet is discarded. */
import { counted } from "../../core/amounts.ts";
import type { Books } from "../../core/books.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { sortOutRun } from "../../delivery/kept-users.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { directRunId, type Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { findRun } from "./find-run.ts";

export interface CancelledRun extends Pick<Run, "feed" | "pool"> {
  /** When it was cancelled: what is pending then is discarded, but for what is in a call. */
  readonly books: Books;
}

/** One that has failed, or has finished, is open again where something of it is pending, as after a replay. */
const OPEN_STATES = ["needs-approval", "reading", "delivering", "failed", "finished"] as const;

/**
 * From the moment in which its state turns nothing more of it is sent; the books are tidied afterwards, here or by
 * whoever meets what is left. Throws an AppError `no-run`, or `not-open` for a run that has
 * ended, or that has no end.
 */
export async function cancelRun(engine: Engine, log: Log, id: string): Promise<CancelledRun> {
  const { runs, plans } = engine.store;
  const { pool, feed } = await findRun(engine, id);
  const before = await runs.books(id);
  // Those of applications and of single commands have no end.
  const isOpen = id !== directRunId(pool) && (await runs.transition(id, OPEN_STATES, "cancelled"));
  const now = await runs.books(id);
  if (!isOpen) {
    const run = await findRun(engine, id);
    // Whoever cancelled it was cut before its books were tidy.
    if (run.state !== "cancelled" || now.pending === 0) throw notOpen(run, now);
    await sortOutRun(engine.store, run);
    return { feed, pool, books: now };
  }
  // What workers have met since it was cancelled is discarded already.
  const books = { ...now, pending: now.pending + now.discarded - before.discarded };
  await plans.drop(id);
  log.warn({ run: id, pool, feed }, "run cancelled");
  await sortOutRun(engine.store, { id, pool, feed });
  return { feed, pool, books };
}

function notOpen({ id, pool, state }: Run, { applied }: Books): AppError {
  if (id === directRunId(pool)) {
    const ofAll = `Run ${id} is that of applications and single commands: it has no end, and cannot be cancelled.`;
    return new AppError("not-open", sentence`${ofAll} See ${nextStep("runs", "list")}.`);
  }
  const is = state === "delivering" ? "delivered" : state;
  const written =
    applied === 0 ? "" : ` ${counted(applied, "change")} of it ${applied === 1 ? "was" : "were"} written.`;
  return new AppError(
    "not-open",
    sentence`Run ${id} is ${is}, and cannot be cancelled.${written} See ${nextStep("runs", "list")}.`,
  );
}

/** What became of a run that was cancelled. */
export function cancelledSentence({ applied, pending }: Pick<Books, "applied" | "pending">): string {
  const written =
    applied === 0
      ? "Nothing of it was written"
      : `${counted(applied, "change")} of it ${applied === 1 ? "was" : "were"} written before`;
  if (pending === 0) return `${written}.`;
  return `${written}, and ${counted(pending, "change that waits", "changes that wait")} will be discarded instead of sent; calls in flight still go through.`;
}
