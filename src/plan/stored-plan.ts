/**
 * A plan that waits in the store for somebody's approval: the lines of a plan file, with what people are shown of it,
 * packed and in chunks. Any process of the namespace may show it and carry it out, just as it was made.
 */
import type { Keyring } from "../store/keyring.ts";
import type { Plans } from "../store/plans.ts";
import type { Target } from "../store/store.ts";
import type { Example } from "./figures.ts";
import type { Plan } from "./plan.ts";
import {
  changesIn,
  checkPlan,
  openPlan,
  planLines,
  type OpenedPlan,
  type PlanFacts,
  type PlanRun,
  type WrittenPlan,
} from "./plan-lines.ts";
import { packedLines, TooLargeError, unpackedLines } from "./packed-lines.ts";
import { PlanFileError } from "./plan-file-error.ts";

/** How long a plan waits for an approval. */
export const APPROVAL_MS = 7 * 24 * 60 * 60_000;
/** What a store keeps of one plan at most, packed: from 160,000 users to over a million, see docs/operations.md. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Keeps a plan under its run. Answers false, and keeps nothing, where it is too large. */
export async function storePlan(
  plans: Plans,
  plan: Plan,
  where: { readonly target: Target; readonly keyring: Keyring },
  facts: Omit<PlanFacts, "lifeMs"> & { readonly run: string },
): Promise<boolean> {
  const { run } = facts;
  const lines = planLines(plan, where, { ...facts, lifeMs: APPROVAL_MS });
  try {
    await plans.keep({ run, expiresAt: facts.now + APPROVAL_MS }, packedLines(where.keyring, run, lines, MAX_BYTES));
    return true;
  } catch (error) {
    await plans.drop(run);
    if (error instanceof TooLargeError) return false;
    throw error;
  }
}

interface Keeping {
  readonly plans: Plans;
  readonly keyring: Keyring;
}

/**
 * What is to be shown of the plan that is kept under a run; undefined where none is. Throws a PlanFileError where it was
 * altered or is another run's, and sets it aside then, or where it has expired by `now`: 0 for one that was approved in
 * time.
 */
export async function checkStoredPlan(keeping: Keeping, run: PlanRun, now: number): Promise<WrittenPlan | undefined> {
  return orSetAside(keeping, run, async (lines) => checkPlan(lines, { keyring: keeping.keyring, now, of: run }));
}

/** The same, with those of its changes that a page shows, in the feed's order. */
export async function readStoredPlan(
  keeping: Keeping,
  run: PlanRun,
  now: number,
): Promise<(WrittenPlan & { readonly changes: readonly Example[] }) | undefined> {
  return orSetAside(keeping, run, async (lines) => {
    const changes: Example[] = [];
    const written = await checkPlan(lines, { keyring: keeping.keyring, now, of: run }, async (line) => {
      changes.push(...changesIn(line));
    });
    return { ...written, changes };
  });
}

/** The plan of an approved run, checked in the same way and copied to `directory`: it is read once. */
export async function openApprovedPlan(
  keeping: Keeping,
  run: PlanRun,
  directory: string,
): Promise<OpenedPlan | undefined> {
  const reading = { keyring: keeping.keyring, now: 0, of: run };
  return orSetAside(keeping, run, async (lines) => openPlan(lines, reading, directory));
}

/** Reads the lines of a plan that is kept, and sets it aside where it is not as it was made. */
async function orSetAside<T>(
  { plans, keyring }: Keeping,
  run: PlanRun,
  read: (lines: AsyncIterable<string>) => Promise<T>,
): Promise<T | undefined> {
  const kept = await plans.list();
  if (!kept.some((entry) => entry.run === run.id)) return undefined;
  try {
    return await read(unpackedLines(keyring, run.id, plans.read(run.id)));
  } catch (error) {
    // One that has expired is sound.
    if (error instanceof PlanFileError && !error.isExpired) await plans.setAside(run.id);
    throw error;
  }
}
