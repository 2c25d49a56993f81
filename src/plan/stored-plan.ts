/**
 * A plan that waits in the store for somebody's approval: the lines of a plan file, with what people are shown of it,
 * packed and in chunks. Any process of the namespace may show it and carry it out, just as it was made.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { Keyring } from "../store/keyring.ts";
import type { Plans } from "../store/plans.ts";
import type { Target } from "../store/store.ts";
import type { Plan } from "./plan.ts";
import {
  checkPlan,
  openPlan,
  planLines,
  type OpenedPlan,
  type PlanFacts,
  type PlanRun,
  type WrittenPlan,
} from "./plan-lines.ts";
import { PlanFileError } from "./plan-file-error.ts";
import { linesOf } from "./text-lines.ts";

/** How long a plan waits for an approval. */
export const APPROVAL_MS = 7 * 24 * 60 * 60_000;
/** What a store keeps of one plan at most, packed: from 160,000 users to over a million, see docs/operations.md. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Divisible by three, so that chunks of base64 are whole. */
const CHUNK_BYTES = 192 * 1024;

/** Keeps a plan under its run. Answers false, and keeps nothing, where it is too large. */
export async function storePlan(
  plans: Plans,
  plan: Plan,
  where: { readonly target: Target; readonly keyring: Keyring },
  facts: Omit<PlanFacts, "lifeMs"> & { readonly run: string },
): Promise<boolean> {
  const lines = planLines(plan, where, { ...facts, lifeMs: APPROVAL_MS });
  const { run } = facts;
  try {
    await plans.keep({ run, expiresAt: facts.now + APPROVAL_MS }, packed(lines));
    return true;
  } catch (error) {
    await plans.drop(run);
    if (error instanceof PlanTooLargeError) return false;
    throw error;
  }
}

class PlanTooLargeError extends Error {}

async function* packed(lines: Iterable<string>): AsyncGenerator<string> {
  const ended = function* () {
    for (const line of lines) yield `${line}\n`;
  };
  const gzip = createGzip();
  // A fault of the lines destroys the packer with it, and so comes out of the loop below.
  const piped = pipeline(Readable.from(ended()), gzip).catch(() => undefined);
  let buffer = Buffer.alloc(0);
  let bytes = 0;
  for await (const piece of gzip) {
    if (!Buffer.isBuffer(piece)) throw new TypeError("Expected bytes of the packed plan");
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new PlanTooLargeError(`Expected at most ${MAX_BYTES} bytes of a packed plan`);
    buffer = Buffer.concat([buffer, piece]);
    for (; buffer.length >= CHUNK_BYTES; buffer = buffer.subarray(CHUNK_BYTES)) {
      yield buffer.subarray(0, CHUNK_BYTES).toString("base64");
    }
  }
  await piped;
  if (buffer.length > 0) yield buffer.toString("base64");
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
export async function checkStoredPlan(
  { plans, keyring }: Keeping,
  run: PlanRun,
  now: number,
): Promise<WrittenPlan | undefined> {
  return orSetAside(plans, run, async (lines) => checkPlan(lines, { keyring, now, of: run }));
}

/** The plan of an approved run, checked in the same way and copied to `directory`: it is read once. */
export async function openApprovedPlan(
  { plans, keyring }: Keeping,
  run: PlanRun,
  directory: string,
): Promise<OpenedPlan | undefined> {
  return orSetAside(plans, run, async (lines) => openPlan(lines, { keyring, now: 0, of: run }, directory));
}

/** Reads the lines of a plan that is kept, and sets it aside where it is not as it was made. */
async function orSetAside<T>(
  plans: Plans,
  run: PlanRun,
  read: (lines: AsyncIterable<string>) => Promise<T>,
): Promise<T | undefined> {
  const kept = await plans.list();
  if (!kept.some((entry) => entry.run === run.id)) return undefined;
  try {
    return await read(linesOf(unpacked(plans.read(run.id))));
  } catch (error) {
    // One that has expired is sound.
    if (error instanceof PlanFileError && !error.isExpired) await plans.setAside(run.id);
    throw error;
  }
}

async function* unpacked(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  const bytes = async function* () {
    for await (const chunk of chunks) yield Buffer.from(chunk, "base64");
  };
  const input = Readable.from(bytes());
  const gunzip = createGunzip();
  const piped = pipeline(input, gunzip).catch(() => undefined);
  try {
    gunzip.setEncoding("utf8");
    for await (const piece of gunzip) yield String(piece);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && String(cause.code).startsWith("Z_"))) throw cause;
    // Data that does not unpack was cut off or altered, and so has no signature: the error says that.
  } finally {
    input.destroy();
    gunzip.destroy();
    await piped;
  }
}
