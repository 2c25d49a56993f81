/**
 * The library: an application opens poolsync and queues changes; workers deliver them, in this process or in others.
 *
 *     const poolsync = await openPoolsync({ redisUrl: "redis://127.0.0.1:6379" });
 *     await poolsync.enqueue({
 *       pool: "eu-west-1_Example",
 *       username: "jane",
 *       attributes: { family_name: "Roe", email: "jane.roe@example.com", nickname: null },
 *       verified: "mark",
 *     });
 *     await poolsync.close();
 */
import { createCognitoClient } from "./cognito/client.ts";
import type { Books } from "./core/books.ts";
import type { InvalidUnit } from "./core/change.ts";
import { contactOf, isContact, type Unit, type UnitValue, type Verified } from "./core/unit.ts";
import type { Ordinal } from "./core/version.ts";
import { createLog } from "./log.ts";
import type { Delivery } from "./queues/delivery.ts";
import { openEngine } from "./queues/engine.ts";
import { openPool, type Pool } from "./queues/pool.ts";
import { createProducer } from "./queues/producer.ts";
import { PRIORITY } from "./queues/wake-ups.ts";

export type { Books } from "./core/books.ts";
export type { InvalidUnit } from "./core/change.ts";
export type { Verified } from "./core/unit.ts";
export type { Ordinal } from "./core/version.ts";

export interface PoolsyncOptions {
  /** `redis://`, `rediss://`, Sentinel or Cluster. Absent: the embedded engine, which one process may have open. */
  readonly redisUrl?: string;
  /** Where the embedded engine keeps its data. Needed where `redisUrl` is absent. */
  readonly dataDir?: string;
  /** Keeps deployments on one Redis apart. `poolsync` unless set. */
  readonly namespace?: string;
  /** 32 bytes that encrypt values and usernames at rest. */
  readonly key?: Buffer;
  /** The AWS SDK's own default chains are used for what is absent. */
  readonly region?: string;
  readonly endpoint?: string;
  readonly profile?: string;
  /** Ceiling of UserUpdate calls a second, for the account and Region. 20 unless set. */
  readonly ratePerSecond?: number;
  /** Calls in flight, at most. 10 unless set. */
  readonly concurrency?: number;
  /** A level of pino's, on stderr. `warn` unless set. */
  readonly logLevel?: string;
}

export interface UserChange {
  /** A user pool's id. */
  readonly pool: string;
  readonly username: string;
  /**
   * Wanted values by attribute name, custom ones with their `custom:`. Null clears. `email_verified` and
   * `phone_number_verified` as `"true"` or `"false"` set the flag of the value that is there.
   */
  readonly attributes: Readonly<Record<string, string | null>>;
  /** What becomes of the flag of an e-mail address or phone number that changes: needed where one is given. */
  readonly verified?: Verified;
  /** The source's time and sequence; the store's own time where it is absent. */
  readonly version?: Ordinal;
}

export interface Enqueued {
  /** The opaque key under which logs speak of the user. */
  readonly user: string;
  /** Attributes that are queued. */
  readonly queued: readonly string[];
  /** Attributes that cannot be written, and why; the others are queued all the same. Counted in the books. */
  readonly invalid: readonly InvalidUnit[];
}

export interface Poolsync {
  /**
   * Queues a change of one user, before everything that feeds have queued. It is stored when the promise resolves.
   * Throws a TypeError for a change that is malformed; a StoreError or CognitoError where store or pool cannot be
   * reached.
   */
  enqueue(change: UserChange): Promise<Enqueued>;
  /** Delivers a pool's changes in this process until poolsync is closed. With the embedded engine somebody must. */
  deliver(pool: string): Promise<void>;
  /** The books of all runs, in units. */
  books(): Promise<Books>;
  /** Finishes the calls in flight, for 25 s at most; what is queued stays queued. */
  close(): Promise<void>;
}

const DEFAULTS = { namespace: "poolsync", ratePerSecond: 20, concurrency: 10, logLevel: "warn" } as const;
const DRAIN_MS = 25_000;

