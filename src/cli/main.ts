/** The entry of the command line: the process's own streams, signals and exit code. */
import { calledAs } from "../config/config.ts";
import { listenForSignals } from "../lifecycle.ts";
import { run } from "./program.ts";

const interrupts = listenForSignals();
// A pipe whose reader has gone (`poolsync dead export | head`) is no failure worth a stack.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
try {
  process.exitCode = await run(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    interrupts,
    calledAs: calledAs(process.argv[1] ?? "poolsync"),
    ingest: async (request) => (await import("../ingest/run-ingest.ts")).runIngest(request),
  });
} finally {
  interrupts.release();
}
