import assert from "node:assert/strict";
import { after, before, type TestContext } from "node:test";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { type Books, imbalance } from "../../src/core/books.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { QueuedUnit, SendUnless } from "../../src/core/mailbox.ts";
import type { CallOptions } from "../../src/core/call-options.ts";
import type { PoolProfile } from "../../src/core/pool-schema.ts";
import type { Unit, Verified } from "../../src/core/unit.ts";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../src/emulator/emulator.ts";
import type { PoolDefinition, UserSeed } from "../../src/emulator/pool-definition.ts";
import type { UserPool } from "../../src/emulator/user-pool.ts";
import { createLog } from "../../src/log.ts";
import type { Delivery } from "../../src/delivery/delivery.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { openPool, type Pool } from "../../src/delivery/pool.ts";
import { createProducer } from "../../src/delivery/producer.ts";
import { PRIORITY } from "../../src/queues/wake-ups.ts";
import type { HoldScope } from "../../src/store/holds.ts";
import { until } from "./condition.ts";
import { startWatchedProxy, type WatchedProxy } from "./watched-proxy.ts";

export interface StageOptions {
  readonly pool?: Omit<PoolDefinition, "id">;
  readonly emulator?: EmulatorOptions;
  readonly ratePerSecond?: number;
  readonly concurrency?: number;
  readonly requestTimeoutMs?: number;
  /** Counts what is in flight at the emulator. */
  readonly watched?: boolean;
}

export interface PutOptions {
  /** Of the source's clock; the later put is the newer where it is absent. */
  readonly sequence?: number;
  readonly priority?: number;
  /** What the producer takes for the pool's profile. */
  readonly profile?: PoolProfile;
  readonly callOptions?: CallOptions;
  /** The wake-up is lost. */
  readonly unheard?: true;
  readonly sendUnless?: SendUnless;
}

/** One pool at an emulator of its own, and a run of its own: tests share nothing but the engine. */
export interface Stage {
  readonly engine: Engine;
  readonly emulator: Emulator;
  readonly users: UserPool;
  readonly pool: Pool;
  readonly id: string;
  readonly run: string;
  /** Calls in flight at a time, where they are watched. */
  readonly most: WatchedProxy["most"];
  /** Another process's view of the same pool; with `watched`, on an engine that the test has wrapped. */
  open(watched?: Engine): Promise<Pool>;
  /** Starts a delivery, which ends with the test. */
  deliver(pool?: Pool): Promise<Delivery>;
  /** Answers the user's key. */
  put(username: string, units: readonly Unit[], options?: PutOptions): Promise<string>;
  /** Puts the same for several users, as one page. */
  putPage(usernames: readonly string[], units: readonly Unit[], options?: PutOptions): Promise<void>;
  /** One unit of a user, wherever it waits or is on its way. */
  held(username: string, unit: string): Promise<QueuedUnit | undefined>;
  key(username: string): string;
  books(): Promise<Books>;
  /** Until nothing of the run is pending. */
  settled(): Promise<void>;
  letters(): Promise<Letter[]>;
  holdOf(scope: HoldScope): Promise<string | undefined>;
  attributes(username: string): Readonly<Record<string, string>>;
  /** What was written to a user, in order. */
  writes(username?: string): Readonly<Record<string, string>>[];
  /** AdminUpdateUserAttributes calls that came in. */
  calls(): number;
}

export type OpenStage = (t: TestContext, seeds?: readonly (string | UserSeed)[], o?: StageOptions) => Promise<Stage>;

export const text = (name: string, value: string): Unit => ({ name, value: { kind: "text", text: value } });
export const clear = (name: string): Unit => ({ name, value: { kind: "clear" } });
export const asIs = (name: string, verified: boolean): Unit => ({ name, value: { kind: "as-is", verified } });
export const contact = <N extends "email" | "phone_number">(
  name: N,
  value: string,
  verified: Verified,
): Unit & { name: N } => ({
  name,
  value: { kind: "text", text: value, verified },
});

let stages = 0;

/** One engine for all tests of the `describe` that this is called in. */
export function stageOn(openEngine: () => Promise<{ readonly engine: Engine; close(): Promise<void> }>): OpenStage {
  let opened: Awaited<ReturnType<typeof openEngine>> | undefined;
  before(async () => {
    opened = await openEngine();
  });
  after(() => opened?.close());
  return (t, seeds = [], options = {}) => {
    assert.ok(opened);
    return openStage(t, opened.engine, seeds, options);
  };
}

