/** Whom the records of events mean: as a file's rows, and where many mean one, with one question. */
import { isAnswered } from "../../core/account-scan.ts";
import { CognitoError } from "../../cognito/cognito-error.ts";
import type { Change } from "../../core/change.ts";
import type { ListedUser } from "../../core/comparison.ts";
import { IDENTIFIERS, indexedMatch } from "../../core/identifier.ts";
import { canonicalUsername } from "../../core/pool-schema.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Mapping } from "../../feeds/mapping.ts";
import type { Engine } from "../../queues/engine.ts";
import { whoHas } from "./indexed-account.ts";
import type { EventRecord } from "./read-event.ts";
import { scanDemandedAt } from "./scan-wait.ts";

export interface Resolving {
  readonly engine: Pick<Engine, "store" | "keyring">;
  readonly pool: Pick<Pool, "profile" | "names">;
  readonly isProtected: { user(username: string): boolean; attribute(name: string): boolean };
  readonly signal: AbortSignal;
}

export interface Asked {
  readonly record: EventRecord;
  /** How it names people. */
  readonly named: Pick<Mapping, "identifier" | "match">;
  /** Epoch ms, by the store's clock: whom the pool called so earlier may not be meant. */
  readonly since: number;
  /** Epoch ms, by the store's clock: when its event came. */
  readonly arrivedAt: number;
}

/** The arrivals of an entry: that of its first record, and how many it has. */
export interface Arrivals {
  readonly arrival: number;
  readonly arrivals: number;
}

/** That of one of its records. An expression may make more records of a body than it has bytes. */
export function arrivalOf({ arrival, arrivals }: Arrivals, { line }: Pick<EventRecord, "line">): number {
  return arrival + Math.min(line, arrivals) - 1;
}

export type Who =
  | { readonly is: "one"; readonly of: Pick<Change, "username" | "person"> }
  | { readonly is: "none" | "many" | "unreadable" }
  /** Only a scan of the pool says it that begins later than this (epoch ms), and there was none. */
  | { readonly is: "unscanned"; readonly since: number };

/** `scannedAt` (epoch ms): when the scan began that says so, where it was one. */
type Answer = Exclude<Who, { is: "unscanned" }> & { readonly scannedAt?: number };

type ChangeRecord = Extract<EventRecord, { is: "change" }>;

/** Questions under way at a time. */
const AT_ONCE = 5;

/**
 * Answers for each of these, in their order; undefined for what is parked. Rejects with a CognitoError where the pool
 * cannot be asked, and with the signal's reason.
 */
export async function namesOf(resolving: Resolving, asked: readonly Asked[]): Promise<readonly (Who | undefined)[]> {
  const keys = asked.map(({ record, named, since }) =>
    record.is === "change"
      ? JSON.stringify([named.match, named.identifier, record.change.username, record.change.units.length > 0, since])
      : undefined,
  );
  const questions = new Map(keys.map((key, index) => [key, asked[index]]));
  const answers = new Map<string | undefined, Answer>();
  const open = [...questions];
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const batch = open.slice(at, at + AT_ONCE).map(async ([key, one]) => {
      if (one?.record.is === "change") answers.set(key, await nameOf(resolving, one, one.record));
    });
    await Promise.all(batch);
  }
  const isByScan = [...answers.values()].some(({ scannedAt }) => scannedAt !== undefined);
  const demandedAt = isByScan ? await scanDemandedAt(resolving.engine.store) : 0;
  return keys.map((key, index) => {
    const answer = answers.get(key);
    const since = Math.max(asked[index]?.arrivedAt ?? 0, demandedAt);
    const isKnown = answer?.scannedAt === undefined || isAnswered(answer.scannedAt, since);
    return isKnown ? answer : { is: "unscanned", since };
  });
}

async function nameOf(
  { engine, pool, isProtected, signal }: Resolving,
  { named: { match, ...mapping }, since }: Asked,
  { change }: ChangeRecord,
): Promise<Answer> {
  const { profile, names } = pool;
  const { username: text, units } = change;
  const attribute = indexedMatch({ match });
  if (attribute !== undefined) return whoHas({ ...engine, pool, signal }, { attribute, value: text, since });
  const identifier = match === undefined ? mapping.identifier : IDENTIFIERS.find((one) => one === match);
  const canonical = canonicalUsername(profile, text);
  // Who is not written is asked nothing about.
  if (match === undefined && isProtected.user(canonical)) return { is: "one", of: { username: canonical } };
  const mayBill = (user: ListedUser): boolean =>
    units.length > 0 && !isProtected.user(canonicalUsername(profile, user.username));
  const answer = await names.whose(text, identifier, signal, { inBulk: true, since, mayBill }).catch(asUnreadable);
  if (answer.is !== "one") return { is: answer.is };
  return { is: "one", of: { username: canonicalUsername(profile, answer.username), person: answer.person } };
}

/** Of a name that Cognito does not take nothing comes ever; for what passes, or somebody mends, all others wait as well. */
function asUnreadable(error: unknown): { readonly is: "unreadable" } {
  if (error instanceof CognitoError && error.kind === "invalid-value") return { is: "unreadable" };
  throw error;
}
