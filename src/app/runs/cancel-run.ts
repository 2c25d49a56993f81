/** Ends a run that waits, or that is under way: what it has put and what is not sent yet is discarded. */
import { counted } from "../../core/amounts.ts";
import type { Books } from "../../core/books.ts";
import { printable } from "../../core/masking.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { sortOutRun } from "../../delivery/kept-users.ts";
import { endLetters } from "../../delivery/replay.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { directRunId, type Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { noteCancelled } from "./cancelled-content.ts";
import { findRun } from "./find-run.ts";

export interface CancelledRun extends Pick<Run, "feed" | "pool"> {
  readonly applied: number;
  /** What waited, or was a dead letter, and is discarded. */
  readonly discarded: number;
  /** What was in calls under way when it was cancelled: these go through. */
  readonly inFlight: number;
  /** True where `undo` can take back what was written. */
  readonly undoable: boolean;
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
  const run = await findRun(engine, id);
  const { pool, feed } = run;
  const before = await runs.books(id);
  if (!(await turn(engine, run, before))) {
    const now = await findRun(engine, id);
    // Whoever cancelled it may have been cut before its books were tidy.
    if (now.state === "cancelled") {
      await noteCancelled(engine.store, now);
      await sortOutRun(engine.store, now);
      await endLetters(engine, id);
    }
    throw notOpen(now, await runs.books(id), await hasBeforeImages(engine, id));
  }
  await noteCancelled(engine.store, run);
  await plans.drop(id);
  log.warn({ run: id, pool, feed }, "run cancelled");
  await sortOutRun(engine.store, run);
  await endLetters(engine, id);
  const { applied, discarded, pending } = await runs.books(id);
  const undoable = applied + pending > 0 && (await hasBeforeImages(engine, id));
  return { feed, pool, applied, discarded: discarded - before.discarded, inFlight: pending, undoable };
}

async function hasBeforeImages({ store }: Engine, run: string): Promise<boolean> {
  for await (const _image of store.beforeImages.read(run)) return true;
  return false;
}

/** Answers whether the caller has cancelled it. */
async function turn({ store }: Engine, { id, pool }: Run, { superseded }: Books): Promise<boolean> {
  const { runs, mailboxes } = store;
  // Those of applications and of single commands have no end.
  if (id === directRunId(pool)) return false;
  if (await runs.transition(id, OPEN_STATES, "cancelled")) return true;
  // What it has put may wait behind what superseded it, and would go where the run of that is cancelled.
  if (superseded === 0 || !(await mailboxes.isBehind(id))) return false;
  return runs.transition(id, OPEN_STATES, "cancelled", { evenOver: true });
}

function notOpen({ id, pool, state }: Run, { applied }: Books, isUndoable: boolean): AppError {
  if (id === directRunId(pool)) {
    const ofAll = `Run ${id} is that of applications and single commands: it has no end, and cannot be cancelled.`;
    return new AppError("not-open", sentence`${ofAll} See ${nextStep("runs", "list")}.`);
  }
  const is = state === "delivering" ? "delivered" : state === "cancelled" ? "cancelled already" : state;
  const written =
    applied === 0 ? "" : ` ${counted(applied, "change")} of it ${applied === 1 ? "was" : "were"} written.`;
  const what = `Run ${printable(id)} is ${is}${state === "cancelled" ? "" : ", and cannot be cancelled"}.${written}`;
  return new AppError(
    "not-open",
    isUndoable
      ? sentence`${what} ${nextStep("undo", id)} puts back what was there before.`
      : sentence`${what} See ${nextStep("runs", "list")}.`,
  );
}

/** What became of a run that was cancelled. */
export function cancelledSentence({
  applied,
  discarded,
  inFlight,
}: Pick<CancelledRun, "applied" | "discarded" | "inFlight">): string {
  const parts = [
    applied === 0
      ? "Nothing of it was written"
      : `${counted(applied, "change")} of it ${applied === 1 ? "was" : "were"} written before`,
    ...(discarded === 0
      ? []
      : [
          `${counted(discarded, "change")} that ${discarded === 1 ? "was" : "were"} not written ${discarded === 1 ? "is" : "are"} discarded`,
        ]),
    ...(inFlight === 0
      ? []
      : [`${counted(inFlight, "change")} in calls under way still ${inFlight === 1 ? "goes" : "go"} through`]),
  ];
  const last = parts.pop() ?? "";
  return parts.length === 0 ? `${last}.` : `${parts.join(", ")}, and ${last}.`;
}
