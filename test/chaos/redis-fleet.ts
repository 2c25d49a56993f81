/** A run's own Redis, as the plan has it. */
import type { Scope } from "../../src/lifecycle.ts";
import { startLoneRedis, type LoneRedis } from "./lone-redis.ts";
import type { Topology } from "./plan.ts";
import { startSentinelFleet, type SentinelFleet, type SentinelFleetOptions } from "./sentinel-fleet.ts";

export type RedisFleet = LoneRedis | SentinelFleet;

/** `own` gets what it opens. */
export async function startRedisFleet(
  scope: Scope,
  directory: string,
  topology: Topology,
  options: SentinelFleetOptions,
): Promise<RedisFleet> {
  if (topology === "sentinel") return startSentinelFleet(scope, directory, options);
  const appendfsync = topology === "aof-everysec" ? "everysec" : "always";
  return scope.defer(await startLoneRedis(directory, appendfsync, options.random), (redis) => redis.close());
}
