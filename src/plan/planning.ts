/** What every phase of a planner works with. */
import type { GuardSettings } from "../core/guards.ts";
import type { Ledger } from "../core/mailbox.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Mapping } from "../feeds/mapping.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Baseline } from "./baseline.ts";
import type { FeedEvents } from "./missed.ts";
import { createNearNames, type NearNames } from "./near-names.ts";
import { createRowAsking, type RowAsking } from "./row-asking.ts";
import { createRowBodies, type RowBodies } from "./row-bodies.ts";
import { createRowNames, type RowNames } from "./row-names.ts";
import type { Scratch } from "./scratch.ts";

/**
 * The list of users is eventually consistent: of a few rows the write is the authority (`write`), and who is not there
 * becomes a dead letter that can be replayed. Of a large file the row is at fault.
 */
export type Unlisted = "write" | "fault";

export interface PlannerOptions {
  readonly profile: PoolProfile;
  readonly keyring: Keyring;
  readonly scratch: Scratch;
  readonly baseline: Baseline;
  readonly mapping: Pick<Mapping, "identifier" | "match" | "duplicates">;
  readonly guards: Pick<GuardSettings, "protectUsers" | "protectAttributes">;
  /** What becomes of a row whose username the pool does not list, by the live baseline. */
  readonly unlisted: Unlisted;
  /** Of a feed that has events beside its file. */
  readonly events?: FeedEvents | undefined;
  /** What poolsync wrote last, by user key. */
  readonly ledgers: (users: readonly string[]) => Promise<ReadonlyMap<string, Ledger>>;
}

export interface Planning extends PlannerOptions {
  readonly names: RowNames;
  readonly bodies: RowBodies;
  readonly asking: RowAsking;
  readonly nearNames: NearNames;
  /** The attributes by which users of the pool sign in, of which two users cannot have the same value. */
  readonly poolAliases: ReadonlySet<string>;
}

export function createPlanning(options: PlannerOptions): Planning {
  const { profile, keyring, mapping, scratch } = options;
  return {
    ...options,
    names: createRowNames(profile, mapping, scratch),
    bodies: createRowBodies(keyring, scratch),
    asking: createRowAsking(profile),
    nearNames: createNearNames(),
    poolAliases: new Set([...profile.usernameAttributes, ...profile.aliasAttributes]),
  };
}
