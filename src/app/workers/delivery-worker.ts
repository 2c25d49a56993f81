/** The process that delivers to pools, as one of a fleet. */
import { workerPools } from "../../config/config.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import { reportedReads } from "../../delivery/reported-reads.ts";
import { withScope } from "../../lifecycle.ts";
import { republishLetters } from "../../queues/dead-letters.ts";
import { openChosenPool, openClients, openEngineToPut } from "../opening.ts";
import { logLeftovers } from "../runs/leftovers.ts";
import { DRAIN_MS, stopDeliveries } from "../runs/stop-deliveries.ts";
import { pauseNote } from "../gates/pause.ts";
import { notesWithoutAof } from "../without-aof.ts";
import { keepFinishingRuns } from "./finish-runs.ts";
import { demandRedis, drained, endWorkerInTime, openHealth, type WorkerDeps } from "./worker-process.ts";

/** Longer than a call may take, shorter than the grace that process supervisors give. */
export const DRAIN_SECONDS = DRAIN_MS / 1000;

/** Delivers to the configured pools until it is interrupted, then drains. */
export async function runDeliveryWorker(
  { config, log, interrupts }: WorkerDeps,
  drainSeconds = DRAIN_SECONDS,
): Promise<void> {
  demandRedis(config);
  const chosen = workerPools(config);
  await withScope(async (scope) => {
    endWorkerInTime({ log, interrupts }, drainSeconds, scope);
    const deliveries: Delivery[] = [];
    const refused: AbortSignal[] = [];
    const ready = (): boolean =>
      !interrupts.drain.aborted &&
      deliveries.length === chosen.length &&
      deliveries.every((delivery) => delivery.ready);
    let ofStore = (): readonly string[] => [];
    const notes = (): readonly string[] => [
      ...ofStore(),
      ...new Set(deliveries.flatMap(({ paused }) => paused.map(pauseNote))),
    ];
    await openHealth(config, log, { ready, notes }, scope);
    const engine = await openEngineToPut(config, scope, { log });
    ofStore = () => notesWithoutAof(engine.store);
    const clients = await openClients(config, scope);
    const { concurrency } = config;
    await startEach(chosen, interrupts.drain, async (choice, signal, onWait) => {
      const reads = reportedReads(log, { withinMs: Infinity, onWait });
      const pool = await openChosenPool({ concurrency, log, engine, clients, scope, reads, signal }, choice);
      refused.push(pool.refused);
      await republishLetters(engine.queues, engine.store.letters, choice.id);
      await logLeftovers(engine.store, choice.id, log);
      deliveries.push(
        scope.defer(await pool.deliver(), (delivery) => stopDeliveries([delivery], interrupts, drainSeconds * 1000)),
      );
    });
    if (!interrupts.drain.aborted) {
      log.info({ pools: chosen.map(({ id }) => id), namespace: config.namespace }, "worker started");
    }
    const draining = AbortSignal.any([interrupts.drain, engine.store.lost, ...refused]);
    const pools = chosen.map(({ id }) => id);
    const finishing = keepFinishingRuns(engine.store, log, pools, draining);
    await drained(engine, interrupts, log, refused);
    log.info({ drainSeconds }, "worker draining");
    await stopDeliveries(deliveries, interrupts, drainSeconds * 1000);
    await finishing;
    log.info({}, "worker stopped");
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
