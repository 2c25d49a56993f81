/** `poolsync dead replay`: dead letters are put again under their old version, and delivered. */
import type { Command } from "commander";
import type { Letter } from "../../core/letter.ts";
import { ConfigError } from "../../config/config-error.ts";
import { choosePool } from "../../config/config.ts";
import { imbalance, TERMS, type Books } from "../../core/books.ts";
import { withOwned } from "../../lifecycle.ts";
import { republishLetters } from "../../queues/dead-letters.ts";
import { carryOut, isReplayable } from "../../delivery/replay.ts";
import { sendOrder, type ReplayOrder } from "../../queues/replay-orders.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../../app/app-error.ts";
import { columnsOf, tell } from "../io.ts";
import { filterOptions, filtersOf, type FilterFlags } from "../../app/letters/letter-filter.ts";
import { groupLetters, lettersOf, type LetterGroup } from "../../app/letters/letter-groups.ts";
import {
  cognitoOptions,
  engineOptions,
  openChosenPool,
  openClients,
  openConfig,
  openEngineOf,
  type CognitoFlags,
} from "../../app/opening.ts";
import type { Context } from "../program.ts";
import { count, counted } from "../../views/figures.ts";
import { createProgress } from "../progress.ts";
import { booksOf, waitUntilSettled } from "../../app/runs/settling.ts";
import { stopDeliveries } from "../../app/workers/stopping.ts";
import { balanceText } from "../../views/run-summary.ts";
import { table } from "../../views/table.ts";

interface ReplayFlags extends CognitoFlags, FilterFlags {
  readonly dryRun?: boolean;
  readonly detach?: boolean;
}

