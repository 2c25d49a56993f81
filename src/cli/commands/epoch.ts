/** `poolsync epoch raise`: after a restore from a backup. */
import type { Command } from "commander";
import { openEngineToStop } from "../../app/opening.ts";
import { raiseEpoch } from "../../app/raise-epoch.ts";
import { indent } from "../../views/table.ts";
import type { Context } from "../command.ts";
import { printEngine } from "../engine-command.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, type EngineFlags } from "../opening.ts";

export function addEpoch(program: Command, context: Context): void {
  const epoch = program
    .command("epoch")
    .description("The epoch of the store: a store that was restored begins a new one.");
  engineOptions(
    epoch
      .command("raise")
      .description("After a restore from a backup: nobody who had the store open writes to it any more."),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync epoch raise

Stop the workers, restore the backup, give this command, start the workers.
Processes that live on all the same end with \`store-replaced\`, and are to be
started again.`,
    )
    .action(context.act((flags: EngineFlags) => raise(context, flags)));
}

function raise({ io }: Context, flags: EngineFlags): Promise<number> {
  return printEngine(
    io,
    flags,
    async (engine) => {
      const epoch = await raiseEpoch(engine);
      if (flags.json === true) return `${JSON.stringify({ epoch })}\n`;
      const said = `A new epoch has begun. Nobody who had the store open before writes to it any more: start those processes again.`;
      return indent("", said, columnsOf(io.stdout));
    },
    openEngineToStop,
  );
}
