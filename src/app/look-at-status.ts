/** How a namespace stands, asked of the process that has the data directory where this one cannot open it. */
import type { Config } from "../config/config.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { aborted, withScope } from "../lifecycle.ts";
import { askHolder } from "../store/postgres/directory-lock.ts";
import { StoreError } from "../store/store-error.ts";
import { AppError } from "./app-error.ts";
import { BESIDE_RUNS, ceilings, openEngineToLook, type Opened } from "./opening.ts";
import { parseStatus, statusOf, type NamespaceStatus } from "./status.ts";

/** `verify`: recounts everything. Throws an AppError `in-use` where a recount is wanted and another process is there. */
export async function lookAtStatus(opened: Opened, verify: boolean): Promise<NamespaceStatus> {
  const { config } = opened;
  return withScope(async (scope) => {
    try {
      const engine = await openEngineToLook(config, scope, opened, BESIDE_RUNS);
      return await statusOf(engine, { ceilingsOf: ceilings(config), verify });
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== "in-use") throw error;
      return await askOwner(config, verify, error);
    }
  });
}

const WATCH_EVERY_MS = 2_000;

/** Tells how the namespace stands, again and again until the signal. A data directory is free for others in between. */
export async function watchStatus(
  opened: Opened,
  onStatus: (status: NamespaceStatus) => void,
  signal: AbortSignal,
): Promise<void> {
  const { config } = opened;
  const ended = aborted(signal);
  const watch = async (ask: () => Promise<NamespaceStatus | undefined>): Promise<void> => {
    const look = (): Promise<NamespaceStatus | undefined> =>
      ask().catch((error: unknown) => {
        if (!signal.aborted) throw error;
        return undefined;
      });
    while (!signal.aborted) {
      // A Redis that is lost is waited for, and a signal ends that too.
      const status = await Promise.race([look(), ended]);
      if (status !== undefined) onStatus(status);
      await Promise.race([sleep(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined), ended]);
    }
  };
  if (config.redisUrl === undefined) return watch(() => lookAtStatus(opened, false).catch(unlessStarting));
  await withScope(async (scope) => {
    const engine = await openEngineToLook(config, scope, opened);
    await watch(() => statusOf(engine, { ceilingsOf: ceilings(config), verify: false }));
  });
}

/** A process that has just taken the data directory, or has just left it, says nothing yet, or nothing more. */
function unlessStarting(error: unknown): undefined {
  if (!(error instanceof StoreError) || error.kind !== "in-use") throw error;
}

/** The other process says itself how it stands, but for a recount, which would stop it. */
async function askOwner({ dataDir }: Config, verify: boolean, inUse: StoreError): Promise<NamespaceStatus> {
  if (verify) {
    throw new AppError(
      "in-use",
      sentence`Another poolsync process has the data directory ${dataDir}, and a recount needs it at rest: run ${nextStep("status", "--verify")} when that process has ended.`,
      { cause: inUse },
    );
  }
  const answer = await askHolder(dataDir);
  // Between the two looks the process may have ended; then the next try opens the directory.
  const status = answer === undefined ? undefined : parseStatus(answer.status);
  if (status === undefined) throw inUse;
  return status;
}
