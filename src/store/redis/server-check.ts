/** What a Redis server must be before anything is put on it. */
import { Cluster } from "ioredis";
import { StoreError } from "../store-error.ts";
import { redisClient } from "./connection.ts";
import type { RedisClient, RedisConnection } from "./connection.ts";
import { withoutCommand } from "./redis-error.ts";

/** The first version in which scripts may read the clock before they write, and ZADD knows LT. */
const OLDEST_REDIS = [6, 2] as const;

/**
 * A server that takes the connection and says nothing, or a cluster that is not ready or has nobody for the keys, is
 * given up after this.
 */
const CONNECT_WITHIN_MS = 8000;

/**
 * A connected client of a server that is fit for poolsync. Throws a StoreError with one sentence and the next step:
 * nobody answers (after a few seconds), credentials refused, too old, or with a policy that throws data away. Later
 * losses of the connection are healed by reconnecting: `report` is called once when it is lost, and once when it is
 * back. `onInfo` is given the INFO of every server that may hold the keys.
 */
export async function connectRedis(
  connection: RedisConnection,
  report: (is: "lost" | "back") => void = () => {},
  onInfo: (info: string) => void = () => {},
): Promise<RedisClient> {
  let open = false;
  let lastError: Error | undefined;
  const redis = redisClient(connection, () => open);
  redis.on("error", (error: Error) => {
    withoutCommand(error);
    lastError = error;
  });
  // A connection that is ended on purpose does not reconnect.
  let lost = false;
  redis.on("reconnecting", () => {
    if (!open || lost) return;
    lost = true;
    report("lost");
  });
  redis.on("ready", () => {
    if (!lost) return;
    lost = false;
    report("back");
  });
  try {
    for (const info of await within(CONNECT_WITHIN_MS, () => firstWords(redis))) {
      checkServer(info, connection.place);
      onInfo(info);
    }
    // A database that is not there is told as an event only, and database 0 would be used in its place.
    if (lastError && connection.kind === "single") throw lastError;
    open = true;
    // BullMQ duplicates the connection for what blocks, and takes the failure of a lazy one's first attempt for the
    // end: a worker that began a moment before Redis was lost would never take a job.
    redis.options.lazyConnect = false;
    return redis;
  } catch (error) {
    redis.disconnect();
    if (error instanceof StoreError) throw error;
    throw unreachable(connection.place, lastError ?? error);
  }
}

/** What is asked first of a connection. Throws a StoreError where that takes too long: later it would be waited for. */
export async function answeredInTime<T>(place: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await within(CONNECT_WITHIN_MS, ask);
  } catch (error) {
    throw error instanceof NoAnswer ? unreachable(place, error) : error;
  }
}

class NoAnswer extends Error {}

/** Connects, and answers the INFO of every server that may hold the keys. */
async function firstWords(redis: RedisClient): Promise<readonly string[]> {
  await redis.connect();
  if (!(redis instanceof Cluster)) return [await redis.info()];
  return Promise.all(redis.nodes("master").map((node) => node.info()));
}

/** Throws a StoreError where the server that this INFO speaks of is too old or evicts. */
export function checkServer(info: string, place: string): void {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
  const version = field("redis_version") ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_REDIS;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new StoreError(
      "too-old",
      `Redis at ${place} is version ${version}, and poolsync needs ${oldestMajor}.${oldestMinor} or newer: upgrade it, or name another server in REDIS_URL`,
    );
  }
  // Refused even where maxmemory is 0, which is no limit: once somebody sets a limit, changes would be lost silently.
  const policy = field("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    throw new StoreError(
      "evicting",
      `Redis at ${place} throws data away when its memory is full (maxmemory-policy ${policy}), and queued changes would be lost: set \`maxmemory-policy noeviction\` in its configuration, or name another server in REDIS_URL`,
    );
  }
}

/** True where the server that this INFO speaks of keeps no append-only file. Some managed ones do not tell. */
export function saysNoAof(info: string): boolean {
  return /^aof_enabled:0\r?$/m.test(info);
}

function unreachable(place: string, cause: unknown): StoreError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/NOAUTH|WRONGPASS|NOPERM|invalid (username-)?password|without any password/i.test(text)) {
    return new StoreError(
      "unreachable",
      `Redis at ${place} refused the credentials: check the user and password in REDIS_URL, and that the user may run every command on keys that begin with {poolsync`,
    );
  }
  return new StoreError(
    "unreachable",
    `Redis at ${place} cannot be reached (${reasonOf(cause, text)}): start it, or check REDIS_URL; without REDIS_URL poolsync keeps its data in a directory`,
    { cause: withoutCommand(cause) },
  );
}

/** A few words. What the server said is not repeated: there may be a password in it. */
function reasonOf(cause: unknown, text: string): string {
  if (text.includes("DB index")) return "it has no database of that number";
  if (text.includes("No such master")) return "Sentinel knows no master of that name";
  if (text.includes("No answer")) return text;
  for (const error of [cause, cause instanceof Error && "lastNodeError" in cause ? cause.lastNodeError : undefined]) {
    if (!(error instanceof Error)) continue;
    if (error.message.includes("cluster support disabled")) return "it is not a cluster, which redis:// is for";
    if ("code" in error && typeof error.code === "string") return error.code;
  }
  return "no connection";
}

async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new NoAnswer(`No answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work(), promise]);
  } finally {
    clearTimeout(timer);
  }
}
