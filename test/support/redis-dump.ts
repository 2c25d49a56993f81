import { Redis } from "ioredis";

/** Everything in Redis whose key holds `part`: each key with all that it holds, as text. */
export async function dumpRedis(url: string, part: string): Promise<Map<string, string>> {
  const redis = new Redis(url);
  try {
    const dump = new Map<string, string>();
    for await (const keys of redis.scanStream({ match: `*${part}*`, count: 500 })) {
      for (const key of keys as string[]) dump.set(key, JSON.stringify(await contentOf(redis, key)));
    }
    return dump;
  } finally {
    redis.disconnect();
  }
}

/** All that a key holds. */
export async function contentOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case "none":
      // It has just expired.
      return "";
    case "string":
      return redis.get(key);
    case "hash":
      return redis.hgetall(key);
    case "list":
      return redis.lrange(key, 0, -1);
    case "set":
      return redis.smembers(key);
    case "zset":
      return redis.zrangebyscore(key, "-inf", "+inf", "WITHSCORES");
    case "stream":
      return redis.xrange(key, "-", "+");
    default:
      throw new Error(`Expected a type of Redis that the dump knows, got ${type}`);
  }
}
