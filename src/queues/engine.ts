/**
 * The engine: the store, BullMQ's queues and the keyring of one namespace, on Redis or embedded. Everything above
 * works with either.
 */
import { createHash } from "node:crypto";
import { createLog, type Log } from "../log.ts";
import { createKeyring, freshSecret, type Keyring } from "../store/keyring.ts";
import { redisConnection } from "../store/redis/connection.ts";
import { openRedisStore } from "../store/redis/redis-store.ts";
import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import { openQueues, type Queues } from "./bullmq.ts";
import { createRedisWatch } from "./redis-watch.ts";
import { createWakeUps, type WakeUps } from "./wake-ups.ts";

export interface EngineSettings {
  /** Absent: embedded. */
  readonly redisUrl?: string;
  /** Where the embedded engine keeps its data. */
  readonly dataDir: string;
  readonly namespace: string;
  /** 32 bytes that encrypt values and usernames at rest. */
  readonly key?: Uint8Array;
  /** Told when Redis is lost or silent, and when that is over. */
  readonly log?: Log;
  /** The same in a sentence, for the person at the terminal. */
  readonly say?: (sentence: string) => void;
}

export interface Engine {
  readonly kind: "redis" | "embedded";
  readonly store: Store;
  readonly queues: Queues;
  readonly wakeUps: WakeUps;
  readonly keyring: Keyring;
  /** False while the connection to Redis is lost, or silent: it heals by itself, and calls wait for it. */
  readonly connected: boolean;
  /** What a process is told that finds the data directory in use. Absent on Redis, where nobody has to ask. */
  readonly answer?: (status: () => Promise<unknown>) => void;
  close(): Promise<void>;
}

/** Opens the engine. Throws a StoreError with the next step where it cannot. */
export async function openEngine(settings: EngineSettings): Promise<Engine> {
  const { redisUrl, namespace, dataDir, key, log = createLog("silent"), say = () => undefined } = settings;
  if (redisUrl !== undefined) {
    const watch = createRedisWatch(redisConnection(redisUrl).place, log, say);
    const store = await openRedisStore({ url: redisUrl, namespace, onConnection: watch.report });
    return assemble({
      store,
      open: () => openQueues({ kind: "redis", url: redisUrl, namespace }),
      key,
      isConnected: watch.isConnected,
      stopWatching: watch.begin(() => store.look()),
    });
  }
  // Not loaded where Redis is the engine: a command starts sooner without the embedded one.
  const { openEmbeddedStore } = await import("../store/postgres/embedded-store.ts");
  const store = await openEmbeddedStore({ dataDir });
  return assemble({
    store,
    open: () => openQueues({ kind: "embedded", database: store.database }),
    key,
    answer: (status) => store.answer(status),
    isConnected: () => true,
    stopWatching: () => undefined,
  });
}

interface Parts {
  readonly store: Store;
  readonly open: () => Promise<Queues> | Queues;
  readonly key: Uint8Array | undefined;
  readonly answer?: NonNullable<Engine["answer"]>;
  readonly isConnected: () => boolean;
  readonly stopWatching: () => void;
}

async function assemble({ store, open, key, answer, isConnected, stopWatching }: Parts): Promise<Engine> {
  try {
    const keyring = await openKeyring(store, key);
    const queues = await open();
    return {
      kind: store.kind,
      store,
      queues,
      wakeUps: createWakeUps(queues, store.kind === "embedded"),
      keyring,
      get connected() {
        return isConnected();
      },
      ...(answer ? { answer } : {}),
      async close() {
        stopWatching();
        try {
          await queues.close();
        } finally {
          await store.close();
        }
      },
    };
  } catch (error) {
    stopWatching();
    await store.close();
    throw error;
  }
}

async function openKeyring(store: Store, key: Uint8Array | undefined): Promise<Keyring> {
  const mark = key
    ? createHash("sha256").update("poolsync key mark").update(key).digest("base64url").slice(0, 16)
    : "none";
  const stored = await store.setOnce("key", mark);
  if (stored !== mark) {
    throw new StoreError(
      "wrong-key",
      stored === "none"
        ? "This namespace holds values that are not encrypted, and POOLSYNC_KEY is set: unset it, or use another POOLSYNC_NAMESPACE (or --data-dir) for encrypted values."
        : "This namespace was written with another POOLSYNC_KEY: set that key, or use another POOLSYNC_NAMESPACE (or --data-dir).",
    );
  }
  return createKeyring(await store.setOnce("digest-key", freshSecret()), key);
}
