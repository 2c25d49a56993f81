/** `poolsync undo`: puts back what was there before a run, but for what has changed since. */
import type { Command } from "commander";
import { readEarly } from "../../app/app-error.ts";
import { openChosenPool, openClients, openEngineToPut } from "../../app/opening.ts";
import { isApproved } from "../../app/plans/make-plans.ts";
import { findUndoable, planWayBack } from "../../app/plans/undo-run.ts";
import { choosePool } from "../../config/config.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope } from "../../lifecycle.ts";
import { planDocument, planText } from "../../views/plan-view.ts";
import type { Context } from "../command.ts";
import { stopAtGuards } from "../guard-stop.ts";
import { columnsOf, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, openConfig } from "../opening.ts";
import { several } from "../option-values.ts";
import { createPlanningLine } from "../planning-line.ts";
import { deliverRun, leftoversOption, type RunFlags } from "../run-context.ts";

interface UndoFlags extends RunFlags {
  readonly approve?: readonly string[];
  readonly dryRun?: boolean;
}

export function addUndo(program: Command, context: Context): void {
  const command = program
    .command("undo")
    .description("Put back what was there before a run with keepBefore. What has changed since is left alone.")
    .argument("<run>", "the run, by its id");
  leftoversOption(cognitoOptions(command))
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

async function undo(io: Io, id: string, flags: UndoFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { config, log } = opened;
  const signal = io.interrupts.drain;
  return withScope(async (scope) => {
    const engine = await openEngineToPut(config, scope, opened);
    const run = await readEarly(signal, findUndoable(engine.store, id, signal));
    const clients = await openClients(config, scope);
    const { concurrency } = config;
    const pool = await openChosenPool(
      { ...opened, concurrency, engine, clients, scope, signal },
      choosePool(config, run.pool, flags),
    );
    const line = createPlanningLine(io, opened.interactive);
    const deps = { scope, pool, engine, directory: config.dataDir, observe: line.observe, signal };
    const { plan, source } = await planWayBack(deps, config, run).finally(line.clear);
    const where = { pool: run.pool, log };
    if (!isApproved({ plan, unfinished: undefined }, flags.approve ?? [], where)) {
      return stopAtGuards(io, [plan], flags, run.pool);
    }
    if (flags.dryRun === true) {
      const noColor = io.stdout.isTTY !== true || config.noColor;
      if (flags.json === true) {
        io.stdout.write(`${JSON.stringify(planDocument(plan, run.pool, false), undefined, 2)}\n`);
      } else io.stdout.write(planText(plan, { pool: run.pool, noColor }, columnsOf(io.stdout)));
      return EXIT.done;
    }
    return deliverRun(io, opened, scope, { engine, pool, source }, flags);
  });
}
