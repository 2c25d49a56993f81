/** `poolsync drift`: what somebody else changed in the pool since poolsync wrote it. Nothing is written. */
import type { Command } from "commander";
import { openFeeds } from "../../app/feeds/open-feeds.ts";
import { findDriftOf } from "../../app/plans/find-drift.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope } from "../../lifecycle.ts";
import { driftDocument, driftText } from "../../views/drift.ts";
import type { Context } from "../command.ts";
import { feedOptions, type FeedsFlags } from "../feed-options.ts";
import { columnsOf, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, feedsDeps, openConfig } from "../opening.ts";
import { planShown } from "../planning.ts";

type DriftFlags = FeedsFlags;

export function addDrift(program: Command, context: Context): void {
  const command = program
    .command("drift")
    .description("Tell which values of a file's users were changed in the pool since poolsync wrote them.");
  engineOptions(cognitoOptions(feedOptions(command)))
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync drift users.csv --user-pool-id eu-west-1_Example --verified mark
  $ poolsync drift --feed hr --json

Exit codes: 0 nothing was changed by others; 1 failed; 2 something was; 64 wrong
usage or configuration; 130 interrupted.`,
    )
    .action(context.act((files: string[], flags: DriftFlags) => drift(context.io, files, flags)));
}

async function drift(io: Io, files: readonly string[], flags: DriftFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  return withScope(async (scope) => {
    const feeds = await openFeeds(feedsDeps(io, opened, scope), { ...flags, files, baseline: "live" });
    const found = await findDriftOf(feeds, await planShown(io, opened, scope, { ...feeds, everybody: true }, "live"));
    if (flags.json === true) io.stdout.write(`${JSON.stringify(driftDocument(found), undefined, 2)}\n`);
    else io.stdout.write(driftText(found, columnsOf(io.stdout)));
    return found.sum.drifted > 0 ? EXIT.partial : EXIT.done;
  });
}
