/** Whether there is an engine that a change has to go through. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import { AppError } from "../../app/app-error.ts";

/** True where Redis is configured, or an earlier command made the data directory. */
export function hasEngine({ redisUrl, dataDir }: Config): boolean {
  return redisUrl !== undefined || existsSync(join(dataDir, "poolsync.json"));
}

/** Throws an AppError (`engine-there`) where `--now` would go past what is queued. */
export function refuseNow(config: Config): void {
  if (!hasEngine(config)) return;
  const where = config.redisUrl === undefined ? `a data directory (${config.dataDir})` : "REDIS_URL";
  throw new AppError(
    "engine-there",
    `Nothing was written: there is ${where}, and an older value that waits in it could overwrite this one. Leave --now out: the change then goes before all that is queued.`,
    { category: "guarded" },
  );
}
