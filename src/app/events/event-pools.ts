/**
 * The pools that events are for, opened when they are first asked for. Where nobody else can deliver to them, in a data
 * directory, this process does, from its start, and also what others left there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { choosePool, type Config } from "../../config/config.ts";
import type { CognitoClients } from "../../cognito/client.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Pool } from "../../delivery/pool.ts";
import { reportedReads } from "../../delivery/reported-reads.ts";
import { openScope, type Interrupts } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import { republishLetters } from "../../queues/dead-letters.ts";
import type { Engine } from "../../queues/engine.ts";
import { failureOf, messageOf } from "../app-error.ts";
import { openChosenPool } from "../opening.ts";
import { logLeftovers } from "../runs/leftovers.ts";
import { stopDeliveries } from "../runs/stop-deliveries.ts";

const AGAIN_MS = 10_000;

export interface EventPools {
  /** The pool of this id. Opened once; a failure is not remembered. */
  of(id: string): Promise<Pool>;
  /** Of those to which this process delivers. */
  readonly deliveries: ReadonlySet<Delivery>;
  /** Waits for what is being opened, and ends everything. */
  close(): Promise<void>;
}

interface EventPoolsDeps {
  readonly config: Config;
  readonly log: Log;
  readonly engine: Engine;
  readonly clients: CognitoClients;
  readonly interrupts: Interrupts;
}

/** Begins to open these pools; nobody waits for that. */
export function openEventPools(deps: EventPoolsDeps, ids: readonly string[]): EventPools {
  const { config, log, engine, clients, interrupts } = deps;
  const closing = new AbortController();
  const signal = AbortSignal.any([interrupts.drain, closing.signal]);
  const scope = openScope();
  const pools = new Map<string, Promise<Pool>>();
  const openings = new Set<Promise<unknown>>();
  const deliveries = new Set<Delivery>();
  /** By pool. */
  const stopping = new Map<string, Promise<void>>();

  async function open(id: string): Promise<Pool> {
    const { concurrency } = config;
    const reads = reportedReads(log);
    const opening = { concurrency, log, engine, clients, scope, reads, signal };
    const pool = await openChosenPool(opening, choosePool(config, id));
    // Whoever asks next reads it anew, and is told.
    pool.refused.addEventListener("abort", () => pools.delete(id), { once: true });
    if (engine.kind === "embedded") await deliver(id, pool);
    pool.refused.throwIfAborted();
    return pool;
  }

  async function deliver(id: string, pool: Pool): Promise<void> {
    await stopping.get(id);
    await republishLetters(engine.queues, engine.store.letters, id);
    await logLeftovers(engine.store, id, log);
    if (signal.aborted || pool.refused.aborted) return;
    const delivery = scope.defer(await pool.deliver(), (started) => stopDeliveries([started], interrupts));
    deliveries.add(delivery);
    // As a worker ends; events are taken all the same, and it is delivered again once it can be opened.
    const onRefused = (): void => {
      deliveries.delete(delivery);
      // Whoever closes the scope is told what fails.
      const stopped = stopDeliveries([delivery], interrupts).catch(() => undefined);
      stopping.set(id, stopped);
      void begin(id);
    };
    if (pool.refused.aborted) onRefused();
    else pool.refused.addEventListener("abort", onRefused, { once: true });
  }

  function openOnce(id: string): Promise<Pool> {
    const known = pools.get(id);
    if (known) return known;
    const opening = open(id);
    pools.set(id, opening);
    openings.add(opening);
    const settled = (): void => void openings.delete(opening);
    opening.then(settled, () => {
      settled();
      if (pools.get(id) === opening) pools.delete(id);
    });
    return opening;
  }

  async function begin(id: string): Promise<void> {
    while (!signal.aborted) {
      try {
        await openOnce(id);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const failure = failureOf(error);
        log.warn({ pool: id, kind: failure.kind, reason: messageOf(failure) }, "pool cannot be opened yet");
        // A sleep that was ended needs no word.
        await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  for (const id of new Set(ids)) void begin(id);
  return {
    of: openOnce,
    deliveries,
    async close() {
      closing.abort();
      // What is opened meanwhile is closed with the others.
      await Promise.allSettled(openings);
      await scope.close();
    },
  };
}
