/**
 * A plan that waits in the store for somebody's approval: the lines of a plan file, with what people are shown of it,
 * packed and in chunks. Any process of the namespace may show it and carry it out, just as it was made.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { clear, isSealed, type Keyring } from "../store/keyring.ts";
import { chunkPlace } from "../store/sealed-unit.ts";
import type { Plans } from "../store/plans.ts";
import type { Target } from "../store/store.ts";
import type { Plan } from "./plan.ts";
import { planLines, readPlan, type PlanFacts, type WrittenPlan } from "./plan-lines.ts";

/** How long a plan waits for an approval. */
export const APPROVAL_MS = 7 * 24 * 60 * 60_000;
/** What a store keeps of one plan at most, packed: from 160,000 users to over a million, see docs/operations.md. */
const MAX_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 192 * 1024;

/** Keeps a plan under its run. Answers false, and keeps nothing, where it is too large. */
export async function storePlan(
  plans: Plans,
  plan: Plan,
  where: { readonly target: Target; readonly keyring: Keyring },
  { run, ...facts }: Omit<PlanFacts, "lifeMs"> & { readonly run: string },
): Promise<boolean> {
  const { target, keyring } = where;
  const lines = planLines(
    plan,
    { target, keyring: inChunks(keyring) },
    { ...facts, lifeMs: APPROVAL_MS, summary: true },
  );
  try {
    await plans.keep({ run, expiresAt: facts.now + APPROVAL_MS }, sealed(keyring, run, packed(lines)));
    return true;
  } catch (error) {
    await plans.drop(run);
    if (error instanceof PlanTooLargeError) return false;
    throw error;
  }
}

class PlanTooLargeError extends Error {}

async function* packed(lines: Iterable<string>): AsyncGenerator<Buffer> {
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
      yield buffer.subarray(0, CHUNK_BYTES);
    }
  }
  await piped;
  if (buffer.length > 0) yield buffer;
}

/**
 * The plan that is kept under a run; undefined where none is. Throws a PlanFileError where it was altered, or has
 * expired by `now`: 0 for one that was approved in time.
 */
export async function openStoredPlan(
  plans: Plans,
  keyring: Keyring,
  { run, now }: { readonly run: string; readonly now: number },
): Promise<WrittenPlan | undefined> {
  const kept = await plans.list();
  if (!kept.some((entry) => entry.run === run)) return undefined;
  return readPlan(() => unpacked(keyring, run, plans.read(run)), inChunks(keyring), { name: run, now, former: true });
}

async function* sealed(keyring: Keyring, run: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let index = 0;
  for await (const chunk of chunks) yield keyring.seal(chunkPlace(run, index++), chunk);
}

/** The chunks are sealed, so the texts in their lines are not; those of a version before format 3 of the store are. */
function inChunks(keyring: Keyring): Keyring {
  return {
    ...keyring,
    seal: (_place, content) => clear(String(content)),
    open: (_place, text) => keyring.openFormer(text),
  };
}

async function* unpacked(keyring: Keyring, run: string, chunks: AsyncIterable<string>): AsyncGenerator<string> {
  const bytes = async function* () {
    let index = 0;
    for await (const chunk of chunks) {
      const former = keyring.isSealed ? undefined : Buffer.from(chunk, "base64");
      const opened = isSealed(chunk) ? keyring.openBytes(chunkPlace(run, index), chunk) : former;
      // What was altered ends the plan, which has no signature then.
      if (opened === undefined) return;
      yield opened;
      index += 1;
    }
  };
  const input = Readable.from(bytes());
  const gunzip = createGunzip();
  const piped = pipeline(input, gunzip).catch(() => undefined);
  let rest = "";
  try {
    gunzip.setEncoding("utf8");
    for await (const piece of gunzip) {
      const lines = (rest + String(piece)).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && String(cause.code).startsWith("Z_"))) throw cause;
    // Data that does not unpack was cut off or altered, and so has no signature: the error says that.
  } finally {
    input.destroy();
    gunzip.destroy();
    await piped;
  }
}
