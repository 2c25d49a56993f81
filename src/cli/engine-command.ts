import { openEngineToLook } from "../app/opening.ts";
import { EXIT } from "../exit-codes.ts";
import { withScope } from "../lifecycle.ts";
import type { Engine } from "../queues/engine.ts";
import type { Io } from "./io.ts";
import { openConfig, type EngineFlags, type OpenedCommand } from "./opening.ts";

/** A command that needs the engine and no pool: prints what `act` answers. */
export async function printEngine(
  io: Io,
  flags: EngineFlags,
  act: (engine: Engine, opened: OpenedCommand) => Promise<string>,
  open: typeof openEngineToLook = openEngineToLook,
): Promise<number> {
  const opened = await openConfig(io, flags);
  return withScope(async (scope) => {
    const engine = await open(opened.config, scope, opened);
    io.stdout.write(await act(engine, opened));
    return EXIT.done;
  });
}
