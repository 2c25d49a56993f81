/** `poolsync drift`: what somebody else changed in the pool since poolsync wrote it. Nothing is written. */
import type { Command } from "commander";
import type { MissingColumn } from "../../core/guards.ts";
import { timeOf } from "../../core/version.ts";
import { withOwned } from "../../lifecycle.ts";
import { findDrift, type Drifted } from "../../plan/drift.ts";
import { EXIT } from "../../exit-codes.ts";
import { openFeeds } from "../../app/feeds/open-feeds.ts";
import { feedOptions, type FeedsFlags } from "../feed-options.ts";
import { count, counted } from "../../core/amounts.ts";
import { columnsOf, type Io } from "../io.ts";
import { printable, shownValue, valueText } from "../../core/masking.ts";
import { cognitoOptions, engineOptions, feedsDeps, openConfig } from "../opening.ts";
import { planShown, sayNotOwned } from "../planning.ts";
import type { Context } from "../command.ts";
import { indent, table } from "../../views/table.ts";

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

/** More are counted, and not listed. */
const MOST_LISTED = 1000;
const MOST_SHOWN = 50;

async function drift(io: Io, files: readonly string[], flags: DriftFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  return withOwned(async (own) => {
    const feeds = await openFeeds(feedsDeps(io, opened, own), { ...flags, files, baseline: "live" });
    sayNotOwned(io, feeds);
    const { engine, pool } = feeds;
    const means = {
      pool: pool.profile.id,
      keyring: engine.keyring,
      ledgers: (users: readonly string[]) => engine.store.mailboxes.ledgers(users),
    };
    const listed: Drifted[] = [];
    const sum = { compared: 0, unknown: 0, drifted: 0 };
    for (const { plan } of await planShown(io, opened, own, feeds, "live")) {
      const figures = await findDrift(means, plan.rows(), (drifted) => {
        if (listed.length < MOST_LISTED) listed.push(drifted);
      });
      for (const term of ["compared", "unknown", "drifted"] as const) sum[term] += figures[term];
    }
    const missing = feeds.feeds.flatMap(({ mapping }) => mapping.missing ?? []);
    if (flags.json === true) {
      const document = { pool: means.pool, ...sum, missingColumns: missing, changed: listed.map(viewDrift) };
      io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    } else printDrift(io, sum, missing, listed);
    return sum.drifted > 0 ? EXIT.partial : EXIT.done;
  });
}

/** Masked. */
function viewDrift({ username, attribute, version, now, wanted }: Drifted) {
  return {
    username: printable(username),
    attribute,
    version: new Date(timeOf(version)).toISOString(),
    now: now === undefined || now === "" ? null : shownValue(attribute, now),
    feed: valueText(wanted, false),
  };
}

function printDrift(
  { stdout }: Io,
  sum: { readonly compared: number; readonly unknown: number; readonly drifted: number },
  missing: readonly MissingColumn[],
  listed: readonly Drifted[],
): void {
  const width = columnsOf(stdout);
  const unknown = sum.unknown > 0 ? ` Of ${count(sum.unknown)} more it is not known what poolsync wrote last.` : "";
  const what =
    sum.drifted === 0
      ? "none was changed by others since poolsync wrote it."
      : `${count(sum.drifted)} ${sum.drifted === 1 ? "was" : "were"} changed by others since poolsync wrote ${sum.drifted === 1 ? "it" : "them"}.`;
  stdout.write(indent("", `Of ${counted(sum.compared, "value")} ${what}${unknown}`, width));
  for (const { attribute, column } of missing) {
    stdout.write(indent("", `\`${attribute}\` was not compared: the feed has no column \`${column}\`.`, width));
  }
  if (listed.length === 0) return;
  const rows = listed.slice(0, MOST_SHOWN).map((each) => {
    const { username, attribute, version, now, feed } = viewDrift(each);
    return [username, attribute, version.slice(0, 16).replace("T", " "), now ?? "–", feed];
  });
  stdout.write("\n");
  stdout.write(
    table(
      [
        { title: "USERNAME", shrinks: true },
        { title: "ATTRIBUTE", shrinks: true },
        { title: "VERSION (UTC)" },
        { title: "NOW", shrinks: true },
        { title: "THE FEED SAYS", shrinks: true },
      ],
      rows,
      width,
    ),
  );
  if (sum.drifted > rows.length) {
    stdout.write(
      indent("", `And ${count(sum.drifted - rows.length)} more; --json lists ${count(MOST_LISTED)}.`, width),
    );
  }
}
