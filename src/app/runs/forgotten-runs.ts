/**
 * Runs that are gone with the store that they were in: it was emptied, replaced or restored. A process that had them in
 * hand notes them in the store that is there now, when it has lost the other; whoever asks for one is told.
 */
import { MAX_LEAD_MS } from "../../core/version.ts";
import type { Log } from "../../log.ts";
import type { ForgottenRun } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { StoreError } from "../../store/store-error.ts";
import { timeOfRunId } from "./run-id.ts";

/** True where another store is in the place of this one, which this process had opened. */
export function wasReplaced({ lost }: Pick<Store, "lost">): boolean {
  return lost.reason instanceof StoreError && lost.reason.kind === "store-replaced";
}

/**
 * Notes which runs of a lost store the one in its place does not know. Only on Redis: a data directory that is being
 * replaced is not to be touched. Never rejects: the process ends anyway.
 */
export async function noteForgottenRuns(
  lost: Store,
  { redisUrl: url, namespace }: { readonly redisUrl?: string | undefined; readonly namespace: string },
  log: Log,
): Promise<void> {
  if (url === undefined || !wasReplaced(lost) || lost.metRuns.size === 0) return;
  try {
    const { openRedisStore } = await import("../../store/redis/redis-store.ts");
    const store = await openRedisStore({ url, namespace });
    try {
      const runs: string[] = [];
      for (const run of lost.metRuns) if ((await store.runs.get(run)) === undefined) runs.push(run);
      if (runs.length === 0) return;
      await store.runs.noteForgotten(runs);
      log.error({ runs }, "store has forgotten runs");
    } finally {
      await store.close();
    }
  } catch (err) {
    log.warn({ err }, "forgotten runs not noted");
  }
}

/** Those that were noted, and are not there again. */
export async function forgottenRuns({ runs }: Pick<Store, "runs">): Promise<readonly ForgottenRun[]> {
  const forgotten: ForgottenRun[] = [];
  for (const noted of await runs.forgotten()) {
    if ((await runs.get(noted.run)) === undefined) forgotten.push(noted);
  }
  return forgotten;
}

/** What can be said of a run that is not there, a sentence each. */
export async function whyForgotten(store: Pick<Store, "runs" | "since">, id: string): Promise<string> {
  const noted = (await store.runs.forgotten()).find(({ run }) => run === id);
  const lost = "What of it was not sent by then is not sent: give the same sync again.";
  if (noted) return ` It was found at ${iso(noted.at)} that the store has forgotten it. ${lost}`;
  const [{ since }, begun] = [store, timeOfRunId(id)];
  // No run has such an id, or none has it yet.
  if (begun === undefined || begun > Date.now() + MAX_LEAD_MS) return "";
  if (since === undefined || begun >= since) {
    const there = since === undefined ? "" : ` The store is there since ${iso(since)}.`;
    return `${there} Where the id is right, the run was done longer ago than keepRuns, or it is in another store (REDIS_URL, POOLSYNC_NAMESPACE or --data-dir are others than it was begun with), or this one has lost it. ${lost}`;
  }
  return ` The store is there only since ${iso(since)}, which is later than such a run: it was emptied, replaced or restored, or the run is another store's. ${lost}`;
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
