/** `poolsync dead list|show|discard`: what could not be delivered, and what to do about it. */
import type { Command } from "commander";
import { isLostPerson } from "../../core/failure.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { withOwned } from "../../lifecycle.ts";
import { discard } from "../../delivery/replay.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { AppError } from "../../app/app-error.ts";
import { columnsOf } from "../io.ts";
import { filtersOf, type LetterRequest } from "../../app/letters/letter-filter.ts";
import { filterOptions } from "../letter-options.ts";
import { groupLetters, type LetterGroup } from "../../app/letters/letter-groups.ts";
import { viewLetter } from "../../app/letters/letter-view.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";
import { openConfiguredEngine } from "../../app/opening.ts";
import type { Context } from "../command.ts";
import { age, count, counted } from "../../core/amounts.ts";
import { adviceOf } from "../../core/advice.ts";
import { indent, table } from "../../views/table.ts";
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
    .action(context.act((flags: DiscardFlags) => discardLetters(context, flags)));
  addExport(dead, context);
}

async function list({ io }: Context, flags: ListFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openConfiguredEngine(opened.config, own, opened);
    const groups = await groupLetters(engine, await filtersOf(engine, opened.config, flags), flags.limit);
    const total = groups.reduce((sum, { letters }) => sum + letters, 0);
    const examples = groups.map(({ example }) => viewLetter(example, engine.keyring, false));
    if (flags.json === true) {
      const shown = groups.map(({ kind, pool, reason, letters, oldest, newest }, index) => {
        const { id, username, attribute, value } = examples[index] ?? {};
        const times = { oldest: new Date(oldest).toISOString(), newest: new Date(newest).toISOString() };
        return {
          kind,
          pool,
          reason,
          letters,
          ...times,
          example: { id, username, attribute, value },
          advice: adviceOf(kind, reason),
        };
      });
      io.stdout.write(`${JSON.stringify({ total, groups: shown }, undefined, 2)}\n`);
      return EXIT.done;
    }
    if (total === 0) {
      io.stdout.write("No dead letters.\n");
      return EXIT.done;
    }
    const width = columnsOf(io.stdout);
    const now = Date.now();
    io.stdout.write(
      table(
        [
          { title: "KIND" },
          { title: "REASON", shrinks: true },
          { title: "LETTERS", align: "right" },
          { title: "OLDEST", align: "right" },
          { title: "NEWEST", align: "right" },
          { title: "POOL", shrinks: true },
        ],
        groups.map(({ kind, reason, letters, oldest, newest, pool }) => [
          kind,
          reason,
          count(letters),
          age(now - oldest),
          age(now - newest),
          pool,
        ]),
        width,
      ),
    );
    // Reasons of a kind have one advice, but for those whose person is lost.
    const advised = new Map<string, { readonly group: LetterGroup; readonly index: number }>();
    for (const [index, group] of groups.entries()) {
      const title = isLostPerson(group.reason) ? `${group.kind}: ${group.reason}` : group.kind;
      if (!advised.has(title)) advised.set(title, { group, index });
    }
    for (const [title, { group, index }] of advised) {
      const example = examples[index];
      const { kind } = group;
      io.stdout.write(`\n${title}\n`);
      if (example) {
        io.stdout.write(
          indent("  e.g. ", `${example.username}: ${example.attribute} = ${example.value}  (${example.id})`, width),
        );
      }
      io.stdout.write(indent("  ", adviceOf(kind, group.reason), width));
      if (isLostPerson(group.reason)) continue;
      // A letter without its token is sent by nobody.
      const next = kind === "token-expired" ? "discard" : "replay";
      io.stdout.write(`  ${commandLine(io, ["dead", next, "--kind", kind], flags)}\n`);
    }
    return EXIT.done;
  });
}

async function show({ io }: Context, id: string, flags: ShowFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openConfiguredEngine(opened.config, own, opened);
    const letter = await engine.store.letters.get(id);
    if (letter === undefined) {
      throw new AppError(
        "no-letter",
        sentence`There is no dead letter \`${id}\`: it was replayed or discarded, or the id is mistyped. See ${nextStep("dead", "list")}.`,
      );
    }
    const view = viewLetter(letter, engine.keyring, flags.showValues === true);
    if (flags.json === true) {
      io.stdout.write(`${JSON.stringify(view, undefined, 2)}\n`);
      return EXIT.done;
    }
    for (const [name, shown] of Object.entries<string | Readonly<Record<string, string>>>({ ...view })) {
      const pairs = (texts: Readonly<Record<string, string>>): string =>
        Object.entries(texts)
          .map(([key, text]) => `${key}=${text}`)
          .join(", ");
      io.stdout.write(
        indent(`${name.padEnd(10)}  `, typeof shown === "string" ? shown : pairs(shown), columnsOf(io.stdout)),
      );
    }
    return EXIT.done;
  });
}

async function discardLetters({ io }: Context, flags: DiscardFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { kind, pool, user, attribute, since, until, limit } = flags;
  if (flags.all !== true && [kind, pool, user, attribute, since, until, limit].every((each) => each === undefined)) {
    throw new AppError("usage", "Expected a filter such as --kind or --user, or --all to discard every dead letter.", {
      category: "usage",
    });
  }
  return withOwned(async (own) => {
    const engine = await openConfiguredEngine(opened.config, own, opened);
    const closedAt = until ?? Date.now();
    const filters = await filtersOf(engine, opened.config, { ...flags, until: closedAt });
    let discarded = 0;
    if (flags.dryRun === true) {
      const groups = await groupLetters(engine, filters, limit);
      discarded = groups.reduce((sum, { letters }) => sum + letters, 0);
    } else {
      for (const filter of filters) {
        const left = limit === undefined ? {} : { limit: limit - discarded };
        discarded += await discard(engine, { ...filter, until: closedAt, ...left });
      }
    }
    if (flags.json === true) {
      io.stdout.write(`${JSON.stringify({ dryRun: flags.dryRun === true, letters: discarded }, undefined, 2)}\n`);
    } else {
      const letters = counted(discarded, "dead letter");
      io.stdout.write(flags.dryRun === true ? `${letters} would be discarded.\n` : `Discarded ${letters}.\n`);
    }
    return EXIT.done;
  });
}
