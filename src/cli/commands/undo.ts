/** `poolsync undo`: puts back what was there before a run, but for what has changed since. */
import type { Command } from "commander";
import { choosePool } from "../../config/config.ts";
import { withOwned } from "../../lifecycle.ts";
import { openWayBack } from "../../plan/way-back.ts";
import type { Store } from "../../store/store.ts";
import { carryOut, type RunFlags, type RunSource, type Session } from "../../app/runs/run-feed.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../../app/app-error.ts";
import { count } from "../../views/figures.ts";
import type { Io } from "../io.ts";
import {
  cognitoOptions,
  engineOptions,
  openChosenPool,
  openClients,
  openConfig,
  openEngineOf,
} from "../../app/opening.ts";
import { several } from "../option-values.ts";
import { planDocument, printPlan } from "../../views/plan-view.ts";
import { mayGoOn, planAll, stopAtGuards } from "../../app/plans/make-plans.ts";
import type { Context } from "../program.ts";
import { stopDeliveries } from "../../app/workers/stopping.ts";
import { isWhole } from "../../views/run-summary.ts";

interface UndoFlags extends RunFlags {
  readonly approve?: readonly string[];
  readonly dryRun?: boolean;
}

export function addUndo(program: Command, context: Context): void {
  const command = program
    .command("undo")
    .description("Put back what was there before a run with keepBefore. What has changed since is left alone.")
    .argument("<run>", "the run, by its id");
  cognitoOptions(command)
    .option("--dry-run", "tell what would be put back, and write nothing")
    .option("--approve <plan>", "go on with this plan although it breaks guards; may be repeated", several)
    .option("--report <file>", "where users who were skipped are listed (default: here, under the name of the run)");
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync undo r-mwpw75al-0d0e85 --dry-run
  $ poolsync undo r-mwpw75al-0d0e85

The undoing is newer than the file of the run: to put the file's values again,
give it a newer time, by \`touch\` or with --as-of.

Exit codes: 0 all was put back; 1 failed; 2 finished, with values left as they
were changed since; 3 the way back breaks guards and is not approved; 64 wrong
usage or configuration; 130 interrupted.`,
    )
    .action(context.act((run: string, flags: UndoFlags) => undo(context.io, run, flags)));
}

/** The whole pool is read where more users than this are put back. */
const MOST_SINGLE_LOOKS = 500;

async function undo(io: Io, id: string, flags: UndoFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { config, log, lively, reads } = opened;
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    const { pool: poolId, feed, startedAt } = await undoable(engine.store, id);
    const clients = openClients(config, own);
    const means = { config, log, engine, clients, own, io, reads, signal: io.interrupts.drain };
    const pool = await openChosenPool(means, choosePool(config, poolId, flags));
    const { profile } = pool;
    const now = Date.now();
    const back = await openWayBack(engine.store, { keyring: engine.keyring, profile }, id, {
      timeMs: now,
      begunAt: startedAt,
    });
    if (!back) {
      throw new CommandError(
        "not-undoable",
        `Nothing is kept of what was there before run ${id}: it was made without keepBefore, it wrote nothing, or that was long ago.`,
      );
    }
    const setting = Object.hasOwn(config.feeds, feed) ? config.feeds[feed] : undefined;
    const guards = setting?.guards ?? config.guards;
    const mapping = { identifier: "username", attributes: [] } as const;
    const input = { feed: `undo ${id}`, records: back.records(), mapping, guards };
    const isFew = back.usernames.length <= MOST_SINGLE_LOOKS;
    const where = { pool, engine, directory: config.dataDir };
    const [plan] = await planAll(io, where, [input], "live", lively, {
      scan: (signal, names) => pool.scan(signal, isFew ? names() : undefined),
    });
    if (!plan) throw new Error("Expected a plan of the way back");
    own(plan, (made) => made.close());
    const goesOn = mayGoOn({ plan, unfinished: undefined }, flags.approve ?? [], { pool: profile.id, log });
    if (!goesOn) return stopAtGuards(io, [plan], flags, profile.id);
    if (flags.dryRun === true) {
      if (flags.json === true) {
        io.stdout.write(`${JSON.stringify(planDocument(plan, profile.id, false), undefined, 2)}\n`);
      } else {
        printPlan(io, plan, { pool: profile.id, plain: io.stdout.isTTY !== true || config.plain });
      }
      return EXIT.done;
    }
    const deliveries = [await pool.deliver()];
    own(deliveries, (all) => stopDeliveries(all, io.interrupts));
    const session: Session = { ...opened, io, flags, engine, pool, deliveries };
    const source: RunSource = {
      name: plan.feed,
      // Begun again it finds what was put back already, and does the rest.
      identity: "",
      asOfMs: now,
      totalRows: plan.figures.rows.read,
      rereadable: true,
      guards,
      records: () => plan.feedRows(),
      judged: () => plan.rows(),
    };
    const summary = await carryOut(session, source);
    if (flags.json === true) io.stdout.write(`${JSON.stringify(summary, undefined, 2)}\n`);
    return isWhole(summary) ? EXIT.done : EXIT.partial;
  });

  /** The run, of which nothing is under way any more. */
  async function undoable({ runs }: Pick<Store, "runs">, run: string) {
    const found = await runs.get(run);
    if (!found) {
      throw new CommandError(
        "no-run",
        `There is no run \`${run}\`: see \`${commandLine(io, ["runs", "list"], flags)}\`.`,
      );
    }
    const { pending } = await runs.books(run);
    if (pending === 0) return found;
    throw new CommandError(
      "not-undoable",
      `Of run ${run} ${count(pending)} changes are still pending: let them be delivered first; \`${commandLine(io, ["runs", "show", run], flags)}\` tells how far it is.`,
    );
  }
}
