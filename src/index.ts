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
import { acceptInvocation, type SqsResponse } from "./app/events/sqs-invocation.ts";
import type { PoolPlace } from "./app/opening.ts";
import { openSessions, type Session } from "./app/session.ts";
import { changeAndWait, type ChangeOutcome } from "./app/users/change-and-wait.ts";
import { changeOf, type UserChange } from "./app/users/change-request.ts";
import { enqueueChange, type Enqueued } from "./app/users/enqueue-change.ts";
import type { CallRefusal } from "./cognito/recorded-calls.ts";
import { DEFAULT_INBOX, readAwsSettings } from "./config/config.ts";
import { regionInId } from "./config/pool-id.ts";
import { LOG_LEVELS } from "./config/settings.ts";
import type { Books } from "./core/books.ts";
import { callTarget, type FoundTarget } from "./core/call-target.ts";
import type { InvalidUnit } from "./core/change.ts";
import { defined } from "./core/defined.ts";
import { quoted } from "./core/quoted.ts";
import type { UnitOutcome } from "./delivery/direct.ts";
import type { Pool } from "./delivery/pool.ts";
import { unlessAborted } from "./lifecycle.ts";
import { createLog } from "./log.ts";
import type { Engine } from "./queues/engine.ts";

export type { SqsResponse } from "./app/events/sqs-invocation.ts";
export type { Enqueued } from "./app/users/enqueue-change.ts";
export type { UserChange } from "./app/users/change-request.ts";
export type { CallRefusal as SaidRefusal } from "./cognito/recorded-calls.ts";
export type { Books } from "./core/books.ts";
export type { InvalidUnit } from "./core/change.ts";
export type { Verified } from "./core/unit.ts";
export type { Ordinal } from "./core/version.ts";
export type { UnitOutcome } from "./delivery/direct.ts";

export interface PoolsyncOptions {
  /** `redis://`, `rediss://`, Sentinel or Cluster. Absent: the embedded engine, which one process may have open. */
  readonly redisUrl?: string;
  /** Where the embedded engine keeps its data. Needed where `redisUrl` is absent. */
  readonly dataDir?: string;
  /** Keeps deployments on one Redis apart. `poolsync` unless set. */
  readonly namespace?: string;
  /** 32 bytes that wrap the keys with which values and usernames are encrypted at rest. */
  readonly key?: Uint8Array;
  /** Those that were used before, while `poolsync rekey` is being run. */
  readonly previousKey?: Uint8Array;
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
  /** Ceiling of UserList calls a second, likewise. 20 unless set. */
  readonly listsPerSecond?: number;
  /** Calls in flight, at most. 10 unless set. */
  readonly concurrency?: number;
  /** A level of pino's, on stderr: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`. `warn` unless set. */
  readonly logLevel?: string;
}

export interface UpdateOptions {
  /** How long to wait for the result once the change is queued, in ms. A minute unless set. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  /** Sends the change although somebody has paused the pool. Else it is rejected, with an error of kind `paused`. */
  readonly despitePause?: boolean;
}

export interface SqsOptions {
  /** The feed of `poolsync.yaml` whose events they are, by the configuration of the `ingest` that makes changes of them. */
  readonly feed: string;
  /** The same as `id` of the feed's `events`, or an event that is also polled counts twice: a JMESPath expression for where its own id is. */
  readonly id?: string;
  /** What may wait in the inbox: as POOLSYNC_INBOX_ENTRIES and POOLSYNC_INBOX_MEGABYTES of `ingest`. 500,000 and 256 MB unless set. */
  readonly inboxEntries?: number;
  readonly inboxMegabytes?: number;
}

export interface Updated {
  /** The opaque key under which logs speak of the user. */
  readonly user: string;
  /** By attribute: whether it is written, was there, is overtaken by something newer, dead, or still pending. */
  readonly attributes: Readonly<Record<string, UnitOutcome>>;
  /** Attributes that cannot be written, and why: where there are any, nothing was written. */
  readonly invalid: readonly InvalidUnit[];
  /** The call that was refused last, in Cognito's words without the values; absent where none was. */
  readonly refusal?: CallRefusal;
}

