/** A run's own Redis, as the plan has it. */
import { startLoneRedis, type LoneRedis } from "./lone-redis.ts";
import type { Topology } from "./plan.ts";
import { startSentinelFleet, type SentinelFleet, type SentinelFleetOptions } from "./sentinel-fleet.ts";

export type RedisFleet = LoneRedis | SentinelFleet;

export function startRedisFleet(
  directory: string,
  topology: Topology,
  options: SentinelFleetOptions,
): Promise<RedisFleet> {
  if (topology === "sentinel") return startSentinelFleet(directory, options);
  return startLoneRedis(directory, topology === "aof-always" ? "always" : "everysec", options.random);
}
