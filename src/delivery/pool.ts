/**
 * A pool, opened: its profile read, its target compared with the one that the namespace remembers, and its deliveries
 * ready to be started.
 */
import type { CognitoClient } from "../cognito/client.ts";
import { CognitoError } from "../cognito/cognito-error.ts";
import { createAttributeWriter } from "../cognito/attribute-writer.ts";
import { createTokenWriter } from "../cognito/token-writer.ts";
import { readProvider } from "../cognito/identity-provider.ts";
import { scanPool, scanUsers, type ScanPage, type UserName } from "../cognito/pool-scan.ts";
import { createQuotaGovernor, type QuotaGovernor } from "../cognito/quota-governor.ts";
import type { Reads } from "../cognito/read-retry.ts";
import { createUserDirectory } from "../cognito/user-directory.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Log } from "../log.ts";
import type { Keyring } from "../store/keyring.ts";
import { StoreError } from "../store/store-error.ts";
import type { Target } from "../store/store.ts";
import { type Delivery, startDelivery } from "./delivery.ts";
import { createDirect, type Direct } from "./direct.ts";
import type { Engine } from "../queues/engine.ts";
import { createHoldWatch } from "./hold-watch.ts";
import { indexedScan } from "./indexed-scan.ts";
import { reportedReads } from "./reported-reads.ts";
import { confirmProfile, keepProfile, openProfile } from "./kept-profile.ts";
import { logSettles } from "./settle-log.ts";
import { createSubProbe } from "../cognito/sub-probe.ts";
import { createSeenUsers, type SeenUsers } from "./seen-users.ts";
import { createUserNames, type UserNames } from "./user-names.ts";

export interface PoolSettings {
  readonly engine: Engine;
  readonly cognito: CognitoClient;
  readonly pool: string;
  /** Ceilings of UserUpdate and of UserList calls, a second, for the account and Region. */
  readonly ratePerSecond: number;
  readonly listsPerSecond: number;
  readonly concurrency: number;
  /** Attributes of which each whole scan notes who has which value. */
  readonly indexed?: readonly string[];
  readonly log: Log;
  /**
   * How reads are tried again that are no part of a delivery. Unless given: as in a call of the library, with reports
   * in the log.
   */
  readonly reads?: Reads;
  /** A sentence for whoever waits, of what the log says as well. */
  readonly say?: ((sentence: string) => void) | undefined;
  /** Ends the opening. */
  readonly signal?: AbortSignal;
}

export interface Pool {
  readonly profile: PoolProfile;
  /** Finds users by what people know of them. */
  readonly names: UserNames;
  /** Starts delivering in this process: everything, or what these runs have put, of which more may come. */
  deliver(runs?: ReadonlySet<string>): Promise<Delivery>;
  /** Where it lives. */
  readonly target: Target;
  /**
   * Aborts where the pool was opened as it was kept, and Cognito then refused to describe it, or described one of another
   * target: with the error that the opening would have thrown.
   */
  readonly refused: AbortSignal;
  /** What this process saw of users within the last minute. */
  readonly seen: SeenUsers;
  /**
   * Everybody in the pool, paced. Who has which value is noted in the account index, by these keys where they are not the
   * namespace's.
   */
  scan(signal: AbortSignal, keyring?: Keyring): AsyncIterable<ScanPage>;
  /** Those of these names, paced: for each user the questions, in their order. */
  look(signal: AbortSignal, names: Iterable<readonly UserName[]>): AsyncIterable<ScanPage>;
  /** The attributes that an identity provider overwrites at each sign-in; undefined where that cannot be asked. */
  providerAttributes(provider: string, signal: AbortSignal): Promise<ReadonlySet<string> | undefined>;
  /** Calls a second that are to be had at the moment. */
  pace(): Promise<{ readonly updatesPerSecond: number; readonly listsPerSecond: number }>;
  /** For a change whose outcome is waited for. */
  direct(): Direct;
  close(): Promise<void>;
}

function foreignTarget({ pool, endpoint, arn }: Target, where: string): StoreError {
  return new StoreError(
    "foreign-target",
    `This namespace knows pool ${pool} at ${endpoint} (${arn}), and this process would write to ${where}: use the same endpoint (--endpoint-url) and Region, or another POOLSYNC_NAMESPACE (embedded: another --data-dir).`,
  );
}

/** DescribeIdentityProvider allows 5 a pool. */
const PROVIDERS_PER_SECOND = 3;
/** Beyond the time-outs of a call: settling, and a process that is slow for a moment. */
const LEASE_MARGIN_MS = 5000;

/**
 * Throws a CognitoError where the pool cannot be read, the signal's reason, a StoreError (`foreign-target`) where the namespace knows the
 * pool at another endpoint.
 */
