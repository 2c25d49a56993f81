/**
 * Sees, past all proxies, which server takes writes: a master that has a replica. From it follows when acknowledged
 * writes may have been lost, also in a failover that only a slow connection has brought about.
 */
import { Redis } from "ioredis";
import type { Loss } from "./model.ts";
import type { RedisProcess } from "./redis-processes.ts";

/**
 * Replication is asynchronous: what was acknowledged longer before a failover than this is not lost. A connection that
 * is slowed delays it by a few chunks.
 */
export const REPLICATION_LAG_MS = 3_000;
const LOOK_EVERY_MS = 100;
const ANSWERS_WITHIN_MS = 500;

/** The rule alone: told of each look, by its time and the servers that take writes, it answers what may be lost. */
export function createMasterRule(): (at: number, takers: readonly number[]) => { loss?: Loss; changed?: true } {
  let known: number | undefined;
  let aloneAt = 0;
  let splitAt: number | undefined;
  return (at, takers) => {
    const [only] = takers;
    if (only === undefined) return {};
    if (takers.length > 1) {
      splitAt ??= at;
      return {};
    }
    const from = splitAt ?? aloneAt;
    const changed = known !== undefined && only !== known;
    const split = splitAt !== undefined;
    known = only;
    aloneAt = at;
    splitAt = undefined;
    if (!changed && !split) return {};
    const why = changed ? "failover" : "two masters";
    return { loss: { from: from - REPLICATION_LAG_MS, to: at, why }, ...(changed ? { changed: true } : {}) };
  };
}

export interface MasterWatchOptions {
  readonly servers: readonly RedisProcess[];
  readonly lost: (loss: Loss) => void;
  readonly changed: () => void;
}

export function createMasterWatch({ servers, lost, changed }: MasterWatchOptions): { stop(): void } {
  const rule = createMasterRule();
  const clients = servers.map(({ port }) => openClient(port));
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void Promise.all(clients.map(takesWrites)).then((taking) => {
      looking = false;
      const seen = rule(
        Date.now(),
        taking.flatMap((takes, index) => (takes ? [index] : [])),
      );
      if (seen.loss) lost(seen.loss);
      if (seen.changed) changed();
    });
  }, LOOK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      for (const client of clients) client.disconnect();
    },
  };
}

function openClient(port: number): Redis {
  const client = new Redis(port, "127.0.0.1", {
    maxRetriesPerRequest: 0,
    commandTimeout: ANSWERS_WITHIN_MS,
    retryStrategy: () => LOOK_EVERY_MS,
    enableOfflineQueue: false,
  });
  client.on("error", () => undefined);
  return client;
}

/** A master without a replica that has answered lately refuses writes; who is dead or suspended takes none. */
async function takesWrites(client: Redis): Promise<boolean> {
  try {
    const told = await client.info("replication");
    return told.includes("role:master") && Number(/min_slaves_good_slaves:(\d+)/.exec(told)?.[1] ?? 0) > 0;
  } catch {
    return false;
  }
}