/** Opens the store. Throws a StoreError whose message ends with the next step. */
export async function openPoolsync(options: PoolsyncOptions): Promise<Poolsync> {
  const settings = { ...DEFAULTS, ...options };
  const { redisUrl, dataDir, namespace, key, region, endpoint, profile, ratePerSecond, concurrency } = settings;
  if (redisUrl === undefined && dataDir === undefined) {
    throw new TypeError("Expected `redisUrl` or `dataDir`, got neither: say where poolsync keeps its data");
  }
  const log = createLog(settings.logLevel);
  const engine = await openEngine({
    namespace,
    dataDir: dataDir ?? "",
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(key === undefined ? {} : { key }),
  });
  const cognito = createCognitoClient({
    concurrency,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
  });
  const pools = new Map<string, Promise<Pool>>();
  const deliveries = new Map<string, Promise<Delivery>>();

  /** Opened once; a failure is not remembered. */
  const poolOf = (id: string): Promise<Pool> => {
    const known = pools.get(id);
    if (known) return known;
    const opening = openPool({ engine, cognito, pool: id, ratePerSecond, concurrency, log });
    pools.set(id, opening);
    opening.catch(() => pools.delete(id));
    return opening;
  };

  return {
    async enqueue({ pool: id, username, attributes, verified, version }) {
      const units = Object.entries(attributes).map(([name, value]) => unitOf(name, value, verified, attributes));
      const { profile: schema, links } = await poolOf(id);
      const run = await engine.store.runs.direct(id);
      const producer = createProducer({ engine, profile: schema, run: run.id, priority: PRIORITY.direct });
      const checked = producer.check({ username, units, ...(version ? { version } : {}) });
      if ("fault" in checked) throw new TypeError(checked.fault.detail);
      const { sound, invalid } = checked;
      const user = await links.resolve(username);
      if (user.is !== "one") {
        throw new TypeError(
          `Expected \`username\` to name one user of the pool, and ${user.is === "none" ? "nobody has" : "several have"} this address or number`,
        );
      }
      await producer.put([{ ...sound, username: user.username }], {
        invalid: invalid.length,
        rows: { read: 1, faulty: 0 },
      });
      return { user: producer.userKey(user.username), queued: sound.units.map(({ name }) => name), invalid };
    },
    async deliver(id) {
      const pool = await poolOf(id);
      if (!deliveries.has(id)) deliveries.set(id, pool.deliver());
      await deliveries.get(id);
    },
    books: () => engine.store.runs.books(),
    async close() {
      try {
        await Promise.all([...deliveries.values()].map(async (delivery) => (await delivery).stop(DRAIN_MS)));
        for (const opening of pools.values()) await (await opening).close();
      } finally {
        cognito.close();
        await engine.close();
      }
    },
  };
}

function unitOf(
  name: string,
  value: string | null,
  verified: Verified | undefined,
  attributes: UserChange["attributes"],
): Unit {
  const contact = contactOf(name);
  if (contact !== undefined) {
    if (Object.hasOwn(attributes, contact)) {
      throw new TypeError(
        `Expected \`${name}\` not to come with \`${contact}\`: say \`verified\` of the change instead`,
      );
    }
    if (value !== "true" && value !== "false") throw new TypeError(`Expected \`${name}\` to be "true" or "false"`);
    return { name, value: { kind: "as-is", verified: value === "true" } };
  }
  if (value === null) return { name, value: { kind: "clear" } };
  if (value === "") throw new TypeError(`Expected \`${name}\` to be text or null, got "": null clears an attribute`);
  if (!isContact(name)) return { name, value: { kind: "text", text: value } };
  if (verified === undefined) {
    throw new TypeError(
      `Expected \`verified\` to be mark, ask or keep, got nothing: \`${name}\` without it would become unverified, and could lock the user out`,
    );
  }
  const text: UnitValue = { kind: "text", text: value, verified };
  return { name, value: text };
}
