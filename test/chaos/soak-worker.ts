/** A worker that tells how much it holds, each time a line comes in on stdin: see soak.ts. */
import { createInterface } from "node:readline";
import { runDeliveryWorker } from "../../src/app/workers/delivery-worker.ts";
import { readConfig } from "../../src/config/config.ts";
import { listenForSignals } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";

let warnings = 0;
process.on("warning", () => (warnings += 1));

function held(): object {
  // What was freed by the first may free more.
  for (let round = 0; round < 2; round += 1) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return { heapUsed, external, rss, resources, listeners, warnings };
}

const interrupts = listenForSignals();
const asked = createInterface({ input: process.stdin });
asked.on("line", () => process.stdout.write(`${JSON.stringify(held())}\n`));
await runDeliveryWorker({ config: await readConfig({}), log: createLog("warn"), interrupts });
interrupts.release();
asked.close();
