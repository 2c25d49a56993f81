/** `poolsync dead replay`: dead letters are put again under their old version, parked events mapped anew, and delivered. */
import type { Command } from "commander";
import { groupParked } from "../../app/events/parked-events.ts";
import { areEventsDrained, replayParked } from "../../app/events/replay-events.ts";
import { demandNoPause } from "../../app/gates/pause.ts";
import { EVENT_KIND, findAllDead, type DeadRequest } from "../../app/letters/dead-filter.ts";
import {
  findReplayable,
  openReplay,
  orderReplay,
  replayAndWait,
  type Replayable,
  type ReplayRequest,
} from "../../app/letters/replay-groups.ts";
import { openEngineToPut } from "../../app/opening.ts";
import { waitForOthers } from "../../app/runs/own-deliveries.ts";
import type { RunEvent, Standstill } from "../../app/runs/run-observer.ts";
import { ConfigError } from "../../config/config-error.ts";
import { count, counted } from "../../core/amounts.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope, type Scope } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import { byKind, groupsText, leftOut, movement } from "../../views/replay.ts";
import { balanceText } from "../../views/run-summary.ts";
import { standstillText } from "../../views/standstill.ts";
import type { Context } from "../command.ts";
import { asTyped, commandLine } from "../command-line.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { demandFilter, filterOptions } from "../letter-options.ts";
import { cognitoOptions, engineOptions, openConfig, type OpenedCommand } from "../opening.ts";
import { openReplayPools } from "../replay-pools.ts";
import { leftoversOption, startDelivering, type RunFlags } from "../run-context.ts";
import { createProgress } from "../progress.ts";
import { demandMapped, replayEvents, type ReplayableEvents } from "./dead-replay-events.ts";

interface ReplayFlags extends RunFlags, Omit<DeadRequest, "ids"> {
  readonly dryRun?: boolean;
}

