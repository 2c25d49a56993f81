/** `poolsync plan`: what a sync would do, and nothing of it done. */
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { withScope } from "../../lifecycle.ts";
import { notPutOf, type NotPut } from "../../plan/not-put.ts";
import type { Plan } from "../../plan/plan.ts";
import { shownChanges } from "../../plan/change-kinds.ts";
import { PLAN_LIFE_MS, writePlanFile } from "../../plan/plan-file.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { reportLine } from "../../app/runs/report-file.ts";
import { openFeeds, usage } from "../../app/feeds/open-feeds.ts";
import { feedOptions, planOptions, type FeedsFlags } from "../feed-options.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, feedsDeps, openConfig } from "../opening.ts";
import { planShown } from "../planning.ts";
import type { PageFacts } from "../../views/plan-page.ts";
import { planDocument, planText } from "../../views/plan-view.ts";
import { inPieces, writePage, written } from "../page-file.ts";
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
    .option("--show-values", "show values, and not only how they differ");
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
  const now = Date.now();
  if (out !== undefined) {
    const facts = { asOfMs: input.asOfMs, guards, path: out, now };
    await written(out, () => writePlanFile(made, where, facts));
  }
  if (html !== undefined) {
    await writePage(html, made, {
      target: where.target,
      showValues: showValues === true,
      now,
      changes: shownChanges(made.rows(), made.kinds),
      ...(out === undefined ? notKept(made) : keptInFile(made, out, now + PLAN_LIFE_MS)),
    });
  }
  if (report !== undefined)
    await written(report, () => writeFile(report, inPieces(allNotPut(made).map(reportLine)), { mode: 0o600 }));
}

function notKept({ id, broken }: Plan): Pick<PageFacts, "holds" | "approval"> {
  const approval = `poolsync sync --approve ${id}`;
  return {
    approval: `--approve ${id}`,
    holds:
      broken.length === 0
        ? "It is kept nowhere: `sync` of the same file plans anew, and may find something else by then."
        : `It is kept nowhere: \`${approval}\` of the same file plans anew, and goes on only where it would write exactly this.`,
  };
}

function keptInFile({ id, broken }: Plan, path: string, expiresAt: number): Pick<PageFacts, "holds" | "approval"> {
  const apply = `poolsync apply ${basename(path)}`;
  const approval = broken.length === 0 ? apply : `${apply} --approve ${id}`;
  const until = new Date(expiresAt).toISOString().slice(0, 16).replace("T", " ");
  return {
    approval,
    holds: `Until ${until} UTC: \`${approval}\` carries out exactly this, but for those who are changed meanwhile.`,
  };
}

function* allNotPut(plan: Plan): Generator<NotPut> {
  for (const row of plan.rows()) yield* notPutOf(row);
}
