/** `poolsync damaged list|remove`: documents that broke in the store, and were set aside. */
import type { Command } from "commander";
import { removeDamaged } from "../../app/remove-damaged.ts";
import { counted } from "../../core/amounts.ts";
import { damagedDocument, damagedText } from "../../views/damaged.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { printEngine } from "../engine-command.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, type EngineFlags } from "../opening.ts";

export function addDamaged(program: Command, context: Context): void {
  const damaged = program
    .command("damaged")
    .description("Documents that broke in the store, such as by another program, and were set aside.")
    .addHelpText("after", "\nExamples:\n  $ poolsync damaged list\n  $ poolsync damaged remove 1764506113000");
  engineOptions(damaged.command("list").description("What lies aside, since when, and where it lay. No values."))
    .addHelpText("after", "\nExamples:\n  $ poolsync damaged list\n  $ poolsync damaged list --json")
    .action(context.act((flags: EngineFlags) => list(context, flags)));
  engineOptions(damaged.command("remove").description("Throw documents away that lie aside.").argument("<id...>"))
    .addHelpText("after", "\nExamples:\n  $ poolsync damaged remove 1764506113000 1764506113001")
    .action(context.act((ids: readonly string[], flags: EngineFlags) => remove(context, ids, flags)));
}

function list({ io }: Context, flags: EngineFlags): Promise<number> {
  return printEngine(io, flags, async ({ store }) => {
    const documents = await store.damaged.list();
    if (flags.json === true) return `${JSON.stringify(damagedDocument(documents), undefined, 2)}\n`;
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    return damagedText(documents, { width: columnsOf(io.stdout), now: Date.now(), command });
  });
}

function remove({ io }: Context, ids: readonly string[], flags: EngineFlags): Promise<number> {
  return printEngine(io, flags, async (engine) => {
    const documents = await removeDamaged(engine, ids);
    if (flags.json === true) return `${JSON.stringify({ documents })}\n`;
    return `Removed ${counted(documents, "document")}.\n`;
  });
}
