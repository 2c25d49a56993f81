/** What others changed in the pool since poolsync wrote it, of all users of some feeds. */
import type { MissingColumn } from "../../core/guards.ts";
import { findDrift, type Drifted } from "../../plan/drift.ts";
import type { OpenedFeeds } from "../feeds/open-feeds.ts";
import type { PlannedFeed } from "./make-plans.ts";

export interface DriftFound {
  readonly pool: string;
  /** How many values were compared, were written by nobody who is known, and were changed. */
  readonly sum: { readonly compared: number; readonly unknown: number; readonly drifted: number };
  readonly missing: readonly MissingColumn[];
  /** Some of those that were changed. */
  readonly listed: readonly Drifted[];
}

/** More are counted, and not listed. */
export const MOST_LISTED = 1000;

export async function findDriftOf(
  { engine, pool, feeds }: OpenedFeeds,
  planned: readonly PlannedFeed[],
): Promise<DriftFound> {
  const deps = {
    pool: pool.profile.id,
    keyring: engine.keyring,
    ledgers: (users: readonly string[]) => engine.store.mailboxes.ledgers(users),
  };
  const listed: Drifted[] = [];
  const sum = { compared: 0, unknown: 0, drifted: 0 };
  for (const { plan } of planned) {
    const figures = await findDrift(deps, plan.rows(), (drifted) => {
      if (listed.length < MOST_LISTED) listed.push(drifted);
    });
    for (const term of ["compared", "unknown", "drifted"] as const) sum[term] += figures[term];
  }
  return { pool: deps.pool, sum, missing: feeds.flatMap(({ mapping }) => mapping.missing ?? []), listed };
}
