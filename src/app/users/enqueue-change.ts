/** One change of one user that nobody waits for: before everything that feeds have queued, and delivered by workers. */
import type { Change, InvalidUnit } from "../../core/change.ts";
import type { Pool } from "../../delivery/pool.ts";
import { createProducer, VERSION_AHEAD } from "../../delivery/producer.ts";
import type { Engine } from "../../queues/engine.ts";
import { PRIORITY } from "../../queues/wake-ups.ts";

export interface Enqueued {
  /** The opaque key under which logs speak of the user. */
  readonly user: string;
  /** Attributes that are queued. */
  readonly queued: readonly string[];
  /** Attributes that cannot be written, and why; the others are queued all the same. Counted in the books. */
  readonly invalid: readonly InvalidUnit[];
}

/** Whose the change is has to be one user's: `none` and `many` put nothing. */
export type EnqueueOutcome =
  | { readonly is: "fault"; readonly fault: { readonly reason: string; readonly detail: string } }
  | { readonly is: "none" | "many" }
  | { readonly is: "enqueued"; readonly enqueued: Enqueued };

export async function enqueueChange(
  engine: Engine,
  { profile, names }: Pool,
  change: Change,
  signal: AbortSignal,
): Promise<EnqueueOutcome> {
  const run = await engine.store.runs.direct(profile.id);
  const producer = createProducer({ engine, profile, run: run.id, priority: PRIORITY.direct, sendUnless: "written" });
  const checked = producer.check(change);
  if ("fault" in checked) return { is: "fault", fault: checked.fault };
  const { sound, invalid } = checked;
  const named = await names.whose(change.username, undefined, signal);
  if (named.is !== "one") return { is: named.is };
  const { username, person } = named;
  const facts = { invalid: invalid.length, rows: { read: 1, faulty: 0 } };
  const { ahead } = await producer.put([{ ...sound, username, person }], facts);
  const units = sound.units.map(({ name }) => name);
  const user = producer.userKey(username);
  if (ahead === 0) return { is: "enqueued", enqueued: { user, queued: units, invalid } };
  const refused = units.map((name) => ({ name, ...VERSION_AHEAD }));
  return { is: "enqueued", enqueued: { user, queued: [], invalid: [...invalid, ...refused] } };
}
