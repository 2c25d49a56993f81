/** `poolsync dead list|show|discard`: what could not be delivered, or be a change, and what to do about it. */
import type { Command } from "commander";
import { discardParked, groupParked, viewEvent } from "../../app/events/parked-events.ts";
import { discardLetters } from "../../app/letters/discard-letters.ts";
import { findAllDead, findDead, type DeadRequest } from "../../app/letters/dead-filter.ts";
import { groupLetters } from "../../app/letters/letter-groups.ts";
import { pageOfLetters } from "../../app/letters/letter-page.ts";
import { viewLetter } from "../../app/letters/letter-view.ts";
import { counted } from "../../core/amounts.ts";
import { deadGroupsText, groupsDocument, letterPageText, letterText } from "../../views/letters.ts";
import { eventText } from "../../views/parked-events.ts";
import { usageError } from "../aws/usage-error.ts";
import { printEngine } from "../engine-command.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { columnsOf } from "../io.ts";
import { demandFilter, filterOptions, filterWords } from "../letter-options.ts";
import { engineOptions, type EngineFlags } from "../opening.ts";
import { integer } from "../option-values.ts";
import { addExport } from "./dead-export.ts";
import { addReplay } from "./dead-replay.ts";

interface FilterFlags extends EngineFlags, Omit<DeadRequest, "ids"> {}
interface ListFlags extends FilterFlags {
  readonly letters?: boolean;
  readonly page?: number;
}
interface ShowFlags extends EngineFlags {
  readonly showValues?: boolean;
}
interface DiscardFlags extends FilterFlags {
  readonly dryRun?: boolean;
  readonly all?: boolean;
}

/** How many letters a page has. */
const PAGE = 50;

export function addDead(program: Command, context: Context): void {
  const dead = program
    .command("dead")
    .description("Dead letters, values that could not be written, and parked events, which cannot be changes.")
    .addHelpText("after", "\nExamples:\n  $ poolsync dead list\n  $ poolsync dead replay --kind user-not-found");
  engineOptions(
    filterOptions(
      dead.command("list").description("Count dead letters and parked events by kind and reason, or list them."),
    )
      .option("--letters", `one by one, each with its count; --limit so many a page (default: ${PAGE})`)
      .option("--page <number>", "with --letters: which page", integer(1)),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync dead list\n  $ poolsync dead list --kind alias-exists --since 7d\n  $ poolsync dead list --letters --user jane\n  $ poolsync dead list --letters --kind event --feed crm",
    )
    .action(context.act((flags: ListFlags) => list(context, flags)));
  engineOptions(
    dead
      .command("show")
      .description("Show dead letters and parked events.")
      .argument("<id...>", "of `dead list --letters`")
      .option("--show-values", "show the value, or an event's body, as it is"),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync dead show 8443329fe0efe41593aed5d714ef8c03 --show-values")
    .action(context.act((ids: readonly string[], flags: ShowFlags) => show(context, ids, flags)));
  addReplay(dead, context);
  engineOptions(
    filterOptions(
      dead
        .command("discard")
        .description("Take dead letters and parked events away for good.")
        .argument("[id...]", "of `dead list --letters`"),
    )
      .option("--dry-run", "count them, and do nothing")
      .option("--all", "every letter and event: needed where no filter is given"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync dead discard --kind invalid-value --dry-run\n  $ poolsync dead discard --user jane\n  $ poolsync dead discard --kind event --reason no-column\n  $ poolsync dead discard 8443329fe0efe41593aed5d714ef8c03",
    )
    .action(context.act((ids: readonly string[], flags: DiscardFlags) => discard(context, ids, flags)));
  addExport(dead, context);
}

function list({ io }: Context, flags: ListFlags): Promise<number> {
  const { letters = false, page = 1, limit = PAGE } = flags;
  if (flags.page !== undefined && !letters) throw usageError("Expected --letters with --page: groups have no pages.");
  demandFilter([], flags);
  return printEngine(io, flags, async (engine, { config }) => {
    const { letters: filters, events } = await findAllDead(engine, config, flags);
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    const look = { width: columnsOf(io.stdout), now: Date.now(), command, filters: filterWords(flags) };
    if (letters) {
      const found = await pageOfLetters(engine, filters, { page, size: limit, events });
      if (flags.json === true) return `${JSON.stringify(found, undefined, 2)}\n`;
      return letterPageText(found, { ...look, size: limit });
    }
    const groups = await groupLetters(engine, filters, flags.limit);
    const left = flags.limit && flags.limit - groups.reduce((sum, group) => sum + group.letters, 0);
    const parked = await groupParked(events, left);
    const shown = groups.map((group) => ({ group, example: viewLetter(group.example, engine.keyring, false) }));
    if (flags.json === true) return `${JSON.stringify(groupsDocument(shown, parked), undefined, 2)}\n`;
    return deadGroupsText(shown, parked, look);
  });
}

function show({ io }: Context, ids: readonly string[], flags: ShowFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { config }) => {
    const { keyring } = engine;
    const showValues = flags.showValues === true;
    const width = columnsOf(io.stdout);
    const found = await Promise.all(Array.from(new Set(ids), (id) => findDead(engine, id)));
    const shown = found.map((dead) => {
      if (dead.is === "letter") {
        const view = viewLetter(dead.letter, keyring, showValues);
        return { view, text: letterText(view, width) };
      }
      const view = viewEvent(config, keyring, dead.event, showValues);
      return { view, text: eventText(view, width) };
    });
    const views = shown.map(({ view }) => view);
    const document = views.length === 1 ? views[0] : views;
    if (flags.json === true) return `${JSON.stringify(document, undefined, 2)}\n`;
    return shown.map(({ text }) => text).join("\n");
  });
}

function discard({ io }: Context, ids: readonly string[], flags: DiscardFlags): Promise<number> {
  const { until = Date.now(), limit } = flags;
  demandFilter(ids, flags);
  if (flags.all === true && ids.length > 0) throw usageError("Expected ids of dead letters or --all, not both.");
  if (flags.all !== true && ids.length === 0 && filterWords(flags).length === 0) {
    throw usageError(
      "Expected ids, a filter such as --kind or --user, or --all to discard every dead letter and parked event.",
    );
  }
  const dryRun = flags.dryRun === true;
  return printEngine(io, flags, async (engine, { config }) => {
    const { letters: filters, events: parked } = await findAllDead(engine, config, { ...flags, ids });
    const letters = await discardLetters(engine, { filters, until, limit, dryRun });
    const left = limit && limit - letters;
    const events = await discardParked(engine.store, parked, { limit: left, dryRun });
    if (flags.json === true) return `${JSON.stringify({ dryRun, letters, events }, undefined, 2)}\n`;
    const counts = [counted(letters, "dead letter"), ...(events > 0 ? [counted(events, "parked event")] : [])];
    const what = (letters === 0 && events > 0 ? counts.slice(1) : counts).join(" and ");
    return dryRun ? `${what} would be discarded.\n` : `Discarded ${what}.\n`;
  });
}
