/** One change through the engine: put like any other, and then waited for at the top of the pace, or left to workers. */
import type { Change } from "../../core/change.ts";
import type { Person } from "../../core/person.ts";
import type { Log } from "../../log.ts";
import type { Delivered } from "../../delivery/direct.ts";
import type { Pool } from "../../delivery/pool.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError, readEarly } from "../../app/app-error.ts";
import type { Io } from "../io.ts";
import { ask, risksOf } from "./question.ts";
import type { Mode, OneFlags } from "./request-options.ts";
import { invalidUnits, NOBODY, refusedText, severalHaveIt } from "./telling.ts";

export interface WaitedMeans {
  readonly io: Io;
  readonly flags: OneFlags;
  readonly mode: Mode;
  readonly pool: Pool;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export type Carried =
  /** What is printed of a change that was left to workers. */
  | { readonly is: "queued"; readonly text: string }
  | { readonly is: "delivered"; readonly user: string; readonly username: string; readonly delivered: Delivered };

/** How long a result is waited for: back-offs and other processes' leases included. */
const WAIT_MS = 60_000;

/** Throws a CommandError for a change that cannot be put, one that somebody declined, and an interruption. */
export async function carryThrough(means: WaitedMeans, change: Change): Promise<Carried> {
  const { io, flags, mode, pool, log, signal } = means;
  const { profile } = pool;
  const direct = pool.direct();
  const checked = direct.check(change);
  if ("fault" in checked) throw invalidUnits([{ name: "username", ...checked.fault }]);
  if (checked.invalid.length > 0) throw invalidUnits(checked.invalid);
  const { username, person } = await whose(pool, change, signal);
  if (flags.force !== true) await ask(io, risksOf(profile, change.units), signal);
  const submitted = await direct.submit({ ...checked.sound, username, person }, { wake: mode === "queue" });
  const { user } = submitted;
  log.info({ pool: profile.id, user }, "change put");
  if (mode === "queue") {
    const queued = { User: user, Queued: submitted.queued };
    return { is: "queued", text: `${JSON.stringify(queued, undefined, 4)}\n` };
  }
  try {
    const delivered = await direct.deliverNow(submitted, { waitMs: WAIT_MS, signal });
    return { is: "delivered", user, username, delivered };
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandError("interrupted", `Interrupted. The change stays queued, for user ${user}.`, {
      cause: error,
      exitCode: EXIT.interrupted,
    });
  }
}

/** A token names its user by the username itself; people name others by what those sign in with as well. */
async function whose(
  { names }: Pool,
  { username, manner }: Change,
  signal: AbortSignal,
): Promise<Pick<Change, "username"> & { readonly person: Person }> {
  if (manner?.token !== undefined) return { username, person: {} };
  const named = await readEarly(signal, names.whose(username, undefined, signal));
  if (named.is === "one") return named;
  throw named.is === "none" ? new CommandError(NOBODY.kind, refusedText(NOBODY)) : severalHaveIt(named.usernames);
}
