/** Waits until a run is over that others put and deliver. */
import { counted } from "../../core/amounts.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { isEnded, type Run } from "../../store/runs.ts";
import { workersOf } from "../../store/workers.ts";
import { AppError } from "../app-error.ts";
import { findRun } from "./find-run.ts";
import { showRun, type ShownRun } from "./look-at-runs.ts";
import { waitUntilSettled, type SettlingOptions } from "./settling.ts";

export interface WaitOptions extends Pick<SettlingOptions, "onLook" | "onHold" | "signal"> {
  /** Told once, where nothing of it was delivered for a minute. */
  readonly onStill: (run: Run) => void;
}

/**
 * Answers how the run ended, or that it waits for an approval, which does not come by itself. Throws an AppError
 * `no-run`, `still-queued` where nobody would deliver it while this process looks on, and `interrupted`.
 */
export async function waitForRun(engine: Engine, log: Log, id: string, options: WaitOptions): Promise<ShownRun> {
  const { signal } = options;
  let run = await findRun(engine, id);
  if (run.state === "needs-approval") return showRun(engine, log, id);
  const { pending } = await engine.store.runs.books(id);
  if (engine.kind === "embedded" && (pending > 0 || run.state === "reading")) {
    throw new AppError(
      "still-queued",
      sentence`Run ${id} is not over (${counted(pending, "change waits", "changes wait")}), and without Redis nobody goes on with it meanwhile: give the same ${nextStep("sync")} again, or see ${nextStep("runs", "show", id)}.`,
    );
  }
  try {
    await waitUntilSettled({
      ...options,
      engine,
      runs: [id],
      pools: [run.pool],
      deliveries: [],
      async allPut() {
        run = await findRun(engine, id);
        return run.state !== "reading";
      },
      onStill: () => options.onStill(run),
    });
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const look = nextStep("runs", "show", id);
    const { pending: left } = await engine.store.runs.books(id);
    const isStill = run.state === "delivering" && left > 0 && (await workersOf(engine.store, run.pool)) === 0;
    const stands = isStill ? "waits for a worker, and none is alive" : "goes on without this command";
    throw new AppError("interrupted", sentence`Interrupted. Run ${id} ${stands}: see ${look}.`, {
      cause,
      category: "interrupted",
    });
  }
  return showRun(engine, log, id);
}

/** True where a run did what it was to do, as far as it could; false where it was ended before. */
export function ranToItsEnd({ state }: Run): boolean {
  return !isEnded(state) || state === "finished";
}
