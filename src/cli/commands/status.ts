/** `poolsync status`: queues, due users, pace, holds, runs and books. */
import type { Command } from "commander";
import { AppError } from "../../app/app-error.ts";
import { lookAtStatus, watchStatus } from "../../app/look-at-status.ts";
import type { NamespaceStatus } from "../../app/status.ts";
import { EXIT } from "../../exit-codes.ts";
import { statusText } from "../../views/status.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { columnsOf, type Io } from "../io.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";

interface StatusFlags extends EngineFlags {
  readonly verify?: boolean;
  readonly watch?: boolean;
}

export function addStatus(program: Command, context: Context): void {
  engineOptions(
    program
      .command("status")
      .description("How it stands: queues, due users, pace, holds, runs and books.")
      .option("--verify", "recount every mailbox and dead letter, and compare with the books")
      .option("--watch", "show it again every 2 seconds, until Ctrl-C; with --json a line each time"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync status\n  $ poolsync status --watch\n  $ poolsync status --verify --json\n\nExit codes: 1 where --verify finds a difference, or what nobody would have looked at again.",
    )
    .action(context.act((flags: StatusFlags) => status(context, flags)));
}

async function status(context: Context, flags: StatusFlags): Promise<number> {
  if (flags.watch === true) return watch(context, flags);
  const { io } = context;
  const found = await lookAtStatus(await openConfig(io, flags), flags.verify === true);
  if (flags.json === true) io.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else io.stdout.write(textOf(io, found, flags));
  const { differences = [], lost, inbox } = found.verified ?? {};
  const isPlaced = !lost?.users && !lost?.letters && !inbox?.lost && !inbox?.miscounted;
  const isSound = found.balanced && differences.length === 0 && isPlaced;
  return isSound ? EXIT.done : EXIT.failed;
}

function textOf(io: Io, found: NamespaceStatus, flags: StatusFlags): string {
  return statusText(found, columnsOf(io.stdout), (...words) => commandLine(io, words, flags));
}

/** Takes the cursor home, and clears what is left of each line and below. */
const [HOME, TO_LINE_END, BELOW] = ["\u001b[H", "\u001b[K", "\u001b[J"];

async function watch({ io }: Context, flags: StatusFlags): Promise<number> {
  if (flags.verify === true) {
    throw new AppError("usage", "Expected --watch or --verify: a recount takes its time.", { category: "usage" });
  }
  const opened = await openConfig(io, flags);
  const redraws = io.stdout.isTTY === true && !opened.config.noColor;
  const show = (found: NamespaceStatus): void => {
    if (flags.json === true) return void io.stdout.write(`${JSON.stringify(found)}\n`);
    const text = `${new Date().toISOString()}\n${textOf(io, found, flags)}`;
    io.stdout.write(redraws ? `${HOME}${text.replaceAll("\n", `${TO_LINE_END}\n`)}${BELOW}` : `${text}\n`);
  };
  await watchStatus(opened, show, io.interrupts.drain);
  return EXIT.done;
}
