/** Takes the events of the feeds of `poolsync.yaml`: see src/ingest/run-ingest.ts. Stopped by SIGTERM. */
import { runIngest, type IngestDeps } from "../src/ingest/run-ingest.ts";
import { runWorker } from "./entry.ts";

/** Without Redis others have their commands run here, which print at their own terminals: it is loaded for them alone. */
const serve: IngestDeps["serve"] = async (holding) => {
  // oxlint-disable-next-line eslint/no-restricted-imports -- the terminal is the asker's, at the other end of the socket
  const { run } = await import("../src/cli/program.ts");
  // oxlint-disable-next-line eslint/no-restricted-imports -- likewise
  const { serveCommands } = await import("../src/cli/serve-commands.ts");
  return serveCommands(holding, (argv, io) => run(argv, { ...io, holding }));
};

await runWorker(
  (deps) => runIngest({ ...deps, serve }),
  (log, { kind, reason }) => log.fatal({ kind, reason }, "ingest failed"),
);
