/** `poolsync apply`: exactly what a plan file says, for those who are still as the plan found them. */
import type { Command } from "commander";
import { AppError } from "../../app/app-error.ts";
import { openChosenPool, openClients, openEngineToPut } from "../../app/opening.ts";
import { replan } from "../../app/plans/replan.ts";
import { choosePool } from "../../config/config.ts";
import { withScope } from "../../lifecycle.ts";
import { openPlanFile } from "../../plan/plan-file.ts";
import type { Context } from "../command.ts";
import type { Io } from "../io.ts";
import { cognitoOptions, engineOptions, openConfig } from "../opening.ts";
import { several } from "../option-values.ts";
import { createPlanningLine } from "../planning-line.ts";
import { deliverRun, leftoversOption, type RunFlags } from "../run-context.ts";

interface ApplyFlags extends RunFlags {
  readonly approve?: readonly string[];
}

export function addApply(program: Command, context: Context): void {
  const command = program
    .command("apply")
    .description("Carry out a plan that `plan --out` wrote. Users who were changed since are skipped and reported.")
    .argument("<plan>", "the plan file");
  leftoversOption(cognitoOptions(command))
    .option("--approve <plan>", "carry the plan out although it breaks guards", several)
    .option("--report <file>", "where users who were skipped are listed (default: here, under the name of the run)");
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync plan --feed hr --out hr.psplan
  $ poolsync apply hr.psplan

Exit codes: 0 all applied; 1 failed; 2 finished, with users skipped or dead
letters; 3 the plan breaks guards and is not approved; 64 wrong usage or
configuration; 130 interrupted.`,
    )
    .action(context.act((path: string, flags: ApplyFlags) => apply(context.io, path, flags)));
}

async function apply(io: Io, path: string, flags: ApplyFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { config, log } = opened;
  const signal = io.interrupts.drain;
  return withScope(async (scope) => {
    const engine = await openEngineToPut(config, scope, opened);
    const reading = { keyring: engine.keyring, now: Date.now(), directory: config.dataDir };
    const file = scope.defer(await openPlanFile(path, reading), (opened) => opened.close());
    const { id, feed, guarded, target } = file.header;
    const chosen = choosePool(config, target.pool, flags);
    const clients = await openClients(config, scope);
    const { concurrency } = config;
    const pool = await openChosenPool({ ...opened, concurrency, engine, clients, scope, signal }, chosen);
    if (guarded && flags.approve?.includes(id) !== true) {
      throw new AppError(
        "guarded",
        `Plan ${id} breaks guards, and nothing of it was written; if it is right, add --approve ${id}.`,
        { category: "guarded" },
      );
    }
    if (guarded) log.warn({ plan: id, pool: pool.profile.id, feed, guards: [] }, "guards overridden");
    const line = createPlanningLine(io, opened.interactive);
    const deps = { scope, pool, engine, directory: config.dataDir, observe: line.observe, signal };
    const source = await replan(deps, file).finally(line.clear);
    const identity = engine.keyring.contentName(`plan ${file.signature}`);
    return deliverRun(io, opened, scope, { engine, pool, source: { ...source, identity } }, flags);
  });
}
