/**
 * What an application that lives on has open: an engine, its clients, pools, and the deliveries that were asked for. Where
 * the store turns out to be another one than was opened, the next call closes all of it and opens it anew.
 */
import type { CognitoClients } from "../cognito/client.ts";
import type { Delivery } from "../delivery/delivery.ts";
import type { Pool } from "../delivery/pool.ts";
import { openScope } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import { openChosenPool, openClients, openOwnedEngine, type EngineSettings, type PoolPlace } from "./opening.ts";
import { wasReplaced } from "./runs/forgotten-runs.ts";
import { logLeftovers } from "./runs/leftovers.ts";
import { DRAIN_MS } from "./runs/stop-deliveries.ts";
import { reportWithoutAof } from "./without-aof.ts";

export interface SessionSettings {
  readonly engine: EngineSettings;
  readonly concurrency: number;
  readonly log: Log;
  readonly placeOf: (pool: string) => PoolPlace;
  /** Ends what is being opened. */
  readonly signal: AbortSignal;
}

export interface Session {
  readonly engine: Engine;
  /** Opened once; a failure is not remembered. */
  readonly pool: (id: string) => Promise<Pool>;
  /** Delivers a pool's changes until the session is closed. */
  readonly deliver: (id: string) => Promise<void>;
}

interface OpenSession extends Session {
  readonly delivered: readonly string[];
  close(): Promise<void>;
}

export interface Sessions {
  /**
   * Calls in the session that is open, and again in the one of the new store where the store turns out to be another.
   * `mayRepeat`: asked before the latter.
   */
  use<T>(call: (session: Session) => Promise<T>, mayRepeat?: () => boolean): Promise<T>;
  close(): Promise<void>;
}

export async function openSessions(settings: SessionSettings): Promise<Sessions> {
  const { signal } = settings;
  let current = openSession(settings);
  watch(await current);

  /** Rejects where the store cannot be opened, or a pool not be delivered to: the next call tries again. */
  async function follow(lost: OpenSession): Promise<OpenSession> {
    // What could not be closed is gone with its store.
    await lost.close().catch(() => undefined);
    signal.throwIfAborted();
    const next = await openSession(settings);
    try {
      for (const pool of lost.delivered) await next.deliver(pool);
    } catch (error) {
      await next.close().catch(() => undefined);
      throw error;
    }
    watch(next);
    return next;
  }

  async function present(): Promise<OpenSession> {
    const asked = current;
    const session = await asked;
    if (!wasReplaced(session.engine.store)) return session;
    if (current === asked) {
      const following = follow(session);
      current = following;
      following.then(
        () => settings.log.warn({}, "store was replaced, opened anew"),
        () => (current = asked),
      );
    }
    return present();
  }

  /**
   * Who only delivers calls nothing more. A data directory that is being replaced is left alone until somebody calls.
   */
  function watch({ engine: { kind, store }, delivered }: OpenSession): void {
    if (kind === "embedded") return;
    const onLost = (): void => {
      if (delivered.length === 0 || signal.aborted) return;
      // The next call says what is wrong.
      present().catch(() => undefined);
    };
    store.lost.addEventListener("abort", onLost, { once: true });
  }

  return {
    async use(call, mayRepeat = () => true) {
      for (;;) {
        const session = await present();
        try {
          return await call(session);
        } catch (error) {
          const { store } = session.engine;
          if (!wasReplaced(store)) throw error;
          // Another call may have closed the session meanwhile: the error says little.
          if (!mayRepeat()) throw store.lost.reason;
        }
      }
    },
    async close() {
      const session = await current.catch(() => undefined);
      await session?.close();
    },
  };
}

async function openSession({
  engine: settings,
  concurrency,
  log,
  placeOf,
  signal,
}: SessionSettings): Promise<OpenSession> {
  const scope = openScope();
  const engine = await openOwnedEngine(settings, scope, { log });
  reportWithoutAof(engine.store, { log });
  const clients: CognitoClients = await openClients({ concurrency }, scope);
  const pools = new Map<string, Promise<Pool>>();
  const deliveries = new Map<string, Promise<Delivery>>();
  const delivered: string[] = [];

  const open = async (id: string): Promise<Pool> => {
    const deps = { concurrency, log, engine, clients, scope, signal };
    try {
      const opened = await openChosenPool(deps, placeOf(id));
      // The next call reads it anew, and is told.
      opened.refused.addEventListener("abort", () => pools.delete(id), { once: true });
      return opened;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  };

  const pool = (id: string): Promise<Pool> => {
    const known = pools.get(id);
    if (known) return known;
    const opening = open(id);
    pools.set(id, opening);
    opening.catch(() => pools.delete(id));
    return opening;
  };

  const start = async (opened: Pool): Promise<Delivery> => {
    await logLeftovers(engine.store, opened.profile.id, log);
    return opened.deliver();
  };

  return {
    engine,
    pool,
    delivered,
    async deliver(id) {
      const opened = await pool(id);
      const delivery = deliveries.get(id) ?? start(opened);
      deliveries.set(id, delivery);
      delivery.catch(() => deliveries.delete(id));
      await delivery;
      if (!delivered.includes(id)) delivered.push(id);
    },
    async close() {
      // One that failed has told whoever asked for it.
      await Promise.allSettled([...pools.values(), ...deliveries.values()]);
      try {
        await Promise.all([...deliveries.values()].map(async (delivery) => (await delivery).stop(DRAIN_MS)));
      } finally {
        await scope.close();
      }
    },
  };
}
