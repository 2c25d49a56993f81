/**
 * The report of a run as the store keeps it, so that any machine has it: beside the plans, under a name of its own. It
 * names lines, and nobody.
 */
import { z } from "zod";
import { soundDocument } from "../../store/documents.ts";
import { defined } from "../../core/defined.ts";
import type { RowIssue } from "../../delivery/row-issue.ts";
import type { Log } from "../../log.ts";
import type { MissedFigures } from "../../plan/missed.ts";
import { packedLines, unpackedLines } from "../../plan/packed-lines.ts";
import { notPutForm } from "../../plan/not-put.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Run } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { findRun } from "./find-run.ts";
import type { ReportFile } from "./report-file.ts";

/** Packed: far more than the issues that are kept take. */
const MAX_BYTES = 16 * 1024 * 1024;
/** No run's id has a space. */
const PREFIX = "report ";
const nameOf = (run: string): string => PREFIX + run;

/** The last line. */
const endForm = z.object({
  issues: z.number(),
  missed: z.exactOptional(z.object({ values: z.number(), people: z.number() })),
});

/** True for the name of a report among those of plans. */
export function isReport(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * Keeps the first of what a run did not put, and how much it is in all; and what events had missed. Where that fails the run goes on: the whole of
 * it is in the file.
 */
export async function keepReport(
  { store, keyring }: Pick<Engine, "store" | "keyring">,
  log: Log,
  run: Run,
  { first, issues, missed }: Pick<ReportFile, "first" | "issues"> & { readonly missed?: MissedFigures | undefined },
  expiresAt: number,
): Promise<void> {
  if (issues === 0 && missed === undefined) return;
  const name = nameOf(run.id);
  const lines = [...first, defined({ issues, missed })].map((document) => JSON.stringify(document));
  try {
    await store.plans.keep({ run: name, expiresAt }, packedLines(keyring, name, lines, MAX_BYTES));
  } catch (err) {
    log.warn({ run: run.id, pool: run.pool, err }, "report not kept");
  }
}

export interface RunReport {
  readonly run: Run;
  /** Those that are kept, and how many there were. Absent where nothing is kept, or it was altered. */
  readonly kept: { readonly issues: readonly RowIssue[]; readonly of: number } | undefined;
  /** True where the run has put all it has read. */
  readonly isEmpty: boolean;
}

/** Throws an AppError `no-run`. */
export async function readReport(engine: Pick<Engine, "store" | "keyring">, id: string): Promise<RunReport> {
  const run = await findRun(engine, id);
  const { issues, of } = await keptReport(engine, id);
  const isEmpty = run.rows.faulty === 0 && (await engine.store.runs.books(id)).invalid === 0;
  return { run, kept: of === 0 ? undefined : { issues, of }, isEmpty };
}

/** What the events of the run's feed had missed; absent where nothing is known of that. */
export async function keptMissed(
  engine: Pick<Engine, "store" | "keyring">,
  id: string,
): Promise<MissedFigures | undefined> {
  return (await keptReport(engine, id)).missed;
}

async function keptReport({ store, keyring }: Pick<Engine, "store" | "keyring">, id: string) {
  const issues: RowIssue[] = [];
  let end: z.infer<typeof endForm> | undefined;
  for await (const line of unpackedLines(keyring, nameOf(id), store.plans.read(nameOf(id)))) {
    const issue = soundDocument(notPutForm, line);
    if (issue) issues.push(issue);
    else end = soundDocument(endForm, line);
  }
  return { issues, of: end?.issues ?? 0, missed: end?.missed };
}

/** Takes the reports away whose runs are gone. */
export async function sweepReports({ plans, runs }: Pick<Store, "plans" | "runs">): Promise<void> {
  for (const { run: name } of await plans.list()) {
    if (isReport(name) && (await runs.get(name.slice(PREFIX.length))) === undefined) await plans.drop(name);
  }
}