export function addReplay(dead: Command, context: Context): void {
  const command = filterOptions(
    dead
      .command("replay")
      .description("Put dead letters again under their old version, and wait for what becomes of them."),
  ).option("--dry-run", "count them, and do nothing");
  cognitoOptions(command).option("--detach", "leave the order to the fleet's replay worker (needs REDIS_URL)");
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync dead replay --kind user-not-found --dry-run
  $ poolsync dead replay --kind alias-exists --pool eu-west-1_Example --limit 10

A newer value is never overwritten: a letter that was overtaken ends as stale or
superseded. Exit codes: 0 none died again; 2 some did, or could not be replayed;
130 interrupted.`,
    )
    .action(context.act((flags: ReplayFlags) => replay(context, flags)));
}

async function replay({ io }: Context, flags: ReplayFlags): Promise<number> {
  const { config, log, lively, reads } = await openConfig(io, flags);
  if (flags.detach === true && config.redisUrl === undefined) {
    throw new ConfigError([
      {
        path: "--detach",
        message: "Expected REDIS_URL: without Redis there is no replay worker to leave the order to",
      },
    ]);
  }
  const json = flags.json === true;
  const print = (document: object, text: string): void => {
    io.stdout.write(json ? `${JSON.stringify(document, undefined, 2)}\n` : text);
  };
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    const until = flags.until ?? Date.now();
    const filters = await filtersOf(engine, config, { ...flags, until });
    const isMeant = (letter: Letter): Promise<boolean> => isReplayable(engine, letter);
    let notReplayable = 0;
    const groups = await groupLetters(engine, filters, flags.limit, async (letter) => {
      const may = await isMeant(letter);
      if (!may) notReplayable += 1;
      return may;
    });
    const letters = groups.reduce((sum, group) => sum + group.letters, 0);
    const left = notReplayable === 0 ? "" : `${leftOut(notReplayable)}\n`;
    if (letters === 0 || flags.dryRun === true) {
      const none = notReplayable === 0 ? "No dead letter matches.\n" : "";
      const text = letters === 0 ? none : `Would be replayed:\n${groupsText(groups)}`;
      print({ dryRun: flags.dryRun === true, letters, byKind: byKind(groups), notReplayable }, `${text}${left}`);
      return notReplayable > 0 && flags.dryRun !== true ? EXIT.partial : EXIT.done;
    }
    const orders = filters.map((filter): ReplayOrder => ({
      ...filter,
      until,
      ...(flags.limit === undefined ? {} : { limit: flags.limit }),
    }));
    if (flags.detach === true) {
      const ids: string[] = [];
      for (const order of orders) ids.push(await sendOrder(engine, order));
      print(
        { orders: ids, letters, notReplayable },
        `${left}${counted(letters, "dead letter is", "dead letters are")} ordered to be replayed; a replay worker carries it out.\n`,
      );
      return EXIT.done;
    }

    const clients = openClients(config, own);
    const pools = [...new Set(groups.map(({ pool }) => pool))];
    const opened = [];
    const means = { config, log, engine, clients, own, io, reads, signal: io.interrupts.drain };
    for (const id of pools) {
      opened.push(await openChosenPool(means, choosePool(config, id, flags)));
      await republishLetters(engine.queues, engine.store.letters, id);
    }
    // The books before, of every run that the letters belong to.
    const concerned = new Set<string>();
    for await (const { run } of lettersOf(engine, filters, flags.limit, isMeant)) concerned.add(run);
    const before = await booksOf(engine.store.runs, [...concerned]);

    const deliveries = await Promise.all(opened.map((pool) => pool.deliver()));
    own(deliveries, (all) => stopDeliveries(all, io.interrupts));
    const progress = createProgress(io.stderr, lively);
    own(progress, (shown) => shown.stop());
    const say = (sentence: string): void => {
      progress.clear();
      tell(io, sentence);
    };
    let replayed = 0;
    let after: Books;
    try {
      for (const order of orders) {
        const limit = order.limit === undefined ? {} : { limit: order.limit - replayed };
        replayed += (await carryOut(engine, { ...order, ...limit }, io.interrupts.drain)).letters;
      }
      log.info({ letters: replayed, pools }, "letters replayed");
      after = await waitUntilSettled({
        engine,
        deliveries,
        pools,
        runs: [...concerned],
        allPut: () => true,
        onLook: (books) =>
          progress.show({
            rows: replayed,
            totalRows: replayed,
            received: replayed,
            applied: books.applied - before.applied,
            unchanged: books.unchanged - before.unchanged,
            dead: books.dead,
            pending: books.pending,
          }),
        onHeld: say,
        signal: io.interrupts.drain,
      });
    } catch (error) {
      if (!io.interrupts.drain.aborted) throw error;
      progress.stop();
      await stopDeliveries(deliveries, io.interrupts);
      const { pending } = await booksOf(engine.store.runs, [...concerned]);
      throw new CommandError(
        "interrupted",
        `Interrupted. ${counted(pending, "change stays", "changes stay")} queued: the next sync or replay into the pool delivers them.`,
        { cause: error, exitCode: EXIT.interrupted },
      );
    }
    progress.stop();
    const balanced = imbalance(after) === 0;
    const diedAgain = Math.max(0, after.dead - (before.dead - replayed));
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    const again = diedAgain === 0 ? "" : `; ${count(diedAgain)} died again (see \`${command("dead", "list")}\`)`;
    print(
      {
        letters: replayed,
        byKind: byKind(groups),
        notReplayable,
        runs: [...concerned],
        before,
        after,
        balanced,
        diedAgain,
      },
      [
        left,
        `${groupsText(groups)}Replayed ${counted(replayed, "letter")}${again}.\n\n`,
        movement(before, after, columnsOf(io.stdout)),
        `${balanceText(balanced, command)}\n`,
      ].join(""),
    );
    return diedAgain + notReplayable === 0 ? EXIT.done : EXIT.partial;
  });
}

function leftOut(letters: number): string {
  const are = counted(letters, "letter is of a user's own change", "letters are of users' own changes");
  return `${are}, whose token is gone, and cannot be replayed: make the change again with update-user-attributes and a new token.`;
}

function byKind(groups: readonly LetterGroup[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, letters } of groups) counts[kind] = (counts[kind] ?? 0) + letters;
  return counts;
}

function groupsText(groups: readonly LetterGroup[]): string {
  return Object.entries(byKind(groups))
    .map(([kind, letters]) => `  ${kind}: ${count(letters)}\n`)
    .join("");
}

/** The books of the letters' runs, before and after. */
function movement(before: Books, after: Books, width: number): string {
  return table(
    [
      { title: "BOOKS" },
      { title: "BEFORE", align: "right" },
      { title: "AFTER", align: "right" },
      { title: "", align: "right" },
    ],
    TERMS.map((term) => {
      const by = after[term] - before[term];
      return [
        term,
        count(before[term]),
        count(after[term]),
        by === 0 ? "" : `${by > 0 ? "+" : "−"}${count(Math.abs(by))}`,
      ];
    }),
    width,
  );
}
