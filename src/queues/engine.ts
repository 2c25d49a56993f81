/**
 * The engine: the store, BullMQ's queues and the keyring of one namespace, on Redis or embedded. Everything above
 * works with either.
 */
import { createLog, type Log } from "../log.ts";
import { nameRunsAnew } from "../store/content-names.ts";
import { createKeyring, type Keyring } from "../store/keyring.ts";
import { sealEverything } from "../store/sealing.ts";
import {
  createKeysWatch,
  openKeysToLook,
  openKeysToWork,
  type KeysFound,
  type WrappedBy,
  type WrappingKeys,
} from "../store/namespace-keys.ts";
import type { DirectoryTurn, OnCommand } from "../store/postgres/directory-lock.ts";
import type { Store } from "../store/store.ts";
import { openQueues, type Queues } from "./bullmq.ts";
import { createRedisWatch } from "./redis-watch.ts";
import { createWakeUps, type WakeUps } from "./wake-ups.ts";

/** `key` wraps the keys of the namespace; without one they lie in the store in clear. */
export interface EngineSettings extends WrappingKeys {
  /** Absent: embedded. */
  readonly redisUrl?: string;
  /** Where the embedded engine keeps its data. */
  readonly dataDir: string;
  /** How it waits for a data directory that another process has. Refused at once where absent. */
  readonly turn?: DirectoryTurn | undefined;
  readonly namespace: string;
  /** True for what only looks: a namespace that nobody has used yet is given no keys by it. */
  readonly looksOnly?: boolean;
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
  /** Looks whether the keys are still in the store. Absent where new ones are being made. */
  readonly lookAtKeys?: () => Promise<KeysFound>;
  /** By what the keys in the store are wrapped. Absent where new ones are being made. */
  readonly wrappedBy?: WrappedBy;
  /** False while the connection to Redis is lost, or silent: it heals by itself, and calls wait for it. */
  readonly connected: boolean;
  /** What a process is told that finds the data directory in use. Absent on Redis, where nobody has to ask. */
  readonly answer?: (status: () => Promise<unknown>) => void;
  /** Takes commands of others, likewise. */
  readonly serve?: (onCommand: OnCommand) => void;
  close(): Promise<void>;
}

/** Opens the engine. Throws a StoreError with the next step where it cannot. */
export async function openEngine(settings: EngineSettings): Promise<Engine> {
  const closing = new AbortController();
  let sealed = false;
  let lookAtKeys: Engine["lookAtKeys"];
  let wrappedBy: Engine["wrappedBy"];
  const openKeyring = async (store: Store): Promise<Keyring> => {
    const opened = await (settings.looksOnly === true ? openKeysToLook : openKeysToWork)(store, settings);
    const { keys, record } = opened;
    ({ wrappedBy } = opened);
    if (record !== undefined) lookAtKeys = createKeysWatch(store, settings, { record, keys });
    ({ sealed } = keys);
    const encrypts = wrappedBy !== "none";
    const keyring = createKeyring({ identity: store.identity, keys, encrypts, isSealed: () => sealed });
    if (!sealed) await nameRunsAnew(store, keyring);
    return keyring;
  };
  const engine = await openEngineWith(settings, openKeyring, () => closing.abort());
  if (!sealed) {
    const { log = createLog("silent") } = settings;
    const { store, keyring } = engine;
    const sealing = sealEverything({ store, keyring, wrapping: settings, log, signal: closing.signal });
    void sealing.then((isDone) => (sealed = isDone));
  }
  return Object.assign(engine, lookAtKeys && { lookAtKeys }, wrappedBy && { wrappedBy });
}

/** Opens the engine with a keyring of the caller's own. Nothing is sealed anew beside it. */
export async function openEngineWith(
  settings: EngineSettings,
  openKeyring: (store: Store) => Promise<Keyring>,
  onClose = (): void => {},
): Promise<Engine> {
  return assemble(await openStore(settings), openKeyring, onClose);
}

/** The store alone, and what the engine makes of it. */
export async function openStore(settings: EngineSettings): Promise<OpenedStore> {
  const { redisUrl, namespace, dataDir, turn, log = createLog("silent"), say = () => undefined } = settings;
  // Either is loaded where it is the engine: a command starts sooner without the other one.
  if (redisUrl !== undefined) {
    const { redisConnection } = await import("../store/redis/connection.ts");
    const { openRedisStore } = await import("../store/redis/redis-store.ts");
    const watch = createRedisWatch(redisConnection(redisUrl).place, log, say);
    const store = await openRedisStore({ url: redisUrl, namespace, onConnection: watch.report });
    const stopWatching = watch.begin(() => store.look());
    return {
      store,
      openQueues: () => openQueues({ kind: "redis", url: redisUrl, namespace }),
      isConnected: watch.isConnected,
      close() {
        stopWatching();
        return store.close();
      },
    };
  }
  const { openEmbeddedStore } = await import("../store/postgres/embedded-store.ts");
  const store = await openEmbeddedStore({ dataDir, turn });
  return {
    store,
    openQueues: () => openQueues({ kind: "embedded", database: store.database }),
    answer: (status) => store.answer(status),
    serve: (onCommand) => store.serve(onCommand),
    isConnected: () => true,
    close: () => store.close(),
  };
}

interface OpenedStore {
  readonly store: Store;
  readonly openQueues: () => Promise<Queues> | Queues;
  readonly answer?: NonNullable<Engine["answer"]>;
  readonly serve?: NonNullable<Engine["serve"]>;
  readonly isConnected: () => boolean;
  close(): Promise<void>;
}

async function assemble(
  opened: OpenedStore,
  openKeyring: (store: Store) => Promise<Keyring>,
  onClose: () => void,
): Promise<Engine> {
  const { store, answer, serve, isConnected } = opened;
  try {
    const keyring = await openKeyring(store);
    const queues = await opened.openQueues();
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
      ...(serve ? { serve } : {}),
      async close() {
        onClose();
        try {
          await queues.close();
        } finally {
          await opened.close();
        }
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