export function addReplay(dead: Command, context: Context): void {
  const command = filterOptions(
    dead
      .command("replay")
      .description("Put dead letters again under their old version, map parked events anew, and wait for the end.")
      .argument("[id...]", "of `dead list --letters`"),
  ).option("--dry-run", "count them, and do nothing");
  leftoversOption(cognitoOptions(command)).option(
    "--detach",
    "leave letters to the fleet's replay worker and events to its `ingest` (needs REDIS_URL)",
  );
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync dead replay --kind user-not-found --dry-run
  $ poolsync dead replay --kind alias-exists --pool eu-west-1_Example --limit 10
  $ poolsync dead replay --kind event --reason no-column --feed crm
  $ poolsync dead replay 8443329fe0efe41593aed5d714ef8c03

A newer value is never overwritten: a letter that was overtaken ends as stale or
superseded. Events are mapped with today's poolsync.yaml: by \`ingest\` where there
is REDIS_URL, else here. Exit codes: 0 none died again, or was parked again; 2 some
did, or could not be replayed; 130 interrupted.`,
    )
    .action(context.act((ids: readonly string[], flags: ReplayFlags) => replay(context, ids, flags)));
}

async function replay({ io }: Context, ids: readonly string[], flags: ReplayFlags): Promise<number> {
  demandFilter(ids, flags);
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
  const print = (text: string): void => void (json || io.stdout.write(text));
  const printDocument = (document: object): void =>
    void (json && io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`));
  return withScope(async (scope) => {
    const engine = await openEngineToPut(config, scope, opened);
    const until = flags.until ?? Date.now();
    const dead = await findAllDead(engine, config, { ...flags, ids });
    const request = { filters: dead.letters, until, limit: flags.limit };
    const found = await findReplayable(engine, request);
    const { groups, letters, people, notReplayable, altered } = found;
    const all = await findEvents(dead.events, flags.limit && flags.limit - letters);
    print(leftOut(notReplayable - altered, altered));
    const about = { letters, people, byKind: byKind(groups), notReplayable };
    if (letters + all.events === 0 || flags.dryRun === true) {
      const none = notReplayable === 0 ? "No dead letter or parked event matches.\n" : "";
      const parked = all.events === 0 ? "" : `  ${EVENT_KIND}: ${count(all.events)}\n`;
      print(letters + all.events === 0 ? none : `Would be replayed:\n${groupsText(groups)}${parked}`);
      printDocument({ dryRun: flags.dryRun === true, ...about, events: all.events });
      return notReplayable > 0 && flags.dryRun !== true ? EXIT.partial : EXIT.done;
    }
    if (flags.detach === true) {
      const orders = letters === 0 ? [] : await orderReplay(engine, request);
      if (letters > 0) {
        const ordered = counted(letters, "dead letter is", "dead letters are");
        print(`${ordered} ordered to be replayed; a replay worker carries it out.\n`);
      }
      const events = all.events === 0 ? 0 : await replayParked({ engine, log }, all.parked, all.limit);
      const isDrained = await areEventsDrained(engine);
      if (events > 0) {
        const wait = counted(events, "event waits", "events wait");
        const ingest = commandLine(io, ["ingest"], flags);
        const who = isDrained ? "`ingest` maps them" : `no process takes events: \`${ingest}\` maps them`;
        print(`${wait} in the inbox again; ${who} anew, with its configuration of today.\n`);
      }
      printDocument({ orders, letters, notReplayable, events, ingest: isDrained });
      return EXIT.done;
    }
    // Letters that nobody needs an `ingest` for are not held up by events that were not asked for by name.
    const mayStay = engine.kind === "redis" && letters > 0 && flags.kind === undefined && ids.length === 0;
    const stay = mayStay && all.events > 0 && !(await areEventsDrained(engine));
    const toMap = stay ? undefined : all;
    if (stay) {
      const ingest = commandLine(io, ["ingest"], flags);
      const stays = counted(all.events, "event stays", "events stay");
      tell(io, `${stays} parked: no process takes events that would map them anew. Start \`${ingest}\`.`);
    }
    if (toMap && toMap.events > 0) await demandMapped(engine, opened, toMap.groups);
    const ofLetters =
      letters === 0
        ? undefined
        : await withScope((within) => replayLetters(io, opened, within, engine, { request, found }, flags));
    if (ofLetters) print(ofLetters.text);
    const ofEvents =
      toMap === undefined || toMap.events === 0
        ? undefined
        : await withScope((within) => replayEvents(io, opened, within, engine, toMap, flags));
    if (ofEvents) print(`${ofLetters ? "\n" : ""}${ofEvents.text}`);
    const diedAgain = (ofLetters?.diedAgain ?? 0) + (ofEvents?.diedAgain ?? 0);
    const none = { events: 0 };
    printDocument({ ...about, ...ofLetters?.document, ...none, ...ofEvents?.document, diedAgain });
    const isAll = diedAgain + notReplayable === 0 && !stay;
    return isAll && Object.keys(ofEvents?.document.parkedAgain ?? {}).length === 0 ? EXIT.done : EXIT.partial;
  });
}

async function findEvents(parked: ReplayableEvents["parked"], limit: number | undefined): Promise<ReplayableEvents> {
  const groups = await groupParked(parked, limit);
  return { parked, groups, events: groups.reduce((sum, { events }) => sum + events, 0), limit };
}

async function replayLetters(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  engine: Engine,
  { request, found: { groups, people } }: { readonly request: ReplayRequest; readonly found: Replayable },
  flags: ReplayFlags,
) {
  const { log } = opened;
  const pools = [...new Set(groups.map(({ pool }) => pool))];
  const opening = await openReplayPools(io, opened, scope, engine, pools, flags);
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
  return {
    document: { letters: replayed, runs, before, after, balanced },
    diedAgain,
    text: [
      `${groupsText(groups)}Replayed ${counted(replayed, "letter")} of ${counted(people, "person", "people")}${again}.\n\n`,
      movement(before, after, columnsOf(io.stdout)),
      `${balanceText(balanced, command)}\n`,
    ].join(""),
  };
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
