/** `poolsync apply`: exactly what a plan file says, for those who are still as the plan found them. */
import type { Command } from "commander";
import { choosePool } from "../../config/config.ts";
import { withOwned } from "../../lifecycle.ts";
import { openPlanFile } from "../../plan/plan-file.ts";
import { carryOut, type RunFlags, type Session } from "../../app/runs/run-feed.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../../app/app-error.ts";
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
import type { Context } from "../program.ts";
import { replanned } from "../../app/plans/replan.ts";
import { stopDeliveries } from "../../app/workers/stopping.ts";
import { isWhole } from "../../views/run-summary.ts";

interface ApplyFlags extends RunFlags {
  readonly approve?: readonly string[];
}

export function addApply(program: Command, context: Context): void {
  const command = program
    .command("apply")
    .description("Carry out a plan that `plan --out` wrote. Users who were changed since are skipped and reported.")
    .argument("<plan>", "the plan file");
  cognitoOptions(command)
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
  const { config, log, lively, reads } = opened;
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    const file = await openPlanFile(path, engine.keyring, Date.now());
    const { header } = file;
    const chosen = choosePool(config, header.target.pool, flags);
    const clients = openClients(config, own);
    const pool = await openChosenPool(
      { config, log, engine, clients, own, io, reads, signal: io.interrupts.drain },
      chosen,
    );
    if (header.guarded && flags.approve?.includes(header.id) !== true) {
      throw new CommandError(
        "guarded",
        `Plan ${header.id} breaks guards, and nothing of it was written; if it is right, add --approve ${header.id}.`,
        { exitCode: EXIT.guarded },
      );
    }
    if (header.guarded)
      log.warn({ plan: header.id, pool: pool.profile.id, feed: header.feed, guards: [] }, "guards overridden");
    const source = await replanned({ io, own, pool, engine, directory: config.dataDir, lively }, file);
    const deliveries = [await pool.deliver()];
    own(deliveries, (all) => stopDeliveries(all, io.interrupts));
    const session: Session = { ...opened, io, flags, engine, pool, deliveries };
    const summary = await carryOut(session, { ...source, identity: `plan ${file.signature}` });
    if (flags.json === true) io.stdout.write(`${JSON.stringify(summary, undefined, 2)}\n`);
    return isWhole(summary) ? EXIT.done : EXIT.partial;
  });
}
