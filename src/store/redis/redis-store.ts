import type { Store } from "../store.ts";
import { createFence } from "../fence.ts";
import { closeRedis, redisConnection } from "./connection.ts";
import type { RedisClient } from "./connection.ts";
import { targetDocument } from "../documents.ts";
import { FORMAT, foreignFormat } from "./format.ts";
import { createKeys } from "./keys.ts";
import type { Keys } from "./keys.ts";
import { createKnownPools } from "./known-pools.ts";
import { createRedisBeforeImages } from "./redis-before-images.ts";
import { createRedisDamaged } from "./redis-damaged.ts";
import { createRedisExceptions } from "./redis-exceptions.ts";
import { createRedisGates } from "./redis-gates.ts";
import { createRedisHolds } from "./redis-holds.ts";
import { createRedisLetters } from "./redis-letters.ts";
import { countEverything, createRedisMailboxes } from "./redis-mailboxes.ts";
import { createRedisPace } from "./redis-pace.ts";
import { createRedisPlans } from "./redis-plans.ts";
import { createRedisReservations } from "./redis-reservations.ts";
import { createRedisRuns } from "./redis-runs.ts";
import { createScripts } from "./scripts.ts";
import type { Scripts } from "./scripts.ts";
import { createShelf } from "./shelf.ts";
import { upgrade, wantsUpgrade } from "./upgrade.ts";
import { answeredInTime, connectRedis } from "./server-check.ts";

export interface RedisStoreOptions {
  /** See connection.ts for its forms. */
  readonly url: string;
  /** Deployments of different namespaces on one Redis know nothing of each other. */
  readonly namespace: string;
  /** Told when the connection is lost, which heals by itself, and when it is back. Commands wait meanwhile. */
  readonly onConnection?: (is: "lost" | "back") => void;
}

/**
 * Connects, checks the server and opens the namespace. Throws a StoreError with one sentence and the next step:
 * nothing is left open then.
 */
export async function openRedisStore({ url, namespace, onConnection }: RedisStoreOptions): Promise<Store> {
  const keys = createKeys(namespace);
  const connection = redisConnection(url);
  const redis = await connectRedis(connection, onConnection);
  try {
    const scripts = createScripts(redis);
    // Many documents take longer than an answer may.
    if (await answeredInTime(connection.place, () => wantsUpgrade(redis, keys))) await upgrade(redis, keys, scripts);
    return await answeredInTime(connection.place, () => createRedisStore(redis, keys, scripts));
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** A store on a connection that is open, of a namespace of this format; closing the store closes it. */
export async function createRedisStore(redis: RedisClient, keys: Keys, unfenced: Scripts): Promise<Store> {
  const fence = createFence();
  const scripts: Scripts = {
    run: (name, own, args) =>
      fence.step(() => unfenced.run(name, [keys.memory, keys.damaged, keys.damagedTexts, ...own], args)),
  };
  const write = async (key: string, command: string, ...args: readonly string[]): Promise<void> => {
    await scripts.run("command", [key], [command, ...args]);
  };
  const setOnce = async (name: string, value: string) => {
    await write(keys.memory, "HSETNX", name, value);
    return (await redis.hget(keys.memory, name)) ?? value;
  };
  await setOnce("format", FORMAT);
  const pools = createKnownPools(await redis.hkeys(keys.pools));
  const shelf = createShelf(redis, keys, scripts, pools);
  return {
    kind: "redis",
    async now() {
      return Number(await scripts.run("now", [], []));
    },
    mailboxes: createRedisMailboxes(redis, keys, scripts, pools, shelf),
    letters: createRedisLetters(redis, keys, scripts, shelf),
    runs: createRedisRuns(redis, keys, scripts, pools, shelf),
    holds: createRedisHolds(redis, keys, scripts, shelf),
    gates: createRedisGates(redis, keys, scripts, shelf),
    exceptions: createRedisExceptions(redis, keys, scripts, shelf),
    beforeImages: createRedisBeforeImages(redis, keys, scripts),
    reservations: createRedisReservations(keys, scripts),
    pace: createRedisPace(keys, scripts),
    plans: createRedisPlans(redis, keys, scripts),
    damaged: createRedisDamaged(redis, keys, scripts, () => countEverything(redis, keys, shelf)),
    foreign: fence.met,

    look: () =>
      fence.step(async () => {
        const stored = await redis.hget(keys.memory, "format");
        if (stored !== null && stored !== FORMAT) throw foreignFormat(stored);
      }),

    setOnce,

    setValue: (name, value) => write(keys.notes, "HSET", name, value),

    async getValue(name) {
      return (await redis.hget(keys.notes, name)) ?? undefined;
    },

    async target(target) {
      const { pool, endpoint, region, arn } = target;
      const remember = () => write(keys.targets, "HSETNX", pool, JSON.stringify({ pool, endpoint, region, arn }));
      const place = { kind: "target", key: keys.targets, field: pool } as const;
      await remember();
      const known = await shelf.sound(targetDocument, place, await redis.hget(keys.targets, pool));
      if (known === undefined) await remember();
      return known ?? target;
    },

    async targets() {
      const place = { kind: "target", key: keys.targets } as const;
      return (await shelf.soundFields(targetDocument, place, await redis.hgetall(keys.targets))).map(
        ([, target]) => target,
      );
    },

    async link(pool, digest) {
      const place = { kind: "link", key: keys.links(pool), field: digest } as const;
      return shelf.sealed(place, await redis.hget(keys.links(pool), digest));
    },

    setLink: (pool, digest, sealed) => write(keys.links(pool), "HSET", digest, sealed),

    dropLink: (pool, digest) => write(keys.links(pool), "HDEL", digest),

    async pools() {
      const letters = Object.entries(await redis.hgetall(keys.pools));
      const busy = await Promise.all(
        letters.map(async ([pool, count]) => Number(count) > 0 || (await redis.zcard(keys.due(pool))) > 0),
      );
      return letters.filter((_, index) => busy[index]).map(([pool]) => pool);
    },

    close: () => closeRedis(redis),
  };
}
