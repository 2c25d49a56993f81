/** One change of one user: put like any other, and then waited for at the top of the pace, or left to workers. */
import type { Change, InvalidUnit } from "../../core/change.ts";
import type { Person } from "../../core/person.ts";
import type { ChangeResult } from "../../delivery/direct.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Engine } from "../../queues/engine.ts";
import { DIRECT } from "../../store/runs.ts";
import { demandNoPause } from "../gates/pause.ts";

export interface ChangeOptions {
  /** Who has the name is asked until it aborts. */
  readonly reading: AbortSignal;
  /** Stops the waiting. What is pending then stays queued. */
  readonly signal: AbortSignal;
  /** How long the result is waited for, in ms: back-offs and other processes' leases included. */
  readonly waitMs: number;
  /** True where workers are to deliver, and nobody waits. */
  readonly leave?: boolean;
  /** Sends what a pause would keep. */
  readonly despitePause?: boolean;
  /** Asked before anything is put; it throws where somebody declines. */
  readonly consent?: () => Promise<void>;
  /** Told the opaque key of the user once the change is put. */
  readonly onPut?: (user: string) => void;
}

export type ChangeOutcome =
  /** The username cannot be one. */
  | { readonly is: "fault"; readonly fault: { readonly reason: string; readonly detail: string } }
  /** Nothing was put, because of these. */
  | { readonly is: "invalid"; readonly invalid: readonly InvalidUnit[] }
  | { readonly is: "none" }
  | { readonly is: "many"; readonly usernames: readonly string[] }
  /** A signal ended the question whose the name is, and nothing was put. */
  | { readonly is: "unasked"; readonly cause: unknown }
  /** `user`: the opaque key. `queued`: units that are on their way. */
  | { readonly is: "queued"; readonly user: string; readonly queued: readonly string[] }
  | { readonly is: "delivered"; readonly user: string; readonly username: string; readonly delivered: ChangeResult }
  /** The signal ended the waiting; the change stays queued. */
  | { readonly is: "interrupted"; readonly user: string; readonly cause: unknown };

/** Rejects as reads of the pool and of the store do, and with an AppError `paused` where a change would be kept that somebody waits for. */
export async function changeAndWait(
  { store }: Pick<Engine, "store">,
  pool: Pool,
  change: Change,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const { reading, signal, waitMs, leave = false, despitePause = false, consent, onPut } = options;
  // What nobody waits for is taken and kept, as all that workers deliver.
  if (!despitePause && !leave) await demandNoPause(store, { pool: pool.profile.id, feed: DIRECT });
  const direct = pool.direct();
  const checked = direct.check(change);
  if ("fault" in checked) return { is: "fault", fault: checked.fault };
  if (checked.invalid.length > 0) return { is: "invalid", invalid: checked.invalid };
  let named: Whose;
  try {
    named = await whose(pool, change, reading);
  } catch (cause) {
    if (!reading.aborted) throw cause;
    return { is: "unasked", cause };
  }
  if (named.is !== "one") return named;
  const { username, person } = named;
  await consent?.();
  const submitted = await direct.submit({ ...checked.sound, username, person }, { wake: leave });
  const { user, queued } = submitted;
  onPut?.(user);
  if (leave) return { is: "queued", user, queued };
  try {
    return {
      is: "delivered",
      user,
      username,
      delivered: await direct.deliverNow(submitted, { waitMs, signal, despitePause }),
    };
  } catch (cause) {
    if (!signal.aborted) throw cause;
    return { is: "interrupted", user, cause };
  }
}

type Whose =
  | { readonly is: "one"; readonly username: string; readonly person: Person }
  | Extract<ChangeOutcome, { is: "none" | "many" }>;

/** A token names its user by the username itself; people name others by what those sign in with as well. */
function whose({ names }: Pool, { username, callOptions }: Change, signal: AbortSignal): Promise<Whose> {
  if (callOptions?.token !== undefined) return Promise.resolve({ is: "one", username, person: {} });
  return names.whose(username, undefined, signal);
}