export interface Poolsync {
  /**
   * Queues a change of one user, before everything that feeds have queued. It is stored when the promise resolves.
   * Throws a TypeError for a change that is malformed; a StoreError or CognitoError where store or pool cannot be
   * reached. What passes by itself, such as a throttle, is tried again first: each read of the pool for 30 seconds.
   *
   * Where the store was emptied, replaced or restored since it was opened, this and the other calls open it anew. What
   * had been queued and not delivered is gone with the former.
   */
  enqueue(change: UserChange): Promise<Enqueued>;
  /**
   * Changes one user and waits for the result, before all that is queued and without any `deliver`. Nothing is written
   * where one of the attributes is invalid. What is `pending` when the time is up stays queued. Rejects as `enqueue`
   * does, and with the signal's reason; with a StoreError `store-replaced` where the store was replaced while the result
   * was waited for.
   */
  update(change: Omit<UserChange, "version">, options?: UpdateOptions): Promise<Updated>;
  /**
   * Keeps the messages that Amazon SQS invokes a function with (AWS Lambda) in the inbox of a Redis, where a running
   * `poolsync ingest` makes changes of them. Answers those that could not be kept: the event source mapping has to have
   * `ReportBatchItemFailures`. Rejects with a TypeError where there is no `redisUrl`, or the event is another one.
   */
  handleSqsEvent(event: unknown, options: SqsOptions): Promise<SqsResponse>;
  /** Delivers a pool's changes in this process until poolsync is closed. With the embedded engine somebody must. */
  deliver(pool: string): Promise<void>;
  /** The books of all runs, in units. */
  books(): Promise<Books>;
  /** Finishes the calls in flight, for 25 s at most; what is queued stays queued. */
  close(): Promise<void>;
}

const DEFAULTS = {
  namespace: "poolsync",
  ratePerSecond: 20,
  listsPerSecond: 20,
  concurrency: 10,
  logLevel: "warn",
} as const;
const WAIT_MS = 60_000;
const NEVER = (): AbortSignal => new AbortController().signal;

/** Opens the store. Throws a TypeError for an invalid option; a StoreError whose message ends with the next step. */
export async function openPoolsync(options: PoolsyncOptions): Promise<Poolsync> {
  const settings = { ...DEFAULTS, ...options };
  const { redisUrl, dataDir, namespace, key, previousKey, ratePerSecond, listsPerSecond, concurrency } = settings;
  if (redisUrl === undefined && dataDir === undefined) {
    throw new TypeError("Expected `redisUrl` or `dataDir`, got neither: say where poolsync keeps its data");
  }
  checkOptions(settings);
  const log = createLog(settings.logLevel);
  const placeOf = await placesOf(settings);
  const closing = new AbortController();
  const sessions = await openSessions({
    engine: {
      namespace,
      dataDir: dataDir ?? "",
      ...(redisUrl === undefined ? {} : { redisUrl }),
      ...defined({ key: key && Buffer.from(key), previousKey: previousKey && Buffer.from(previousKey) }),
      ceilingsOf: () => ({ ratePerSecond, listsPerSecond }),
    },
    concurrency,
    log,
    placeOf: (id) => ({ ...placeOf(id), ratePerSecond, listsPerSecond }),
    signal: closing.signal,
  });

  return {
    enqueue(request) {
      return sessions.use(async ({ engine, pool }) => {
        const change = changeOf(request);
        const outcome = await enqueueChange(engine, await pool(request.pool), change, closing.signal);
        if (outcome.is === "enqueued") return outcome.enqueued;
        throw outcome.is === "fault" ? new TypeError(outcome.fault.detail) : notOneUser(outcome.is);
      });
    },
    update(request, { waitMs = WAIT_MS, signal = NEVER(), despitePause = false } = {}) {
      let isPut = false;
      const onPut = (): void => void (isPut = true);
      const update = async ({ engine, pool: open }: Session): Promise<Updated> => {
        const { pool: id, username, attributes, verified, clientMetadata } = request;
        const change = changeOf({
          pool: id,
          username,
          attributes,
          ...(verified === undefined ? {} : { verified }),
          ...(clientMetadata === undefined ? {} : { clientMetadata }),
        });
        const reading = AbortSignal.any([signal, closing.signal]);
        const pool = await unlessAborted(open(id), reading);
        const outcome = await changeAndWait(engine, pool, change, { reading, signal, waitMs, despitePause, onPut });
        return updatedBy(outcome, () => userKeyOf(engine, pool, change.username, reading));
      };
      // Once it is put, a call may have been made.
      return sessions.use(update, () => !isPut);
    },
    async handleSqsEvent(event, { feed, id, inboxEntries, inboxMegabytes }) {
      if (redisUrl === undefined) {
        throw new TypeError("Expected `redisUrl`: nobody would make changes of what lies in this function's directory");
      }
      const entries = inboxEntries ?? DEFAULT_INBOX.entries;
      const bytes = (inboxMegabytes ?? DEFAULT_INBOX.megabytes) * 2 ** 20;
      const limits = { entries, bytes };
      return sessions.use(({ engine }) => acceptInvocation({ engine, log }, event, { feed, id, limits }));
    },
    deliver: (id) => sessions.use(({ deliver }) => deliver(id)),
    books: () => sessions.use(({ engine }) => engine.store.runs.books()),
    async close() {
      closing.abort(new Error("Expected poolsync to be open until its calls have ended, and it was closed"));
      await sessions.close();
    },
  };
}

