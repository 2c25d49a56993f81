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
import { createCognitoClients } from "./cognito/client.ts";
import type { SaidRefusal } from "./cognito/heard-calls.ts";
import { readAwsSettings, regionInId } from "./config/config.ts";
import { LOG_LEVELS } from "./config/settings.ts";
import type { Books } from "./core/books.ts";
import { callTarget, type FoundTarget } from "./core/call-target.ts";
import type { InvalidUnit } from "./core/change.ts";
import { quoted } from "./core/quoted.ts";
import { createLog } from "./log.ts";
import type { Delivery } from "./delivery/delivery.ts";
import type { UnitOutcome } from "./delivery/direct.ts";
import { openEngine } from "./queues/engine.ts";
import { openPool, type Pool } from "./delivery/pool.ts";
import { createProducer, VERSION_AHEAD } from "./delivery/producer.ts";
import { PRIORITY } from "./queues/wake-ups.ts";
import { changeOf, type UserChange } from "./app/users/user-change.ts";

export type { SaidRefusal } from "./cognito/heard-calls.ts";
export type { Books } from "./core/books.ts";
export type { InvalidUnit } from "./core/change.ts";
export type { Verified } from "./core/unit.ts";
export type { Ordinal } from "./core/version.ts";
export type { UnitOutcome } from "./delivery/direct.ts";
export type { UserChange } from "./app/users/user-change.ts";

export interface PoolsyncOptions {
  /** `redis://`, `rediss://`, Sentinel or Cluster. Absent: the embedded engine, which one process may have open. */
  readonly redisUrl?: string;
  /** Where the embedded engine keeps its data. Needed where `redisUrl` is absent. */
  readonly dataDir?: string;
  /** Keeps deployments on one Redis apart. `poolsync` unless set. */
  readonly namespace?: string;
  /** 32 bytes that encrypt values and usernames at rest. */
  readonly key?: Uint8Array;
  /**
   * Where it is absent: AWS_REGION, else the one that a pool's id begins with, else AWS_DEFAULT_REGION or the profile's.
   */
  readonly region?: string;
  /** Where it is absent: the one of AWS's variables or of the profile, as the AWS CLI finds it, else AWS's own. */
  readonly endpoint?: string;
  /** Of AWS's configuration files: before AWS_PROFILE, and before keys in the environment. */
  readonly profile?: string;
  /** Ceiling of UserUpdate calls a second, for the account and Region. 20 unless set. */
  readonly ratePerSecond?: number;
  /** Calls in flight, at most. 10 unless set. */
  readonly concurrency?: number;
  /** A level of pino's, on stderr: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`. `warn` unless set. */
  readonly logLevel?: string;
}

export interface Enqueued {
  /** The opaque key under which logs speak of the user. */
  readonly user: string;
  /** Attributes that are queued. */
  readonly queued: readonly string[];
  /** Attributes that cannot be written, and why; the others are queued all the same. Counted in the books. */
  readonly invalid: readonly InvalidUnit[];
}

export interface UpdateOptions {
  /** How long to wait for the result once the change is queued, in ms. A minute unless set. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface Updated {
  /** The opaque key under which logs speak of the user. */
  readonly user: string;
  /** By attribute: whether it is written, was there, is overtaken by something newer, dead, or still pending. */
  readonly attributes: Readonly<Record<string, UnitOutcome>>;
  /** Attributes that cannot be written, and why: where there are any, nothing was written. */
  readonly invalid: readonly InvalidUnit[];
  /** The call that was refused last, in Cognito's words without the values; absent where none was. */
  readonly refusal?: SaidRefusal;
}

export interface Poolsync {
  /**
   * Queues a change of one user, before everything that feeds have queued. It is stored when the promise resolves.
   * Throws a TypeError for a change that is malformed; a StoreError or CognitoError where store or pool cannot be
   * reached. What passes by itself, such as a throttle, is tried again first: each read of the pool for 30 seconds.
   */
  enqueue(change: UserChange): Promise<Enqueued>;
  /**
   * Changes one user and waits for the result, before all that is queued and without any `deliver`. Nothing is written
   * where one of the attributes is invalid. What is `pending` when the time is up stays queued. Rejects as `enqueue`
   * does, and with the signal's reason.
   */
  update(change: Omit<UserChange, "version">, options?: UpdateOptions): Promise<Updated>;
  /** Delivers a pool's changes in this process until poolsync is closed. With the embedded engine somebody must. */
  deliver(pool: string): Promise<void>;
  /** The books of all runs, in units. */
  books(): Promise<Books>;
  /** Finishes the calls in flight, for 25 s at most; what is queued stays queued. */
  close(): Promise<void>;
}

const DEFAULTS = { namespace: "poolsync", ratePerSecond: 20, concurrency: 10, logLevel: "warn" } as const;
const DRAIN_MS = 25_000;

