/**
 * What a pool was like when it was read last, kept in the store: so a process that starts while Cognito throttles, fails
 * or cannot be reached goes on with that, says how old it is, and asks on until it is answered. A refusal that does not
 * pass by itself is told as it is (docs/adr/0016).
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { CognitoClient } from "../cognito/client.ts";
import { CognitoError } from "../cognito/cognito-error.ts";
import { readPoolProfile } from "../cognito/pool-profile.ts";
import type { Reads } from "../cognito/read-retry.ts";
import { age } from "../core/amounts.ts";
import { FAILURE_KINDS, type FailureKind } from "../core/failure.ts";
import { ATTRIBUTE_TYPES, type PoolProfile } from "../core/pool-schema.ts";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import { soundDocument } from "../store/documents.ts";
import { reportedReads } from "./reported-reads.ts";

/** For so long the pool is asked while somebody waits, where there is something else to go on with. */
const ASKED_FOR_MS = 5_000;
/**
 * An attribute that was added since would be refused as unknown, and a setting for verification not be heeded. A day
 * bridges every throttle and most outages, and whoever changed a pool the day before has forgotten it by then.
 */
export const KEPT_FOR_MS = 86_400_000;
/** Reads for which somebody waits go first. */
const LAST = 9;

const limit = z.number().optional();
const attribute = z.object({
  name: z.string(),
  type: z.enum(ATTRIBUTE_TYPES),
  mutable: z.boolean(),
  required: z.boolean(),
  developerOnly: z.boolean(),
  minLength: limit,
  maxLength: limit,
  minValue: limit,
  maxValue: limit,
});
const names = z.array(z.string());
const keptNote = z.object({
  readAt: z.number(),
  endpoint: z.string(),
  profile: z.object({
    id: z.string(),
    arn: z.string(),
    region: z.string(),
    accountId: z.string(),
    attributes: z.record(z.string(), attribute),
    caseSensitive: z.boolean(),
    usernameAttributes: names,
    aliasAttributes: names,
    autoVerified: names,
    requireVerificationBeforeUpdate: names,
    estimatedUsers: z.exactOptional(z.number()),
  }),
});

interface Keeping {
  readonly store: Pick<Engine["store"], "now" | "getValue" | "setValue">;
  readonly keyring: Pick<Engine["keyring"], "seal" | "open">;
}

/** Sealed, though nobody is in it: what decides how people are named is not to be altered in the store. */
const placeOf = (pool: string) => ["profile", pool] as const;

/** Keeps what was read of a pool, at the endpoint that said it. */
export async function keepProfile({ store, keyring }: Keeping, profile: PoolProfile, endpoint: string): Promise<void> {
  const place = placeOf(profile.id);
  const note: { readonly readAt: number; readonly endpoint: string; readonly profile: PoolProfile } = {
    readAt: await store.now(),
    endpoint,
    profile,
  };
  await store.setValue(place.join(" "), keyring.seal(place, JSON.stringify(note)));
}

interface KeptProfile {
  readonly profile: PoolProfile;
  readonly ageMs: number;
}

/** Undefined where nothing is kept that this endpoint said within the day. What is damaged counts as nothing. */
async function keptProfile(
  { store, keyring }: Keeping,
  pool: string,
  endpoint: string,
): Promise<KeptProfile | undefined> {
  const place = placeOf(pool);
  const note = soundDocument(keptNote, keyring.open(place, (await store.getValue(place.join(" "))) ?? "") ?? "null");
  if (note === undefined || note.endpoint !== endpoint || note.profile.id !== pool) return undefined;
  // A clock that was put back says nothing of its age.
  const ageMs = (await store.now()) - note.readAt;
  return Math.abs(ageMs) > KEPT_FOR_MS ? undefined : { profile: note.profile, ageMs: Math.max(0, ageMs) };
}

export interface ProfileSettings {
  readonly engine: Keeping;
  readonly cognito: CognitoClient;
  readonly pool: string;
  /** Where calls go. Undefined: nothing that is kept is for there. */
  readonly endpoint: string | undefined;
  readonly reads: Reads;
  readonly log: Log;
  readonly say?: ((sentence: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenedProfile {
  readonly profile: PoolProfile;
  /** It is as it was kept: Cognito has not said it. */
  readonly isKept: boolean;
}

/** Reads the pool, or says what is gone on with. Throws as readPoolProfile does. */
export async function openProfile(settings: ProfileSettings): Promise<OpenedProfile> {
  const { engine, cognito, pool, endpoint, reads, log, say, signal } = settings;
  const kept = endpoint === undefined ? undefined : await keptProfile(engine, pool, endpoint);
  const within = { ...reads, withinMs: Math.min(reads.withinMs, ASKED_FOR_MS), patience: { spent: false } };
  try {
    const reading = { reads: kept === undefined ? reads : within, ...(signal ? { signal } : {}) };
    return { profile: await readPoolProfile(cognito, pool, reading), isKept: false };
  } catch (error) {
    if (kept === undefined || !(error instanceof CognitoError) || !passes(error.kind)) throw error;
    const { profile, ageMs } = kept;
    log.warn({ pool, kind: error.kind, ageMs: Math.round(ageMs) }, "pool opened as it was read before");
    const when = ageMs < 60_000 ? "less than a minute" : age(ageMs);
    say?.(
      `Cognito did not answer DescribeUserPool for pool ${pool} (${error.kind}): poolsync goes on with what it read of the pool ${when} ago, and does not know what was changed of its schema since then.`,
    );
    return { profile, isKept: true };
  }
}

function passes(kind: FailureKind): boolean {
  const { outcome } = FAILURE_KINDS[kind];
  return outcome === "wait" || outcome === "retry";
}

/**
 * Asks on for a pool that was opened as it was kept. Resolves when it is answered, or with the signal; `check` throws
 * where what was read is not to be worked with. Rejects with that, and with a refusal that does not pass.
 */
export async function confirmProfile(
  { engine, cognito, log }: Pick<ProfileSettings, "engine" | "cognito" | "log">,
  kept: PoolProfile,
  check: (read: PoolProfile) => Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  const pool = kept.id;
  try {
    const reads = reportedReads(log, { withinMs: Infinity });
    const read = await readPoolProfile(cognito, pool, { reads, priority: LAST, signal });
    await keepProfile(engine, read, await check(read));
    if (isSame(kept, read)) log.info({ pool }, "pool read, and is as it was");
    else log.warn({ pool }, "pool read, and has changed");
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** But for the number of users, which always changes. */
function isSame(one: PoolProfile, other: PoolProfile): boolean {
  const plain = (profile: PoolProfile): unknown => JSON.parse(JSON.stringify({ ...profile, estimatedUsers: 0 }));
  return isDeepStrictEqual(plain(one), plain(other));
}
