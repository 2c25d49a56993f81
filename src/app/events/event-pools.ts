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
import type { Interrupts, Scope } from "../../lifecycle.ts";
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
  /** Those to which this process delivers. */
  readonly deliveries: readonly Delivery[];
}

interface EventPoolsDeps {
  readonly config: Config;
  readonly log: Log;
  readonly engine: Engine;
  readonly clients: CognitoClients;
  readonly interrupts: Interrupts;
  readonly scope: Scope;
}

/** Begins to open these pools; nobody waits for that. */
export function openEventPools(deps: EventPoolsDeps, ids: readonly string[]): EventPools {
  const { config, log, engine, clients, interrupts, scope } = deps;
  const { drain } = interrupts;
  const pools = new Map<string, Promise<Pool>>();
  const delivered = new Set<string>();
  const deliveries: Delivery[] = [];

  async function open(id: string): Promise<Pool> {
    const { concurrency } = config;
    const reads = reportedReads(log);
    const opening = { concurrency, log, engine, clients, scope, reads, signal: drain };
    const pool = await openChosenPool(opening, choosePool(config, id));
    // Whoever asks next reads it anew, and is told.
    pool.refused.addEventListener("abort", () => pools.delete(id), { once: true });
    if (engine.kind === "embedded" && !delivered.has(id)) await deliver(id, pool);
    return pool;
  }

  async function deliver(id: string, pool: Pool): Promise<void> {
    await republishLetters(engine.queues, engine.store.letters, id);
    await logLeftovers(engine.store, id, log);
    deliveries.push(scope.defer(await pool.deliver(), (delivery) => stopDeliveries([delivery], interrupts)));
    delivered.add(id);
  }

  function openOnce(id: string): Promise<Pool> {
    const known = pools.get(id);
    if (known) return known;
    const opening = open(id);
    pools.set(id, opening);
    opening.catch(() => pools.delete(id));
    return opening;
  }

  async function begin(id: string): Promise<void> {
    while (!drain.aborted) {
      try {
        await openOnce(id);
        return;
      } catch (error) {
        if (drain.aborted) return;
        const failure = failureOf(error);
        log.warn({ pool: id, kind: failure.kind, reason: messageOf(failure) }, "pool cannot be opened yet");
        // A sleep that was ended needs no word.
        await sleep(AGAIN_MS, undefined, { signal: drain, ref: false }).catch(() => undefined);
      }
    }
  }

  for (const id of new Set(ids)) void begin(id);
  return { of: openOnce, deliveries };
}
