/** Files that a command writes beside what it prints, readable by their owner only. */
import { writeFile } from "node:fs/promises";
import { AppError } from "../app/app-error.ts";
import type { KeptPlan } from "../app/runs/look-at-runs.ts";
import { planPage, type PageFacts } from "../views/plan-page.ts";
import type { PlanSummary } from "../plan/plan-lines.ts";

/** Throws an AppError `plan-file`. */
export async function written(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new AppError("plan-file", `\`${path}\` cannot be written (${code}): give another place.`, { cause });
  }
}

export async function writePage(path: string, plan: PlanSummary, facts: PageFacts): Promise<void> {
  await written(path, () => writeFile(path, inPieces(planPage(plan, facts)), { mode: 0o600 }));
}

/** The page of a plan that waits in the store. */
export async function writeKeptPage(
  path: string,
  { run: { id }, header, summary, changes }: KeptPlan,
  showValues: boolean,
): Promise<void> {
  const until = new Date(header.expiresAt).toISOString().slice(0, 16).replace("T", " ");
  const approval = `poolsync runs approve ${id}`;
  await writePage(path, summary, {
    target: header.target,
    showValues,
    now: Date.now(),
    changes: changes.length === 0 ? summary.examples : changes,
    approval,
    holds: `Until ${until} UTC, as run ${id}, unless its feed has other content before: \`${approval}\` has exactly this carried out, but for those who are changed meanwhile; \`poolsync runs cancel ${id}\` ends it.`,
  });
}

const PIECE_CHARS = 64 * 1024;

/** Larger ones than they come, because each is a write of its own. */
export function* inPieces(texts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}
