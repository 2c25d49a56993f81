/** What the long-running processes of a fleet have in common. All of them need Redis. */
import type { Config } from "../../config/config.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { startHealth, type HealthOptions } from "../../http/health.ts";
import { aborted, endInTime, type Interrupts, type Scope } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { AppError } from "../app-error.ts";
import { watchDamage } from "../damage-watch.ts";

export interface WorkerDeps {
  readonly config: Config;
  readonly log: Log;
  readonly interrupts: Interrupts;
}

/** What closing may take once everything is drained. */
const CLOSE_SECONDS = 4;

/** Ends a worker that has not closed in time. To be deferred first. */
export function endWorkerInTime(
  { log, interrupts }: Omit<WorkerDeps, "config">,
  drainSeconds: number,
  scope: Scope,
): void {
  endInTime(interrupts, (drainSeconds + CLOSE_SECONDS) * 1000, scope, () => log.error({}, "ended without closing"));
}

/**
 * Resolves when the process is interrupted; until then the log is told what is set aside. Rejects with a StoreError
 * where the store is not the one that was opened any more: whoever goes on would only fail; and with the reason of
 * `others`.
 */
export async function drained(
  engine: Engine,
  { drain }: Interrupts,
  log: Log,
  others: readonly AbortSignal[] = [],
): Promise<void> {
  const faults = AbortSignal.any([engine.store.lost, ...others]);
  const end = AbortSignal.any([drain, faults]);
  const watching = watchDamage(engine, log, end);
  await aborted(end);
  await watching;
  if (!drain.aborted) throw faults.reason;
}

/** Throws an AppError for the embedded engine: it is one process, and has no fleet. */
export function demandRedis(config: Config): void {
  if (config.redisUrl !== undefined) return;
  throw new AppError(
    "configuration",
    sentence`REDIS_URL: Expected the Redis that the fleet shares, such as redis://127.0.0.1:6379; without Redis ${nextStep("sync")} delivers by itself`,
    { category: "usage" },
  );
}

/** Answers the health checks where a port is set. */
export async function openHealth(
  { health: { host, port } }: Config,
  log: Log,
  answers: Pick<HealthOptions, "ready" | "notes">,
  scope: Scope,
): Promise<void> {
  if (port === undefined) return;
  const health = await startHealth({ host, port, ...answers }).catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    const why = code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened at (${code})`;
    throw new AppError("port", `Port ${port} of ${host} ${why}: set another POOLSYNC_HEALTH_PORT.`, { cause });
  });
  scope.defer(health, (opened) => opened.close());
  log.info({ host, port: health.port }, "health checks are answered");
}
