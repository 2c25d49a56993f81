/** `poolsync status`: queues, due users, pace, holds, runs and books. */
import type { Command } from "commander";
import { lookAtStatus } from "../../app/look-at-status.ts";
import { EXIT } from "../../exit-codes.ts";
import { statusText } from "../../views/status.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";

interface StatusFlags extends EngineFlags {
  readonly verify?: boolean;
}

export function addStatus(program: Command, context: Context): void {
  engineOptions(
    program
      .command("status")
      .description("How it stands: queues, due users, pace, holds, runs and books.")
      .option("--verify", "recount every mailbox and dead letter, and compare with the books"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync status\n  $ poolsync status --verify --json\n\nExit codes: 1 where --verify finds a difference, or what nobody would have looked at again.",
    )
    .action(context.act((flags: StatusFlags) => status(context, flags)));
}

async function status({ io }: Context, flags: StatusFlags): Promise<number> {
  const found = await lookAtStatus(await openConfig(io, flags), flags.verify === true);
  if (flags.json === true) io.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else {
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    io.stdout.write(statusText(found, columnsOf(io.stdout), command));
  }
  const { differences = [], lost } = found.verified ?? {};
  const isSound = found.balanced && differences.length === 0 && !lost?.users && !lost?.letters;
  return isSound ? EXIT.done : EXIT.failed;
}