/** What is told of a change that was waited for. `findUser`: the key of its user, where nothing was put. */
async function updatedBy(outcome: ChangeOutcome, findUser: () => Promise<string>): Promise<Updated> {
  switch (outcome.is) {
    case "delivered": {
      const { outcomes, refusal } = outcome.delivered;
      const updated = { user: outcome.user, attributes: Object.fromEntries(outcomes), invalid: [] };
      return refusal === undefined ? updated : { ...updated, refusal };
    }
    case "invalid":
      return { user: await findUser(), attributes: {}, invalid: outcome.invalid };
    case "fault":
      throw new TypeError(outcome.fault.detail);
    case "none":
    case "many":
      throw notOneUser(outcome.is);
    case "unasked":
    case "interrupted":
      throw outcome.cause;
    case "queued":
      throw new Error("Expected a change that is waited for not to be left to workers");
  }
}

/** The key of a user whose change is invalid: whose it is has to be asked all the same. */
async function userKeyOf({ keyring }: Engine, pool: Pool, name: string, signal: AbortSignal): Promise<string> {
  const named = await pool.names.whose(name, undefined, signal);
  if (named.is !== "one") throw notOneUser(named.is);
  return keyring.userKey(pool.profile.id, named.username);
}

function notOneUser(is: "none" | "many"): TypeError {
  const how = is === "none" ? "nobody has" : "several have";
  return new TypeError(`Expected \`username\` to name one user of the pool, and ${how} this address or number`);
}

/** Where the calls of a pool go. Throws a TypeError for an option that cannot be. */
async function placesOf({ region, endpoint, profile }: PoolsyncOptions): Promise<(id: string) => Place> {
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
  // Checks the target before anything is opened.
  targetOf();
  return (id) => {
    const { target, passed } = targetOf(regionInId(id));
    return { ...target, id, ...(passed === undefined ? {} : { passedRegion: passed }) };
  };
}

type Place = Omit<PoolPlace, "ratePerSecond" | "listsPerSecond">;

const KEY_BYTES = 32;

function checkOptions(options: PoolsyncOptions): void {
  const { ratePerSecond = 1, listsPerSecond = 1, concurrency = 1, key, previousKey, logLevel } = options;
  const fault = (name: string, form: string, got: unknown): TypeError =>
    new TypeError(`Expected \`${name}\` to be ${form}, got ${quoted(String(got))}`);
  for (const [name, rate] of Object.entries({ ratePerSecond, listsPerSecond })) {
    if (!Number.isFinite(rate) || rate <= 0) throw fault(name, "a number above 0", rate);
  }
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw fault("concurrency", "a whole number from 1", concurrency);
  }
  for (const [name, bytes] of Object.entries(defined({ key, previousKey }))) {
    if (bytes instanceof Uint8Array && bytes.length === KEY_BYTES) continue;
    throw new TypeError(`Expected \`${name}\` to be a Uint8Array of ${KEY_BYTES} bytes`);
  }
  if (!LOG_LEVELS.some((level) => level === logLevel)) {
    throw fault("logLevel", `one of ${LOG_LEVELS.join(", ")}`, logLevel);
  }
}
