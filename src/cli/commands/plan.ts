/** `poolsync plan`: what a sync would do, and nothing of it done. */
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { withScope } from "../../lifecycle.ts";
import { notPutOf, type NotPut } from "../../plan/not-put.ts";
import type { Plan } from "../../plan/plan.ts";
import { writePlanFile } from "../../plan/plan-file.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { AppError } from "../../app/app-error.ts";
import { reportLine } from "../../app/runs/report-file.ts";
import { openFeeds, usage } from "../../app/feeds/open-feeds.ts";
import { feedOptions, planOptions, type FeedsFlags } from "../feed-options.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, feedsDeps, openConfig } from "../opening.ts";
import { planShown } from "../planning.ts";
import { planDocument, planText } from "../../views/plan-view.ts";
import { planPage } from "../../views/plan-page.ts";
import { guardedMessage } from "../../views/guards.ts";
import { isApproved, type PlannedFeed } from "../../app/plans/make-plans.ts";
import type { Context } from "../command.ts";

interface PlanFlags extends FeedsFlags {
  readonly out?: string;
  readonly html?: string;
  readonly report?: string;
  readonly showValues?: boolean;
}

export function addPlan(program: Command, context: Context): void {
  const command = program
    .command("plan")
    .description("Tell what a sync of the same files would do. Nothing is written to the pool.");
  cognitoOptions(planOptions(feedOptions(command)))
    .option("--out <file>", "write the plan to a file that `apply` carries out (`.psplan`)")
    .option("--html <file>", "write a page that an approver can read anywhere")
    .option("--report <file>", "write what would not be put, line by line, as NDJSON")
    .option("--show-values", "show values in examples, instead of how long they are");
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync plan users.csv --user-pool-id eu-west-1_Example --verified mark
  $ poolsync plan --feed hr --html plan.html --out hr.psplan

Exit codes: 0 all guards hold; 3 a guard is broken and the plan is not
approved; 64 wrong usage or configuration; 130 interrupted.`,
    )
    .action(context.act((files: string[], flags: PlanFlags) => plan(context.io, files, flags)));
}

async function plan(io: Io, files: readonly string[], flags: PlanFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  for (const option of ["out", "html", "report"] as const) {
    if (files.length > 1 && flags[option] !== undefined)
      throw usage(`--${option}`, "Expected one file to plan with it");
  }
  return withScope(async (scope) => {
    const feeds = await openFeeds(feedsDeps(io, opened, scope), { ...flags, files });
    const { engine, pool, baseline } = feeds;
    if (flags.out !== undefined && baseline !== "live") {
      throw usage("--out", "Expected --baseline live with it: a plan is applied to those who are as it found them");
    }
    if (baseline === undefined) throw usage("--stream", "Expected a feed that can be read twice");
    const planned = await planShown(io, opened, scope, feeds, baseline);
    const where = { pool: pool.profile.id, log: opened.log };
    const stopped = planned.filter(
      (feed) => !isApproved({ ...feed, unfinished: undefined }, flags.approve ?? [], where),
    );
    for (const feed of planned)
      await writeFiles(feed, { ...where, target: pool.target, keyring: engine.keyring }, flags);
    const plans = planned.map((feed) => feed.plan);
    if (flags.json === true) {
      const documents = plans.map((item) => {
        return planDocument(item, where.pool, flags.showValues === true, allNotPut(item));
      });
      const [only] = documents;
      io.stdout.write(`${JSON.stringify(documents.length === 1 ? only : { plans: documents }, undefined, 2)}\n`);
      return stopped.length > 0 ? EXIT.guarded : EXIT.done;
    }
    const noColor = io.stdout.isTTY !== true || opened.config.noColor;
    const look = { pool: where.pool, noColor, showValues: flags.showValues === true };
    for (const plan of plans) io.stdout.write(planText(plan, look, columnsOf(io.stdout)));
    if (stopped.length > 0) tell(io, guardedMessage(stopped.map((feed) => feed.plan)));
    else if (flags.out !== undefined)
      tell(io, `Apply exactly this with \`${commandLine(io, ["apply", flags.out], flags)}\`.`);
    return stopped.length > 0 ? EXIT.guarded : EXIT.done;
  });
}

type Where = Parameters<typeof writePlanFile>[1] & { readonly pool: string };

async function writeFiles(
  { plan: made, input, guards }: PlannedFeed,
  where: Where,
  { out, html, report, showValues }: PlanFlags,
): Promise<void> {
  const written = async (path: string, write: () => Promise<void>): Promise<void> => {
    try {
      await write();
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
      throw new AppError("plan-file", `\`${path}\` cannot be written (${code}): give another place.`, { cause });
    }
  };
  if (out !== undefined) {
    const facts = { asOfMs: input.asOfMs, guards, path: out, now: Date.now() };
    await written(out, () => writePlanFile(made, where, facts));
  }
  if (html !== undefined) {
    const page = planPage(made, { pool: where.pool, showValues: showValues === true, madeAt: new Date() });
    await written(html, () => writeFile(html, page, { mode: 0o600 }));
  }
  if (report !== undefined) await written(report, () => writeFile(report, reportText(made), { mode: 0o600 }));
}

function* allNotPut(plan: Plan): Generator<NotPut> {
  for (const row of plan.rows()) yield* notPutOf(row);
}

/** In pieces, so that it never is in memory as a whole. */
function* reportText(plan: Plan): Generator<string> {
  let piece = "";
  for (const issue of allNotPut(plan)) {
    piece += reportLine(issue);
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}

const PIECE_CHARS = 64 * 1024;