export async function openPool(settings: PoolSettings): Promise<Pool> {
  const { engine, cognito, log, concurrency, indexed = [], reads = reportedReads(log), signal } = settings;
  // Before anything is asked of another endpoint: it may be one that never answers. Without a Region there is none.
  const endpoint = await cognito.endpointHost().catch(() => undefined);
  const noted = (await engine.store.targets()).find(({ pool }) => pool === settings.pool);
  if (noted && endpoint !== undefined && noted.endpoint !== endpoint) throw foreignTarget(noted, endpoint);
  const reading = { engine, cognito, pool: settings.pool, endpoint, reads, log, say: settings.say, signal };
  const { profile, isKept } = await openProfile(reading);
  const targetOf = async ({ id, region, arn }: PoolProfile): Promise<Target> => {
    const target: Target = { pool: id, endpoint: await cognito.endpointHost(), region, arn };
    const known = await engine.store.target(target);
    if (known.endpoint === target.endpoint && known.region === region && known.arn === arn) return target;
    throw foreignTarget(known, `${target.endpoint} (${arn})`);
  };
  const target = await targetOf(profile);
  const refused = new AbortController();
  const closing = new AbortController();
  const onRefused = (error: unknown): void => {
    // A store that cannot be asked tells so by its other callers.
    const isForeign = error instanceof StoreError && error.kind === "foreign-target";
    if (!(error instanceof CognitoError) && !isForeign) return;
    log.error({ pool: profile.id, kind: error.kind, reason: error.message }, "pool cannot be read");
    refused.abort(error);
  };
  const check = async (read: PoolProfile): Promise<string> => (await targetOf(read)).endpoint;
  const confirming = isKept ? confirmProfile(reading, profile, check, closing.signal).catch(onRefused) : undefined;
  // What is not kept is read at the next start, and what is wrong with the store its next step says.
  if (!isKept) await keepProfile(engine, profile, target.endpoint).catch(() => undefined);
  const bucketOf = (category: string): string => `${profile.accountId}:${profile.region}:${category}`;
  const governor = (category: string, ceilingPerSecond: number, preparing = 0): QuotaGovernor =>
    createQuotaGovernor({
      pace: engine.store.pace,
      bucket: bucketOf(category),
      ceilingPerSecond,
      concurrency,
      preparing,
      onEpisode: (episode) => log.warn({ pool: profile.id, category, ...episode }, "throttled"),
    });
  // A claim is made in the slot, before the call: as many are made as there are calls in flight.
  const updates = governor("UserUpdate", settings.ratePerSecond, concurrency);
  const lists = governor("UserList", settings.listsPerSecond);
  const providers = governor("UserPoolResourceRead", PROVIDERS_PER_SECOND);
  // A pool may have hundreds, and a plan is worth more than what they overwrite.
  const providerReads: Reads = { ...reads, patience: { spent: false } };
  const directory = createUserDirectory(cognito);
  const { store, keyring } = engine;
  const leaseMs = cognito.callMs + LEASE_MARGIN_MS;
  const seen = createSeenUsers(profile);
  const names = createUserNames({ store, keyring, profile, directory, lists, reads, leaseMs, seen });
  const calls = {
    profile,
    names,
    seen,
    subs: createSubProbe(profile.id, directory, () =>
      log.warn({ pool: profile.id }, "the pool's service takes no sub: users are written by username"),
    ),
    writer: createAttributeWriter(cognito),
    tokenWriter: createTokenWriter(cognito),
    directory,
    updates,
    lists,
    leaseMs,
  };
  return {
    profile,
    target,
    refused: refused.signal,
    seen,
    scan(until, keys = keyring) {
      const pages = scanPool({ cognito, lists, poolId: profile.id, reads, signal: until });
      return indexed.length === 0 ? pages : indexedScan(pages, indexed, { store, keyring: keys, profile });
    },
    look(until, names) {
      const options = { cognito, lists, poolId: profile.id, reads, signal: until };
      return scanUsers({ ...options, ignoresCase: !profile.caseSensitive }, names);
    },
    providerAttributes(provider, until) {
      const pace = { governor: providers, priority: 9 };
      return readProvider(cognito, provider, { pool: profile.id, reads: providerReads, pace, signal: until });
    },
    async pace() {
      const { pace } = engine.store;
      const updates = await pace.view(bucketOf("UserUpdate"), settings.ratePerSecond);
      const lists = await pace.view(bucketOf("UserList"), settings.listsPerSecond);
      return { updatesPerSecond: updates.ratePerSecond, listsPerSecond: lists.ratePerSecond };
    },
    names,
    deliver: (runs) =>
      startDelivery({ ...calls, engine, concurrency, log, ...(runs && { selection: () => ({ runs: [...runs] }) }) }),
    direct() {
      const holds = createHoldWatch(store.holds, profile.id, {
        placed: (scope, kind) => log.warn({ pool: profile.id, scope, kind }, "hold placed"),
        lifted: (scope) => log.info({ pool: profile.id, scope }, "hold lifted"),
      });
      const settles = logSettles(store.mailboxes, profile.id, log);
      return createDirect(engine, { ...calls, store, settles, keyring, holds });
    },
    async close() {
      closing.abort();
      await Promise.all([confirming, updates.close(), lists.close(), providers.close()]);
    },
  };
}
