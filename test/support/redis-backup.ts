import { Redis } from "ioredis";

export interface RedisBackup {
  /** What is there by then is gone, as with the server that is restored. */
  restore(): Promise<void>;
}

/** A backup of all keys of a namespace. */
export async function backUpRedis(url: string, namespace: string): Promise<RedisBackup> {
  const redis = new Redis(url);
  const there = (): Promise<string[]> => redis.keys(`{poolsync:${namespace}}:*`);
  const kept: [key: string, content: Buffer, ttlMs: number][] = [];
  for (const key of await there()) {
    const content = await redis.dumpBuffer(key);
    // Otherwise it has just expired.
    if (content) kept.push([key, content, Math.max(0, await redis.pttl(key))]);
  }
  return {
    async restore() {
      await redis.del(...(await there()));
      for (const [key, content, ttlMs] of kept) await redis.restore(key, ttlMs, content);
      redis.disconnect();
    },
  };
}
