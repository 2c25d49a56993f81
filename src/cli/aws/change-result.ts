/** One change through the engine, with the questions and the errors of a command. */
import { AppError, interruptedEarly } from "../../app/app-error.ts";
import { keptSentence, pauseOf } from "../../app/gates/pause.ts";
import { changeAndWait, type ChangeOutcome } from "../../app/users/change-and-wait.ts";
import type { Change } from "../../core/change.ts";
import type { Pool } from "../../delivery/pool.ts";
import { DIRECT } from "../../store/runs.ts";
import { asTyped } from "../command-line.ts";
import { tell } from "../io.ts";
import { ask, risksOf } from "./question.ts";
import { invalidUnits, NOBODY, refusedText, severalHaveIt } from "./refusal-text.ts";
import type { RequestContext } from "./request-context.ts";

export type ChangeResult =
  /** What is printed of a change that was left to workers. */
  { readonly is: "queued"; readonly text: string } | Extract<ChangeOutcome, { is: "delivered" }>;

/** How long a result is waited for: back-offs and other processes' leases included. */
const WAIT_MS = 60_000;

/** Throws an AppError for a change that cannot be put, one that somebody declined, and an interruption. */
export async function changeThroughEngine(
  { io, flags, mode, log, signal, engine, reported }: RequestContext,
  pool: Pool,
  change: Change,
): Promise<ChangeResult> {
  const outcome = await changeAndWait(await engine(), pool, change, {
    reading: signal,
    signal,
    waitMs: WAIT_MS,
    leave: mode === "queue",
    despitePause: flags.despitePause === true,
    ...(flags.force === true ? {} : { consent: () => ask(io, risksOf(pool.profile, change.units), signal) }),
    onPut: (user) => log.info({ pool: pool.profile.id, user }, "change put"),
  });
  switch (outcome.is) {
    case "delivered":
      return outcome;
    case "queued": {
      const paused = await pauseOf((await engine()).store, { pool: pool.profile.id, feed: DIRECT });
      if (paused !== undefined && !reported.has(paused.gate)) {
        reported.add(paused.gate);
        tell(io, asTyped(io, keptSentence(paused), flags));
      }
      const queued = { User: outcome.user, Queued: outcome.queued };
      return { is: "queued", text: `${JSON.stringify(queued, undefined, 4)}\n` };
    }
    case "fault":
      throw invalidUnits([{ name: "username", ...outcome.fault }]);
    case "invalid":
      throw invalidUnits(outcome.invalid);
    case "none":
      throw new AppError(NOBODY.kind, refusedText(NOBODY));
    case "many":
      throw severalHaveIt(outcome.usernames);
    case "unasked":
      throw interruptedEarly(outcome.cause);
    case "interrupted":
      throw new AppError("interrupted", `Interrupted. The change stays queued, for user ${outcome.user}.`, {
        cause: outcome.cause,
        category: "interrupted",
      });
  }
}
