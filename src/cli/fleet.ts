/** The two long-running processes of a fleet: one delivers, one carries out replay orders. Both need Redis. */
import { ConfigError } from "../config-error.ts";
import { workerPools, type Config } from "../config.ts";
import { startHealth } from "../http/health.ts";
import { aborted, withOwned, type Interrupts, type Own } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import { republishLetters } from "../queues/dead-letters.ts";
import type { Delivery } from "../queues/delivery.ts";
import { startReplayer } from "../queues/replay-orders.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure-report.ts";
import { openChosenPool, openClients, openEngineOf } from "./open.ts";
import { stopDeliveries } from "./stopping.ts";

export interface FleetMeans {
  readonly config: Config;
  readonly log: Log;
  readonly interrupts: Interrupts;
}

/** Longer than a call may take, shorter than the grace that process supervisors give. */
export const DRAIN_SECONDS = 25;

/** Delivers to the configured pools until it is interrupted, then drains. */
export async function deliverPools(
  { config, log, interrupts }: FleetMeans,
  drainSeconds = DRAIN_SECONDS,
): Promise<number> {
  demandRedis(config);
  const chosen = workerPools(config);
  return withOwned(async (own) => {
    const deliveries: Delivery[] = [];
    const ready = (): boolean =>
      !interrupts.drain.aborted &&
      deliveries.length === chosen.length &&
      deliveries.every((delivery) => delivery.ready);
    await openHealth(config, log, ready, own);
    const engine = await openEngineOf(config, own, { log });
    const clients = openClients(config, own);
    for (const choice of chosen) {
      const pool = await openChosenPool({ config, log, engine, clients, own }, choice);
      await republishLetters(engine.queues, engine.store.letters, choice.id);
      deliveries.push(
        own(await pool.deliver(), (delivery) => stopDeliveries([delivery], interrupts, drainSeconds * 1000)),
      );
    }
    log.info({ pools: chosen.map(({ id }) => id), namespace: config.namespace }, "worker started");
    await aborted(interrupts.drain);
    log.info({ drainSeconds }, "worker draining");
    await stopDeliveries(deliveries, interrupts, drainSeconds * 1000);
    log.info({}, "worker stopped");
    return EXIT.done;
  });
}

/** Carries out replay orders until it is interrupted. It makes no call to Cognito: what it puts again, workers deliver. */
export async function carryOutOrders({ config, log, interrupts }: FleetMeans): Promise<number> {
  demandRedis(config);
  return withOwned(async (own) => {
    let isConnected = (): boolean => false;
    await openHealth(config, log, () => isConnected() && !interrupts.drain.aborted, own);
    const engine = await openEngineOf(config, own, { log });
    own(startReplayer(engine, log), (replayer) => replayer.stop());
    isConnected = () => engine.connected;
    log.info({ namespace: config.namespace }, "replay worker started");
    await aborted(interrupts.drain);
    log.info({}, "replay worker stopping");
    return EXIT.done;
  });
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
