/** Takes the events of the feeds of `poolsync.yaml`: see src/ingest/run-ingest.ts. Stopped by SIGTERM. */
import { runIngest } from "../src/ingest/run-ingest.ts";
import { runWorker } from "./entry.ts";

await runWorker(runIngest, (log, { kind, reason }) => log.fatal({ kind, reason }, "ingest failed"));