async function openStage(
  t: TestContext,
  engine: Engine,
  seeds: readonly (string | UserSeed)[],
  { pool: definition, emulator: settings, ...options }: StageOptions,
): Promise<Stage> {
  const stage = ++stages;
  // The pace belongs to account and Region: with a Region of its own a test slows down nobody else.
  const id = `test-${stage}_Pool`;
  const closers: (() => Promise<void> | void)[] = [];
  t.after(async () => {
    for (const close of closers.toReversed()) await close();
  });
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0, ...settings });
  closers.push(() => emulator.close());
  const users = emulator.pools.add({ name: "people", ...definition, id });
  for (const seed of seeds) users.addUser(typeof seed === "string" ? { username: seed } : seed);
  const proxy = options.watched ? await startWatchedProxy(emulator.url) : undefined;
  closers.push(() => proxy?.close());
  const endpoint = proxy?.url ?? emulator.url;
  const log = createLog("silent");

  const open = async (watched = engine): Promise<Pool> => {
    const { ratePerSecond = 1000, concurrency = 5, requestTimeoutMs = 10_000 } = options;
    const cognito = createCognitoClient({ endpoint, region: "eu-west-1", concurrency, requestTimeoutMs });
    const pool = await openPool({
      engine: watched,
      cognito,
      pool: id,
      ratePerSecond,
      listsPerSecond: 25,
      concurrency,
      log,
    });
    closers.push(async () => {
      await pool.close();
      cognito.close();
    });
    return pool;
  };
  const pool = await open();
  const run = `run-${stage}`;
  await engine.store.runs.begin({ id: run, source: "file", pool: id, feed: "test", identity: "", asOf: Date.now() });
  const timeMs = Date.now() - 60_000;
  let sequence = 0;
  const producerOf = ({ priority = PRIORITY.bulk, profile = pool.profile, unheard, sendUnless }: PutOptions) => {
    const silent = { ...engine, wakeUps: { ...engine.wakeUps, wake: async () => {} } };
    const asked = sendUnless === undefined ? {} : { sendUnless };
    return createProducer({ engine: unheard ? silent : engine, profile, run, priority, ...asked });
  };
  const key = (username: string): string => producerOf({}).userKey(username);
  const books = (): Promise<Books> => engine.store.runs.books(run);
  async function putPage(usernames: readonly string[], units: readonly Unit[], put: PutOptions = {}): Promise<void> {
    const producer = producerOf(put);
    const { callOptions } = put;
    const changes = usernames.map((username) => {
      const version = { timeMs, sequence: put.sequence ?? ++sequence };
      const checked = producer.check({
        username,
        units,
        version,
        ...(callOptions === undefined ? {} : { callOptions }),
      });
      assert.ok("sound" in checked);
      assert.deepEqual(checked.invalid, []);
      return checked.sound;
    });
    await producer.put(changes, { invalid: 0, rows: { read: changes.length, faulty: 0 } });
  }
  closers.push(async () => {
    const at = await books();
    assert.equal(imbalance(at), 0, `Expected the books to balance: ${JSON.stringify(at)}`);
  });

  return {
    engine,
    emulator,
    users,
    pool,
    id,
    run,
    open,
    most: proxy?.most ?? { ofOneUser: 0, ofAll: 0 },
    key,
    books,
    async deliver(from = pool) {
      const delivery = await from.deliver();
      closers.push(() => delivery.stop(0));
      return delivery;
    },
    async put(username, units, put = {}) {
      await putPage([username], units, put);
      return key(username);
    },
    putPage,
    async held(username, unit) {
      const { mailbox } = await engine.store.mailboxes.read(key(username));
      return mailbox?.pending[unit] ?? mailbox?.claim?.units[unit];
    },
    settled: () => until("nothing of the run is pending", async () => (await books()).pending === 0, 40_000),
    async letters() {
      const letters: Letter[] = [];
      for await (const letter of engine.store.letters.list({ pool: id })) letters.push(letter);
      return letters;
    },
    async holdOf(scope) {
      const holds = await engine.store.holds.list();
      return holds.find((hold) => hold.pool === id && hold.scope === scope)?.kind;
    },
    attributes: (username) => users.user(username)?.attributes ?? {},
    writes: (username) =>
      emulator.log.writes
        .filter((write) => username === undefined || write.username === username)
        .map(({ attributes }) => attributes),
    calls: () => emulator.counters.operations["AdminUpdateUserAttributes"]?.calls ?? 0,
  };
}
