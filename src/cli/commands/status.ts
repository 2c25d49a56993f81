/** `poolsync status`: queues, due users, pace, holds, runs and books. */
import type { Command } from "commander";
import { withOwned } from "../../lifecycle.ts";
import { StoreError } from "../../store/store-error.ts";
import { askHolder } from "../../store/postgres/directory-lock.ts";
import { EXIT } from "../../exit-codes.ts";
import { AppError } from "../../app/app-error.ts";
import { columnsOf, type Io } from "../io.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";
import { ceilings, openConfiguredEngine } from "../../app/opening.ts";
import type { Context } from "../command.ts";
import { age, count } from "../../core/amounts.ts";
import { parseStatus, statusOf, type NamespaceStatus } from "../../app/status.ts";
import { adviceOf } from "../../core/advice.ts";
import { booksText, stateText } from "../../views/run-summary.ts";
import { indent, table } from "../../views/table.ts";

interface StatusFlags extends EngineFlags {
  readonly verify?: boolean;
}

export function addStatus(program: Command, context: Context): void {
  engineOptions(
    program
      .command("status")
      .description("How it stands: queues, due users, pace, holds, runs and books.")
      .option("--verify", "recount every mailbox and dead letter, and compare with the books"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync status\n  $ poolsync status --verify --json\n\nExit codes: 1 where --verify finds a difference.",
    )
    .action(context.act((flags: StatusFlags) => status(context, flags)));
}

async function status({ io }: Context, flags: StatusFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { config } = opened;
  const verify = flags.verify === true;
  const standing = await withOwned(async (own) => {
    try {
      const engine = await openConfiguredEngine(opened.config, own, opened);
      return await statusOf(engine, { ceilingOf: ceilings(config), verify });
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== "in-use") throw error;
      return await askOwner(config.dataDir, verify, error);
    }
  });
  if (flags.json === true) io.stdout.write(`${JSON.stringify(standing, undefined, 2)}\n`);
  else print(io, standing);
  const sound = standing.balanced && (standing.verified?.differences.length ?? 0) === 0;
  return sound ? EXIT.done : EXIT.failed;
}

/** Another process has the data directory: it says itself how it stands, but for a recount, which would stop it. */
async function askOwner(dataDir: string, verify: boolean, inUse: StoreError): Promise<NamespaceStatus> {
  if (verify) {
    throw new AppError(
      "in-use",
      `Another poolsync process has the data directory ${dataDir}, and a recount needs it at rest: run \`poolsync status --verify\` when that process has ended.`,
      { cause: inUse },
    );
  }
  const answer = await askHolder(dataDir);
  // Between the two looks the process may have ended; then the next try opens the directory.
  const standing = answer === undefined ? undefined : parseStatus(answer.status);
  if (standing === undefined) throw inUse;
  return standing;
}

function print(io: Io, standing: NamespaceStatus): void {
  const width = columnsOf(io.stdout);
  const write = (text: string): void => void io.stdout.write(text);
  const { pools, deadLetters, holds, runs, books, balanced, verified } = standing;
  write(`Engine: ${standing.engine}\n`);
  if (pools.length === 0) write("No user pool has been used yet.\n");
  else {
    write("\n");
    write(
      table(
        [
          { title: "POOL", shrinks: true },
          { title: "DUE USERS", align: "right" },
          { title: "WAITING", align: "right" },
          { title: "ACTIVE", align: "right" },
          { title: "DELAYED", align: "right" },
          { title: "CALLS/S", align: "right" },
          { title: "LAST CUT", align: "right" },
        ],
        pools.map(({ pool, due, queue, pace }) => [
          pool,
          count(due),
          count((queue["waiting"] ?? 0) + (queue["prioritized"] ?? 0)),
          count(queue["active"] ?? 0),
          count(queue["delayed"] ?? 0),
          `${pace.ratePerSecond.toFixed(pace.ratePerSecond < 10 ? 1 : 0)} of ${pace.ceilingPerSecond}`,
          pace.lastCutAt === undefined ? "never" : age(Date.now() - Date.parse(pace.lastCutAt)),
        ]),
        width,
      ),
    );
  }
  for (const { pool, scope, kind, since } of holds) {
    const what = scope === "pool" ? `Pool ${pool} is` : `E-mail and phone units of pool ${pool} are`;
    write(`\n`);
    write(indent("", `${what} on hold since ${since} (${kind}). ${adviceOf(kind)}`, width));
  }
  const kinds = Object.entries(deadLetters).toSorted(([, a], [, b]) => b - a);
  if (kinds.length > 0) {
    write("\n");
    write(
      table(
        [{ title: "DEAD LETTERS" }, { title: "", align: "right" }],
        kinds.map(([kind, letters]) => [kind, count(letters)]),
        width,
      ),
    );
  }
  if (runs.length > 0) {
    write("\n");
    write(
      table(
        [
          { title: "RUN" },
          { title: "FEED", shrinks: true },
          { title: "STATE" },
          { title: "RECEIVED", align: "right" },
          { title: "APPLIED", align: "right" },
          { title: "PENDING", align: "right" },
          { title: "DEAD", align: "right" },
        ],
        runs.map(({ run, feed, state, books: own }) => [
          run,
          feed,
          stateText(state, own),
          count(own.received),
          count(own.applied),
          count(own.pending),
          count(own.dead),
        ]),
        width,
      ),
    );
  }
  write(`\nBooks of everything\n${booksText(books)}`);
  write(balanced ? "The books balance.\n" : "The books do NOT balance.\n");
  if (verified === undefined) return;
  if (verified.differences.length === 0)
    write(indent("", "Recounted: every mailbox and every dead letter is in the books.", width));
  for (const { run, term, books: said, counted } of verified.differences) {
    write(indent("", `Recounted: ${run} has ${count(counted)} ${term}, and its books say ${count(said)}.`, width));
  }
}
