/** `poolsync dead list|show|discard`: what could not be delivered, and what to do about it. */
import type { Command } from "commander";
import { discardLetters } from "../../app/letters/discard-letters.ts";
import { findLetter } from "../../app/letters/find-letter.ts";
import { filtersOf, type LetterRequest } from "../../app/letters/letter-filter.ts";
import { groupLetters } from "../../app/letters/letter-groups.ts";
import { viewLetter } from "../../app/letters/letter-view.ts";
import { counted } from "../../core/amounts.ts";
import { groupsDocument, letterGroupsText, letterText } from "../../views/letters.ts";
import { usageError } from "../aws/usage-error.ts";
import { printEngine } from "../engine-command.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { columnsOf } from "../io.ts";
import { filterOptions } from "../letter-options.ts";
import { engineOptions, type EngineFlags } from "../opening.ts";
import { addExport } from "./dead-export.ts";
import { addReplay } from "./dead-replay.ts";

interface ListFlags extends EngineFlags, LetterRequest {}
interface ShowFlags extends EngineFlags {
  readonly showValues?: boolean;
}
interface DiscardFlags extends ListFlags {
  readonly dryRun?: boolean;
  readonly all?: boolean;
}

export function addDead(program: Command, context: Context): void {
  const dead = program
    .command("dead")
    .description("Dead letters: values that could not be written.")
    .addHelpText("after", "\nExamples:\n  $ poolsync dead list\n  $ poolsync dead replay --kind user-not-found");
  engineOptions(filterOptions(dead.command("list").description("Count dead letters by kind, pool and reason.")))
    .addHelpText("after", "\nExamples:\n  $ poolsync dead list\n  $ poolsync dead list --kind alias-exists --since 7d")
    .action(context.act((flags: ListFlags) => list(context, flags)));
  engineOptions(
    dead
      .command("show")
      .description("Show one dead letter.")
      .argument("<id>")
      .option("--show-values", "show the value as it is"),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync dead show 8443329fe0efe41593aed5d714ef8c03 --show-values")
    .action(context.act((id: string, flags: ShowFlags) => show(context, id, flags)));
  addReplay(dead, context);
  engineOptions(
    filterOptions(dead.command("discard").description("Take dead letters away for good."))
      .option("--dry-run", "count them, and do nothing")
      .option("--all", "every dead letter: needed where no filter is given"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync dead discard --kind invalid-value --dry-run\n  $ poolsync dead discard --user jane",
    )
    .action(context.act((flags: DiscardFlags) => discard(context, flags)));
  addExport(dead, context);
}

function list({ io }: Context, flags: ListFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { config }) => {
    const groups = await groupLetters(engine, await filtersOf(engine, config, flags), flags.limit);
    const shown = groups.map((group) => ({ group, example: viewLetter(group.example, engine.keyring, false) }));
    if (flags.json === true) return `${JSON.stringify(groupsDocument(shown), undefined, 2)}\n`;
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    return letterGroupsText(shown, { width: columnsOf(io.stdout), now: Date.now(), command });
  });
}

function show({ io }: Context, id: string, flags: ShowFlags): Promise<number> {
  return printEngine(io, flags, async (engine) => {
    const view = viewLetter(await findLetter(engine, id), engine.keyring, flags.showValues === true);
    return flags.json === true ? `${JSON.stringify(view, undefined, 2)}\n` : letterText(view, columnsOf(io.stdout));
  });
}

function discard({ io }: Context, flags: DiscardFlags): Promise<number> {
  const { kind, pool, user, attribute, since, until = Date.now(), limit } = flags;
  const isFiltered = [kind, pool, user, attribute, since, flags.until, limit].some((filter) => filter !== undefined);
  if (flags.all !== true && !isFiltered) {
    throw usageError("Expected a filter such as --kind or --user, or --all to discard every dead letter.");
  }
  const dryRun = flags.dryRun === true;
  return printEngine(io, flags, async (engine, { config }) => {
    const filters = await filtersOf(engine, config, { ...flags, until });
    const letters = await discardLetters(engine, { filters, until, limit, dryRun });
    if (flags.json === true) return `${JSON.stringify({ dryRun, letters }, undefined, 2)}\n`;
    const what = counted(letters, "dead letter");
    return dryRun ? `${what} would be discarded.\n` : `Discarded ${what}.\n`;
  });
}
