/** A plan as a file, for `apply`. */
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import type { Keyring } from "../store/keyring.ts";
import type { Target } from "../store/store.ts";
import type { Plan } from "./plan.ts";
import { codeOf, PlanFileError } from "./plan-file-error.ts";
import { openPlan, planLines, type OpenedPlan, type PlanFacts } from "./plan-lines.ts";
import { linesOf } from "./text-lines.ts";

/** How long a plan may be applied. */
export const PLAN_LIFE_MS = 24 * 60 * 60_000;

/** Writes a plan, readable by its owner only. */
export async function writePlanFile(
  plan: Plan,
  where: { readonly target: Target; readonly keyring: Keyring },
  { path, ...facts }: Omit<PlanFacts, "lifeMs" | "run"> & { readonly path: string },
): Promise<void> {
  const file = createWriteStream(path, { mode: 0o600 });
  await once(file, "open");
  for (const line of planLines(plan, where, { ...facts, lifeMs: PLAN_LIFE_MS })) {
    if (!file.write(`${line}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
}

/**
 * Checks a plan file and copies it to `directory` in one reading: what becomes of the file afterwards changes nothing.
 * Throws a PlanFileError where it was altered, cut off or has expired.
 */
export function openPlanFile(
  path: string,
  { keyring, now, directory }: { readonly keyring: Keyring; readonly now: number; readonly directory: string },
): Promise<OpenedPlan> {
  return openPlan(linesOf(piecesOf(path)), { keyring, now, of: path }, directory);
}

async function* piecesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, "utf8");
  try {
    for await (const piece of input) yield String(piece);
  } catch (cause) {
    throw new PlanFileError(`The plan \`${path}\` cannot be read (${codeOf(cause)}): check the path.`, { cause });
  } finally {
    input.destroy();
  }
}
