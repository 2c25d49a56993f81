/** Delivers to the pools of POOLSYNC_POOLS or `poolsync.yaml`, as one of a fleet on Redis. Stopped by SIGTERM. */
import { runDeliveryWorker } from "../src/app/workers/delivery-worker.ts";
import { runWorker } from "./entry.ts";

await runWorker(runDeliveryWorker, (log, { kind, reason }) => log.fatal({ kind, reason }, "worker failed"));
