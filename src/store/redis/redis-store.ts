import { randomBytes } from "node:crypto";
import { z } from "zod";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Store } from "../store.ts";
import { createFence, type OwnRead, type StoreIdentity } from "../fence.ts";
import { closeRedis, redisConnection } from "./connection.ts";
import type { RedisClient } from "./connection.ts";
import { targetDocument, timeIn } from "../documents.ts";
import { FORMAT, foreignFormat } from "./format.ts";
import { epochOf, storeReplaced } from "../store-error.ts";
import { createKeys } from "./keys.ts";
import type { Keys } from "./keys.ts";
import { createCounters } from "./counters.ts";
import { createKnownPools } from "./known-pools.ts";
import { createMetRuns } from "./met-runs.ts";
import { createRedisAccounts } from "./redis-accounts.ts";
import { createRedisBeforeImages } from "./redis-before-images.ts";
import { createRedisDamaged } from "./redis-damaged.ts";
import { createRedisExceptions } from "./redis-exceptions.ts";
import { createRedisGates } from "./redis-gates.ts";
import { createRedisHolds } from "./redis-holds.ts";
import { createRedisInbox } from "./redis-inbox.ts";
import { createRedisLetters } from "./redis-letters.ts";
import { countEverything, createRedisMailboxes } from "./redis-mailboxes.ts";
import { createRedisPace } from "./redis-pace.ts";
import { createRedisPlans } from "./redis-plans.ts";
import { createRedisRekeying } from "./redis-rekeying.ts";
import { createRedisReservations } from "./redis-reservations.ts";
import { createRedisTexts } from "./redis-texts.ts";
import { createRedisWorkers } from "./redis-workers.ts";
import { createRedisRuns } from "./redis-runs.ts";
import { withFaults } from "./redis-error.ts";
import { createScripts } from "./scripts.ts";
import type { Scripts } from "./scripts.ts";
import { createShelf } from "./shelf.ts";
import { upgrade, wantsUpgrade } from "./upgrade.ts";
import { answeredInTime, connectRedis, saysNoAof } from "./server-check.ts";

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
  let withoutAof = false;
  const redis = await connectRedis(connection, onConnection, (info) => (withoutAof ||= saysNoAof(info)));
  try {
    const scripts = createScripts(redis);
    // Many documents take longer than an answer may.
    if (await answeredInTime(connection.place, () => wantsUpgrade(redis, keys)))
      await upgrade(withFaults(redis), keys, scripts);
    return await answeredInTime(connection.place, () => createRedisStore(redis, keys, scripts, withoutAof));
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** A text that is no time is not said. */
const since = z
  .string()
  .nullable()
  .transform((text) => (text === null ? undefined : timeIn(text) || undefined));
const identityReply = z.tuple([z.string(), z.string(), since]);
const epochReply = z.tuple([z.coerce.number(), since]);

/** A store on a connection that is open, of a namespace of this format; closing the store closes it. */
export async function createRedisStore(
  client: RedisClient,
  keys: Keys,
  unfenced: Scripts,
  withoutAof = false,
): Promise<Store> {
  const redis = withFaults(client);
  const fence = createFence();
  let known = await openNamespace(keys, unfenced);
  const scripts: Scripts = {
    run: (name, own, args) =>
      fence.step(() =>
        unfenced.run(
          name,
          [keys.memory, keys.damaged, keys.damagedTexts, ...own],
          [...args, known.identity, known.epoch],
        ),
      ),
  };
  const write = async (key: string, command: string, ...args: readonly string[]): Promise<void> => {
    await scripts.run("command", [key], [command, ...args]);
  };
  const look = (): Promise<void> =>
    fence.step(async () => {
      const [format, identity, epoch] = await redis.hmget(keys.memory, "format", "identity", "epoch");
      if (format && format !== FORMAT) throw foreignFormat(format);
      if (!format || !identity) throw storeReplaced("gone");
      if (identity !== known.identity) throw storeReplaced("other");
      if (epoch !== String(known.epoch)) throw storeReplaced("epoch");
    });
  // A store that was this one after the read was it before: no identity is made twice, and an epoch is a time.
  const ownRead: OwnRead = async (read) => {
    const answer = await read();
    await look();
    return answer;
  };
  const pools = createKnownPools(await redis.hkeys(keys.pools));
  const metRuns = createMetRuns();
  const shelf = createShelf(redis, keys, scripts, pools);
  const counters = createCounters(redis, keys, scripts);
  return {
    kind: "redis",
    get identity() {
      return known.identity;
    },
    get epoch() {
      return known.epoch;
    },
    get since() {
      return known.since;
    },
    metRuns: metRuns.ids,
    withoutAof,
    async now() {
      return Number(await scripts.run("now", [], []));
    },
    mailboxes: createRedisMailboxes(redis, keys, scripts, pools, metRuns, shelf, ownRead),
    inbox: createRedisInbox(redis, keys, scripts),
    letters: createRedisLetters(redis, keys, scripts, shelf, ownRead),
    runs: createRedisRuns(redis, keys, scripts, pools, metRuns, shelf, counters, ownRead),
    holds: createRedisHolds(redis, keys, scripts, shelf),
    gates: createRedisGates(redis, keys, scripts, shelf),
    exceptions: createRedisExceptions(redis, keys, scripts, shelf),
    beforeImages: createRedisBeforeImages(redis, keys, scripts),
    accounts: createRedisAccounts(redis, keys, scripts, ownRead),
    reservations: createRedisReservations(keys, scripts),
    workers: createRedisWorkers(redis, keys, scripts),
    pace: createRedisPace(keys, scripts),
    plans: createRedisPlans(redis, keys, scripts),
    lost: fence.met,
    look,
    damaged: createRedisDamaged(redis, keys, scripts, counters, () => countEverything(redis, keys, shelf)),
    texts: createRedisTexts(redis, keys, scripts),
    rekeying: createRedisRekeying(redis, keys, scripts),

    async raiseEpoch({ isWhole = false } = {}) {
      const [epoch, from] = epochReply.parse(await scripts.run("raise-epoch", [keys.memory], [isWhole ? 1 : 0]));
      known = { ...known, epoch, since: from };
    },

    setOnce: async (name, value) => String(await scripts.run("set-once", [keys.memory], [name, value])),

    async recall(name) {
      return (await ownRead(() => redis.hget(keys.memory, name))) ?? undefined;
    },

    async exchange(name, from, to, forgotten = []) {
      return (await scripts.run("exchange", [keys.memory], [name, from ?? "", to, ...forgotten])) === 1;
    },

    setValue: (name, value) => write(keys.notes, "HSET", name, value),

    async getValue(name) {
      return (await ownRead(() => redis.hget(keys.notes, name))) ?? undefined;
    },

    async target(target) {
      const { pool, endpoint, region, arn } = target;
      const document = JSON.stringify({ pool, endpoint, region, arn });
      const place = { kind: "target", key: keys.targets, field: pool } as const;
      const remember = async () => String(await scripts.run("set-once", [keys.targets], [pool, document]));
      const remembered = await shelf.sound(targetDocument, place, await remember());
      if (remembered === undefined) await remember();
      return remembered ?? target;
    },

    async targets() {
      const place = { kind: "target", key: keys.targets } as const;
      const texts = await ownRead(() => redis.hgetall(keys.targets));
      return (await shelf.soundFields(targetDocument, place, texts)).map(([, remembered]) => remembered);
    },

    async link(pool, digest) {
      const place = { kind: "link", key: keys.links(pool), field: digest } as const;
      return shelf.sealed(place, await ownRead(() => redis.hget(keys.links(pool), digest)));
    },

    setLink: (pool, digest, sealed) => write(keys.links(pool), "HSET", digest, sealed),

    dropLink: (pool, digest) => write(keys.links(pool), "HDEL", digest),

    async pools() {
      const letters = [...(await counters.all("pools"))];
      const busy = await Promise.all(
        letters.map(async ([pool, count]) => count > 0 || (await redis.zcard(keys.due(pool))) > 0),
      );
      return letters.filter((_, index) => busy[index]).map(([pool]) => pool);
    },

    close: () => closeRedis(client),
  };
}

async function openNamespace(keys: Keys, scripts: Scripts): Promise<StoreIdentity> {
  const reply = await scripts.run("open-namespace", [keys.memory], [randomBytes(16).toString("base64url")]);
  const [identity, epoch, from] = identityReply.parse(reply);
  const next = sentence`delete it (\`redis-cli HDEL '${keys.memory}' epoch\`) and give ${nextStep("epoch", "raise")}`;
  return { identity, epoch: epochOf(epoch, next), since: from };
}