/** Opens the store. Throws a TypeError for an option that cannot be; a StoreError whose message ends with the next step. */
export async function openPoolsync(options: PoolsyncOptions): Promise<Poolsync> {
  const settings = { ...DEFAULTS, ...options };
  const { redisUrl, dataDir, namespace, key, region, endpoint, profile, ratePerSecond, concurrency } = settings;
  if (redisUrl === undefined && dataDir === undefined) {
    throw new TypeError("Expected `redisUrl` or `dataDir`, got neither: say where poolsync keeps its data");
  }
  checkOptions(settings);
  const log = createLog(settings.logLevel);
  const aws = await readAwsSettings();
  const targetOf = (regionOfId?: string): Exclude<FoundTarget, { fault: unknown }> => {
    const found = callTarget(aws, {
      service: "COGNITO_IDENTITY_PROVIDER",
      region,
      profile: profile === undefined ? undefined : { value: profile, path: "profile" },
      endpoint: endpoint === undefined ? undefined : { value: endpoint, path: "endpoint" },
      regionOfId,
    });
    if ("fault" in found) throw new TypeError(`${found.fault.path}: ${found.fault.message}`);
    return found;
  };
  // Before anything is opened for what cannot be.
  targetOf();
  const engine = await openEngine({
    namespace,
    dataDir: dataDir ?? "",
    log,
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(key === undefined ? {} : { key }),
  });
  const clients = createCognitoClients({ concurrency });
  const closing = new AbortController();
  const pools = new Map<string, Promise<Pool>>();
  const deliveries = new Map<string, Promise<Delivery>>();

  /** Opened once; a failure is not remembered. */
  const poolOf = (id: string): Promise<Pool> => {
    const known = pools.get(id);
    if (known) return known;
    const { target, passed } = targetOf(regionInId(id));
    if (passed !== undefined) {
      const { region: other, saidBy } = passed;
      log.warn({ pool: id, region: target.region, other, saidBy }, "region of the pool's id used");
    }
    const cognito = clients.of(target);
    const opening = openPool({ engine, cognito, pool: id, ratePerSecond, concurrency, log, signal: closing.signal });
    pools.set(id, opening);
    opening.catch(() => pools.delete(id));
    return opening;
  };

  return {
    async enqueue(said) {
      const change = changeOf(said);
      const { pool: id } = said;
      const { profile: schema, names } = await poolOf(id);
      const run = await engine.store.runs.direct(id);
      const producer = createProducer({
        engine,
        profile: schema,
        run: run.id,
        priority: PRIORITY.direct,
        sendUnless: "written",
      });
      const checked = producer.check(change);
      if ("fault" in checked) throw new TypeError(checked.fault.detail);
      const { sound, invalid } = checked;
      const { username, person } = await whose(names, change.username, closing.signal);
      const { ahead } = await producer.put([{ ...sound, username, person }], {
        invalid: invalid.length,
        rows: { read: 1, faulty: 0 },
      });
      const units = sound.units.map(({ name }) => name);
      const key = producer.userKey(username);
      if (ahead === 0) return { user: key, queued: units, invalid };
      return { user: key, queued: [], invalid: [...invalid, ...units.map((name) => ({ name, ...VERSION_AHEAD }))] };
    },
    async update(said, { waitMs = WAIT_MS, signal = NEVER() } = {}) {
      const { pool: id, username: name, attributes, verified, clientMetadata } = said;
      const change = changeOf({
        pool: id,
        username: name,
        attributes,
        ...(verified === undefined ? {} : { verified }),
        ...(clientMetadata === undefined ? {} : { clientMetadata }),
      });
      const reading = AbortSignal.any([signal, closing.signal]);
      const pool = await unlessAborted(poolOf(id), reading);
      const direct = pool.direct();
      const checked = direct.check(change);
      if ("fault" in checked) throw new TypeError(checked.fault.detail);
      const { sound, invalid } = checked;
      const { username, person } = await whose(pool.names, change.username, reading);
      if (invalid.length > 0) return { user: direct.userKey(username), attributes: {}, invalid };
      const submitted = await direct.submit({ ...sound, username, person }, { wake: false });
      const { outcomes, refusal } = await direct.deliverNow(submitted, { waitMs, signal });
      const told = { user: submitted.user, attributes: Object.fromEntries(outcomes), invalid };
      return refusal === undefined ? told : { ...told, refusal };
    },
    async deliver(id) {
      const pool = await poolOf(id);
      const delivery = deliveries.get(id) ?? pool.deliver();
      deliveries.set(id, delivery);
      delivery.catch(() => deliveries.delete(id));
      await delivery;
    },
    books: () => engine.store.runs.books(),
    async close() {
      closing.abort(new Error("Expected poolsync to be open until its calls have ended, and it was closed"));
      try {
        await Promise.all([...deliveries.values()].map(async (delivery) => (await delivery).stop(DRAIN_MS)));
        for (const opening of pools.values()) {
          // One that failed has told who asked for it.
          const pool = await opening.catch(() => undefined);
          await pool?.close();
        }
      } finally {
        clients.close();
        await engine.close();
      }
    },
  };
}

const WAIT_MS = 60_000;
const NEVER = (): AbortSignal => new AbortController().signal;

/** What others wait for as well goes on where one of them does not wait any longer. */
async function unlessAborted<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([awaited, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function whose(names: Pool["names"], said: string, signal: AbortSignal) {
  const named = await names.whose(said, undefined, signal);
  if (named.is === "one") return named;
  throw new TypeError(
    `Expected \`username\` to name one user of the pool, and ${named.is === "none" ? "nobody has" : "several have"} this address or number`,
  );
}

const KEY_BYTES = 32;

function checkOptions({ ratePerSecond = 1, concurrency = 1, key, logLevel }: PoolsyncOptions): void {
  const fault = (name: string, form: string, got: unknown): TypeError =>
    new TypeError(`Expected \`${name}\` to be ${form}, got ${quoted(String(got))}`);
  if (!Number.isFinite(ratePerSecond) || ratePerSecond <= 0) {
    throw fault("ratePerSecond", "a number above 0", ratePerSecond);
  }
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw fault("concurrency", "a whole number from 1", concurrency);
  }
  if (key !== undefined && !(key instanceof Uint8Array && key.length === KEY_BYTES)) {
    throw new TypeError(`Expected \`key\` to be a Uint8Array of ${KEY_BYTES} bytes`);
  }
  if (!LOG_LEVELS.some((level) => level === logLevel)) {
    throw fault("logLevel", `one of ${LOG_LEVELS.join(", ")}`, logLevel);
  }
}
