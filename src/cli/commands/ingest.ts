/** `poolsync ingest`: takes events until it is stopped. */
import type { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { createLog } from "../../log.ts";
import { openConfig, paceOptions, type EngineFlags } from "../opening.ts";
import type { Context } from "../command.ts";
import type { Holding } from "../io.ts";
import { serveCommands } from "../serve-commands.ts";

export function addIngest(program: Command, context: Context): void {
  const ingest = program
    .command("ingest")
    .description("Take the events of poolsync.yaml's feeds: webhooks, and on Redis the queue `changes`.")
    .option("--port <port>", "listen on this port (default: POOLSYNC_INGEST_PORT, else 8085; 0 takes any that is free)")
    .option("--host <address>", "listen at this address (default: POOLSYNC_INGEST_HOST, else 127.0.0.1)");
  paceOptions(ingest)
    .option("--concurrency <number>", "without Redis: most calls in flight, a pool (default: 10)")
    .option("--config <file>", "configuration file (default: ./poolsync.yaml, if it is there)")
    .option("--data-dir <directory>", "where the embedded engine keeps its data (default: ~/.local/state/poolsync)")
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync ingest
  $ REDIS_URL=redis://127.0.0.1:6379 poolsync ingest --host 0.0.0.0 --port 8085

Feeds have their addresses at POST /events/<feed>. With REDIS_URL the events are
kept and put here, and a worker delivers; without it this process delivers. The
first signal answers what is in hand, and ends; the second cuts it.`,
    )
    .action(
      context.act(async (flags: EngineFlags) => {
        const { io } = context;
        if (io.ingest === undefined) throw new TypeError("Expected the entry to hand over what takes events");
        const { config, turn } = await openConfig(io, flags);
        // Whoever looks on wants to see what comes.
        const log = createLog(config.logLevel ?? "info");
        const { interrupts, environment } = io;
        const serve = async (holding: Holding) =>
          serveCommands(holding, (argv, its) =>
            context.run(argv, { ...its, holding, ...(environment && { environment }) }),
          );
        await io.ingest({ config, log, interrupts, turn, environment, serve });
        return EXIT.done;
      }),
    );
}
