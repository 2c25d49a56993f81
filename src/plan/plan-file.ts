/** A plan as a file, for `apply`. */
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Keyring } from "../store/keyring.ts";
import type { Target } from "../store/store.ts";
import type { Plan } from "./plan.ts";
import { planLines, PlanFileError, readPlan, type PlanFacts, type WrittenPlan } from "./plan-lines.ts";

/** How long a plan may be applied. */
const PLAN_LIFE_MS = 24 * 60 * 60_000;

/** Writes a plan, readable by its owner only. */
export async function writePlanFile(
  plan: Plan,
  where: { readonly target: Target; readonly keyring: Keyring },
  { path, ...facts }: Omit<PlanFacts, "lifeMs"> & { readonly path: string },
): Promise<void> {
  const file = createWriteStream(path, { mode: 0o600 });
  await once(file, "open");
  for (const line of planLines(plan, where, { ...facts, lifeMs: PLAN_LIFE_MS })) {
    if (!file.write(`${line}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
}

/** Opens a plan file, read through once: throws a PlanFileError where it was altered, cut off or has expired. */
export function openPlanFile(path: string, keyring: Keyring, now: number): Promise<WrittenPlan> {
  return readPlan(() => linesOf(path), keyring, { name: path, now });
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, "utf8");
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) yield line;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new PlanFileError(`The plan \`${path}\` cannot be read (${code}): check the path.`, { cause });
  } finally {
    input.destroy();
  }
}
