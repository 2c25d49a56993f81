/**
 * A pool, opened: its profile read, its target compared with the one that the namespace remembers, and its deliveries
 * ready to be started.
 */
import type { CognitoClient } from "../cognito/client.ts";
import { createAttributeWriter } from "../cognito/attribute-writer.ts";
import { readPoolProfile } from "../cognito/pool-profile.ts";
import { createQuotaGovernor, type QuotaGovernor } from "../cognito/quota-governor.ts";
import { createUserDirectory } from "../cognito/user-directory.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Log } from "../log.ts";
import { StoreError } from "../store/store-error.ts";
import type { Target } from "../store/store.ts";
import { type Delivery, startDelivery } from "./delivery.ts";
import { createDirect, type Direct } from "./direct.ts";
import type { Engine } from "./engine.ts";
import { createHoldWatch } from "./hold-watch.ts";
import { createUserLinks, type UserLinks } from "./user-links.ts";

export interface PoolSettings {
  readonly engine: Engine;
  readonly cognito: CognitoClient;
  readonly pool: string;
  /** Ceiling of UserUpdate calls, a second, for the account and Region. */
  readonly ratePerSecond: number;
  readonly concurrency: number;
  readonly log: Log;
}

export interface Pool {
  readonly profile: PoolProfile;
  /** From what feeds know of users to usernames. */
  readonly links: UserLinks;
  /** Starts delivering in this process. */
  deliver(): Promise<Delivery>;
  /** For a change whose outcome is waited for. */
  direct(): Direct;
  close(): Promise<void>;
}

/** UserList allows 30 calls a second; poolsync leaves some to others. */
const LISTS_PER_SECOND = 25;
/** Beyond the time-outs of a call: settling, and a process that is slow for a moment. */
const LEASE_MARGIN_MS = 5000;

/**
 * Throws a CognitoError where the pool cannot be read, a StoreError (`foreign-target`) where the namespace knows the
 * pool at another endpoint.
 */
export async function openPool(settings: PoolSettings): Promise<Pool> {
  const { engine, cognito, log, concurrency } = settings;
  const profile = await readPoolProfile(cognito, settings.pool);
  const target: Target = {
    pool: profile.id,
    endpoint: await cognito.endpointHost(),
    region: profile.region,
    arn: profile.arn,
  };
  const known = await engine.store.target(target);
  if (known.endpoint !== target.endpoint || known.region !== target.region || known.arn !== target.arn) {
    throw new StoreError(
      "foreign-target",
      `This namespace knows pool ${profile.id} at ${known.endpoint} (${known.arn}), and this process would write to ${target.endpoint} (${target.arn}): use the same endpoint and Region, or another POOLSYNC_NAMESPACE (embedded: another --data-dir).`,
    );
  }
  const governor = (category: string, ceilingPerSecond: number): QuotaGovernor =>
    createQuotaGovernor({
      pace: engine.store.pace,
      bucket: `${profile.accountId}:${profile.region}:${category}`,
      ceilingPerSecond,
      concurrency,
      onEpisode: (episode) => log.warn({ pool: profile.id, category, ...episode }, "throttled"),
    });
  const updates = governor("UserUpdate", settings.ratePerSecond);
  const lists = governor("UserList", LISTS_PER_SECOND);
  const directory = createUserDirectory(cognito);
  const calls = {
    profile,
    writer: createAttributeWriter(cognito),
    directory,
    updates,
    lists,
    leaseMs: cognito.callMs + LEASE_MARGIN_MS,
  };
  return {
    profile,
    links: createUserLinks({ store: engine.store, keyring: engine.keyring, profile, directory, lists }),
    deliver: () => startDelivery({ ...calls, engine, concurrency, log }),
    direct() {
      const { store, keyring } = engine;
      const holds = createHoldWatch(store.holds, profile.id, {
        placed: (scope, kind) => log.warn({ pool: profile.id, scope, kind }, "hold placed"),
        lifted: (scope) => log.info({ pool: profile.id, scope }, "hold lifted"),
      });
      return createDirect(engine, { ...calls, store, keyring, holds });
    },
    async close() {
      await Promise.all([updates.close(), lists.close()]);
    },
  };
}
