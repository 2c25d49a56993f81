/** The process that executes replay orders, as one of a fleet. */
import { executeReplay } from "../../delivery/replay.ts";
import { withScope } from "../../lifecycle.ts";
import { startReplayer } from "../../queues/replay-orders.ts";
import { keepAlive } from "../../delivery/worker-lease.ts";
import { openEngineToPut } from "../opening.ts";
import { notesWithoutAof } from "../without-aof.ts";
import { demandRedis, drained, endWorkerInTime, openHealth, type WorkerDeps } from "./worker-process.ts";

/**
 * Executes replay orders until it is interrupted. It makes no call to Cognito: what it puts again, other workers
 * deliver.
 */
export async function runReplayWorker({ config, log, interrupts }: WorkerDeps): Promise<void> {
  demandRedis(config);
  await withScope(async (scope) => {
    endWorkerInTime({ log, interrupts }, 0, scope);
    let isConnected = (): boolean => false;
    let ofStore = (): readonly string[] => [];
    const ready = (): boolean => isConnected() && !interrupts.drain.aborted;
    await openHealth(config, log, { ready, notes: () => ofStore() }, scope);
    const engine = await openEngineToPut(config, scope, { log });
    ofStore = () => notesWithoutAof(engine.store);
    scope.defer(
      startReplayer(engine, log, (order, signal) => executeReplay(engine, order, signal)),
      (replayer) => replayer.stop(),
    );
    scope.defer(keepAlive(engine.store, { does: "replays" }), (lease) => lease.end());
    isConnected = () => engine.connected;
    log.info({ namespace: config.namespace }, "replay worker started");
    await drained(engine, interrupts, log);
    log.info({}, "replay worker stopping");
  });
}
