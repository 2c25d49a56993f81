/** `poolsync dead replay`: dead letters are put again under their old version, and delivered. */
import type { Command } from "commander";
import { filtersOf, type LetterRequest } from "../../app/letters/letter-filter.ts";
import { demandNoPause } from "../../app/gates/pause.ts";
import { findReplayable, openReplay, orderReplay, replayAndWait } from "../../app/letters/replay-groups.ts";
import { openChosenPool, openClients, openEngineToPut } from "../../app/opening.ts";
import { waitForOthers } from "../../app/runs/own-deliveries.ts";
import type { RunEvent, Standstill } from "../../app/runs/run-observer.ts";
import { ConfigError } from "../../config/config-error.ts";
import { choosePool } from "../../config/config.ts";
import { count, counted } from "../../core/amounts.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope, type Scope } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import { republishLetters } from "../../queues/dead-letters.ts";
import { byKind, groupsText, leftOut, movement } from "../../views/replay.ts";
import { balanceText } from "../../views/run-summary.ts";
import { standstillText } from "../../views/standstill.ts";
import type { Context } from "../command.ts";
import { asTyped, commandLine } from "../command-line.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { demandNoFilter, filterOptions } from "../letter-options.ts";
import { cognitoOptions, engineOptions, openConfig, type OpenedCommand } from "../opening.ts";
import { leftoversOption, startDelivering, type RunFlags } from "../run-context.ts";
import { createProgress } from "../progress.ts";

interface ReplayFlags extends RunFlags, Omit<LetterRequest, "ids"> {
  readonly dryRun?: boolean;
}

export function addReplay(dead: Command, context: Context): void {
  const command = filterOptions(
    dead
      .command("replay")
      .description("Put dead letters again under their old version, and wait for what becomes of them.")
      .argument("[id...]", "of `dead list --letters`"),
  ).option("--dry-run", "count them, and do nothing");
  leftoversOption(cognitoOptions(command)).option(
    "--detach",
    "leave the order to the fleet's replay worker (needs REDIS_URL)",
  );
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync dead replay --kind user-not-found --dry-run
  $ poolsync dead replay --kind alias-exists --pool eu-west-1_Example --limit 10
  $ poolsync dead replay 8443329fe0efe41593aed5d714ef8c03

A newer value is never overwritten: a letter that was overtaken ends as stale or
superseded. Exit codes: 0 none died again; 2 some did, or could not be replayed;
130 interrupted.`,
    )
    .action(context.act((ids: readonly string[], flags: ReplayFlags) => replay(context, ids, flags)));
}

async function replay({ io }: Context, ids: readonly string[], flags: ReplayFlags): Promise<number> {
  demandNoFilter(ids, flags);
  const opened = await openConfig(io, flags);
  const { config, log } = opened;
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
  return withScope(async (scope) => {
    const engine = await openEngineToPut(config, scope, opened);
    const until = flags.until ?? Date.now();
    const filters = await filtersOf(engine, config, { ...flags, ids, until });
    const request = { filters, until, limit: flags.limit };
    const { groups, letters, people, notReplayable, altered } = await findReplayable(engine, request);
    const left = leftOut(notReplayable - altered, altered);
    if (letters === 0 || flags.dryRun === true) {
      const none = notReplayable === 0 ? "No dead letter matches.\n" : "";
      const text = letters === 0 ? none : `Would be replayed:\n${groupsText(groups)}`;
      print(
        { dryRun: flags.dryRun === true, letters, people, byKind: byKind(groups), notReplayable },
        `${text}${left}`,
      );
      return notReplayable > 0 && flags.dryRun !== true ? EXIT.partial : EXIT.done;
    }
    if (flags.detach === true) {
      const orders = await orderReplay(engine, request);
      const ordered = counted(letters, "dead letter is", "dead letters are");
      const text = `${left}${ordered} ordered to be replayed; a replay worker carries it out.\n`;
      print({ orders, letters, notReplayable }, text);
      return EXIT.done;
    }
    const pools = [...new Set(groups.map(({ pool }) => pool))];
    const opening = await openPools(io, opened, scope, engine, pools, flags);
    const stands = await openReplay(engine, request);
    for (const pool of pools) await demandNoPause(engine.store, { pool });
    for (const id of stands.runs) {
      const run = await engine.store.runs.get(id);
      if (run !== undefined) await demandNoPause(engine.store, run);
    }
    const { deliveries, leftRuns } = await startDelivering(
      io,
      opened,
      scope,
      { engine, pools: opening, runs: stands.runs },
      flags,
    );
    const progress = scope.defer(createProgress(io.stderr, opened.interactive), (shown) => shown.stop());
    const { interrupts } = io;
    const onHeld = (standstill: Standstill): void => {
      progress.held(standstill);
      progress.clear();
      tell(io, asTyped(io, standstillText(standstill), flags));
    };
    const deps = {
      engine,
      log,
      interrupts,
      deliveries,
      pools,
      onStopped: () => progress.stop(),
      onLook: (...seen: Seen) => progress.show(progressOf(...seen)),
      onHeld,
    };
    const outcome = await replayAndWait(deps, request, stands).finally(() => progress.stop());
    const observe = (event: RunEvent): void => void (event.is === "held" && onHeld(event.standstill));
    await waitForOthers({ ...deps, observe }, pools, leftRuns);
    const { replayed, runs, before, after, balanced, diedAgain } = outcome;
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    const again = diedAgain === 0 ? "" : `; ${count(diedAgain)} died again (see \`${command("dead", "list")}\`)`;
    print(
      { letters: replayed, people, byKind: byKind(groups), notReplayable, runs, before, after, balanced, diedAgain },
      [
        left,
        `${groupsText(groups)}Replayed ${counted(replayed, "letter")} of ${counted(people, "person", "people")}${again}.\n\n`,
        movement(before, after, columnsOf(io.stdout)),
        `${balanceText(balanced, command)}\n`,
      ].join(""),
    );
    return diedAgain + notReplayable === 0 ? EXIT.done : EXIT.partial;
  });
}

async function openPools(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  engine: Engine,
  pools: readonly string[],
  flags: ReplayFlags,
) {
  const { config } = opened;
  const clients = openClients(config, scope);
  const deps = { ...opened, concurrency: config.concurrency, engine, clients, scope, signal: io.interrupts.drain };
  const opening = [];
  for (const id of pools) {
    opening.push(await openChosenPool(deps, choosePool(config, id, flags)));
    await republishLetters(engine.queues, engine.store.letters, id);
  }
  return opening;
}

type Seen = Parameters<Parameters<typeof replayAndWait>[0]["onLook"]>;

/** What the bar shows: letters for rows, and how the books have moved since. */
function progressOf(...[replayed, before, now]: Seen) {
  return {
    rows: replayed,
    totalRows: replayed,
    received: replayed,
    applied: now.applied - before.applied,
    unchanged: now.unchanged - before.unchanged,
    dead: now.dead,
    pending: now.pending,
  };
}
