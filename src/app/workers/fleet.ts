/** The two long-running processes of a fleet: one delivers, one carries out replay orders. Both need Redis. */
import { ConfigError } from "../../config/config-error.ts";
import { workerPools, type Config } from "../../config/config.ts";
import { startHealth } from "../../http/health.ts";
import { aborted, withOwned, type Interrupts, type Own } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import { republishLetters } from "../../queues/dead-letters.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Engine } from "../../queues/engine.ts";
import { carryOut } from "../../delivery/replay.ts";
import { startReplayer, type ExecuteReplay } from "../../queues/replay-orders.ts";
import { toldReads } from "../../delivery/told-reads.ts";
import { EXIT } from "../../cli/exit-codes.ts";
import { CommandError } from "../app-error.ts";
import { openChosenPool, openClients, openEngineOf } from "../opening.ts";
import { stopDeliveries } from "./stopping.ts";

export interface FleetMeans {
  readonly config: Config;
  readonly log: Log;
  readonly interrupts: Interrupts;
}

/** Longer than a call may take, shorter than the grace that process supervisors give. */
export const DRAIN_SECONDS = 25;

/** What closing may take after that. */
const CLOSE_SECONDS = 4;

/** Delivers to the configured pools until it is interrupted, then drains. */
export async function deliverPools(
  { config, log, interrupts }: FleetMeans,
  drainSeconds = DRAIN_SECONDS,
): Promise<number> {
  demandRedis(config);
  const chosen = workerPools(config);
  return withOwned(async (own) => {
    endInTime({ log, interrupts }, drainSeconds, own);
    const deliveries: Delivery[] = [];
    const ready = (): boolean =>
      !interrupts.drain.aborted &&
      deliveries.length === chosen.length &&
      deliveries.every((delivery) => delivery.ready);
    await openHealth(config, log, ready, own);
    const engine = await openEngineOf(config, own, { log });
    const clients = openClients(config, own);
    await startEach(chosen, interrupts.drain, async (choice, signal, onWait) => {
      const reads = toldReads(log, { withinMs: Infinity, onWait });
      const pool = await openChosenPool({ config, log, engine, clients, own, reads, signal }, choice);
      await republishLetters(engine.queues, engine.store.letters, choice.id);
      deliveries.push(
        own(await pool.deliver(), (delivery) => stopDeliveries([delivery], interrupts, drainSeconds * 1000)),
      );
    });
    if (!interrupts.drain.aborted) {
      log.info({ pools: chosen.map(({ id }) => id), namespace: config.namespace }, "worker started");
    }
    await drained(engine, interrupts);
    log.info({ drainSeconds }, "worker draining");
    await stopDeliveries(deliveries, interrupts, drainSeconds * 1000);
    log.info({}, "worker stopped");
    return EXIT.done;
  });
}

/**
 * Starts one after the other, so that many pools are not all asked for at once; but who waits for Cognito holds up nobody
 * else. Where one cannot be started all are given up, and its error is thrown. Resolves early with the drain.
 */
async function startEach<T>(
  each: readonly T[],
  drain: AbortSignal,
  start: (one: T, signal: AbortSignal, onWait: () => void) => Promise<void>,
): Promise<void> {
  const giveUp = new AbortController();
  const signal = AbortSignal.any([drain, giveUp.signal]);
  let failed: { readonly error: unknown } | undefined;
  const starting: Promise<void>[] = [];
  for (const one of each) {
    const waits = Promise.withResolvers<void>();
    const started = start(one, signal, waits.resolve).catch((error: unknown) => {
      failed ??= { error };
      giveUp.abort();
    });
    starting.push(started);
    await Promise.race([started, waits.promise]);
    if (signal.aborted) break;
  }
  await Promise.all(starting);
  if (failed !== undefined && !drain.aborted) throw failed.error;
}

/** Carries out replay orders until it is interrupted. It makes no call to Cognito: what it puts again, workers deliver. */
export async function carryOutOrders({ config, log, interrupts }: FleetMeans): Promise<number> {
  demandRedis(config);
  return withOwned(async (own) => {
    endInTime({ log, interrupts }, 0, own);
    let isConnected = (): boolean => false;
    await openHealth(config, log, () => isConnected() && !interrupts.drain.aborted, own);
    const engine = await openEngineOf(config, own, { log });
    const execute: ExecuteReplay = (order, signal) => carryOut(engine, order, signal);
    own(startReplayer(engine, log, execute), (replayer) => replayer.stop());
    isConnected = () => engine.connected;
    log.info({ namespace: config.namespace }, "replay worker started");
    await drained(engine, interrupts);
    log.info({}, "replay worker stopping");
    return EXIT.done;
  });
}

/**
 * Resolves when the process is interrupted. Rejects with a StoreError where another version has brought the store to
 * another format: whoever goes on would only fail.
 */
export async function drained({ store }: Engine, { drain }: Interrupts): Promise<void> {
  await aborted(AbortSignal.any([drain, store.foreign]));
  if (!drain.aborted) throw store.foreign.reason;
}

/**
 * Ends a process that was interrupted as it is, where it has not closed in time: closing waits for a Redis that is lost
 * or silent. What the store was not told is then as after a kill, which loses nothing. To be owned first.
 */
export function endInTime({ log, interrupts }: Omit<FleetMeans, "config">, drainSeconds: number, own: Own): void {
  let timer: NodeJS.Timeout | undefined;
  const onDrain = (): void => {
    timer = setTimeout(
      () => {
        log.error({}, "ended without closing");
        process.exit(EXIT.failed);
      },
      (drainSeconds + CLOSE_SECONDS) * 1000,
    );
  };
  own(interrupts.drain, (drain) => {
    drain.removeEventListener("abort", onDrain);
    clearTimeout(timer);
  });
  if (interrupts.drain.aborted) onDrain();
  else interrupts.drain.addEventListener("abort", onDrain, { once: true });
}

/** Throws a ConfigError for the embedded engine: it is one process, and has no fleet. */
export function demandRedis(config: Config): void {
  if (config.redisUrl !== undefined) return;
  throw new ConfigError([
    {
      path: "REDIS_URL",
      message:
        "Expected the Redis that the fleet shares, such as redis://127.0.0.1:6379; without Redis `poolsync sync` delivers by itself",
    },
  ]);
}

/** Answers the health checks where a port is set. */
export async function openHealth(
  { health: { host, port } }: Config,
  log: Log,
  ready: () => boolean,
  own: Own,
): Promise<void> {
  if (port === undefined) return;
  const health = await startHealth({ host, port, ready }).catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    const why = code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened at (${code})`;
    throw new CommandError("port", `Port ${port} of ${host} ${why}: set another POOLSYNC_HEALTH_PORT.`, { cause });
  });
  own(health, (opened) => opened.close());
  log.info({ host, port: health.port }, "health checks are answered");
}
