import { openConfiguredEngine } from "../app/opening.ts";
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
): Promise<number> {
  const opened = await openConfig(io, flags);
  const text = await withScope(async (scope) => act(await openConfiguredEngine(opened.config, scope, opened), opened));
  io.stdout.write(text);
  return EXIT.done;
}
