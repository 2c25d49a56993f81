/**
 * A data directory that is made once for all tests: making one takes four seconds of CPU, and most tests are about what
 * is in it. The tests of the making make their own.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { openQueues } from "../../src/queues/bullmq.ts";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";

/** Puts a copy at `dataDir`. A test that is run without the others has none: its directory is made when it is opened. */
export function putMadeDirectory(dataDir: string): void {
  const made = process.env["POOLSYNC_TEST_DATA_DIR"];
  // Beside these lies the lock of who made it.
  if (made === undefined) return;
  // A thousand small files: to copy each in a promise of its own takes eight times the CPU.
  for (const part of ["postgres", "poolsync.json"]) cpSync(join(made, part), join(dataDir, part), { recursive: true });
}

/** Puts only the database of it, for what opens that without a store. */
export function putMadeDatabase(directory: string): void {
  const made = process.env["POOLSYNC_TEST_DATA_DIR"];
  if (made !== undefined) cpSync(join(made, "postgres"), directory, { recursive: true });
}

/** In a process of its own: PGlite keeps what it took. */
if (import.meta.main) {
  const [dataDir = ""] = process.argv.slice(2);
  const store = await openEmbeddedStore({ dataDir });
  // BullMQ's tables take half a second of CPU. Without an engine, which would make its keys.
  await (await openQueues({ kind: "embedded", database: store.database })).close();
  await store.close();
}
