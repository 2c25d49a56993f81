/** `REDIS_URL`, read once for both of its users: the store, and BullMQ in src/queues. */
import { Cluster, Redis } from "ioredis";
import type { ClusterNode, RedisOptions } from "ioredis";
import { StoreError } from "../store-error.ts";
import { codeOf } from "./redis-error.ts";

export type RedisClient = Redis | Cluster;

type NodeOptions = Pick<RedisOptions, "username" | "password" | "tls">;
type SingleOptions = NodeOptions &
  Pick<RedisOptions, "host" | "port" | "db" | "sentinels" | "name" | "enableTLSForSentinelMode" | "sentinelTLS">;

/** What ioredis is given: `new Redis(options)`, or `new Cluster(nodes, { redisOptions })`. */
export type RedisConnection = (
  | { readonly kind: "single"; readonly options: SingleOptions }
  | { readonly kind: "cluster"; readonly nodes: readonly ClusterNode[]; readonly redisOptions: NodeOptions }
) & {
  /** Hosts and ports, for messages. No credential. */
  readonly place: string;
};

const FORMS =
  "redis://[user:password@]host:port[/database], rediss://… for TLS, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port";
const URL_PARTS = /^(rediss?)(\+sentinel|\+cluster)?:\/\/(?:([^@]*)@)?([^/?#@]+)(?:\/([^?#]*))?$/;

/**
 * Reads a URL: `redis://`, `rediss://`, `redis+sentinel://…/name`, `redis+cluster://…`, the last two with `rediss+` for
 * TLS. Throws a StoreError that never repeats the URL, because there may be a password in it.
 */
export function redisConnection(url: string): RedisConnection {
  const [match, scheme, mode, userinfo, hosts, path = ""] = URL_PARTS.exec(url.trim()) ?? [];
  if (match === undefined || hosts === undefined) throw misconfigured(`Expected \`REDIS_URL\` to look like ${FORMS}`);
  const nodes = hosts.split(",").map((text) => node(text, mode === "+sentinel" ? 26379 : 6379));
  const [first] = nodes;
  if (first === undefined || (mode === undefined && nodes.length > 1)) {
    throw misconfigured(
      `Expected \`REDIS_URL\` to name one host, or to begin with redis+sentinel:// or redis+cluster://`,
    );
  }
  const common = { ...credentials(userinfo), ...(scheme === "rediss" ? { tls: {} } : {}) };
  const place = nodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(", ");
  if (mode === "+cluster") {
    if (path !== "")
      throw misconfigured("Expected `REDIS_URL` of a cluster to have no database: a cluster has only one");
    return { kind: "cluster", nodes, redisOptions: common, place };
  }
  if (mode === "+sentinel") {
    const [name, database = ""] = path.split("/");
    if (!name)
      throw misconfigured(
        "Expected `REDIS_URL` with Sentinel to end with the name of the master: redis+sentinel://host:port/name",
      );
    const sentinelTls = scheme === "rediss" ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {};
    const options = {
      ...common,
      ...sentinelTls,
      sentinels: nodes,
      name: decodeURIComponent(name),
      db: databaseOf(database),
    };
    return { kind: "single", options, place };
  }
  return { kind: "single", options: { ...common, ...first, db: databaseOf(path) }, place };
}

function node(text: string, defaultPort: number): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port < 1 || port > 65535) {
    throw misconfigured(`Expected each host in \`REDIS_URL\` to be host or host:port (port 1 to 65535): ${FORMS}`);
  }
  return { host, port };
}

function credentials(userinfo: string | undefined): { username?: string; password?: string } {
  if (userinfo === undefined || userinfo === "") return {};
  const colon = userinfo.indexOf(":");
  try {
    const username = decodeURIComponent(colon === -1 ? userinfo : userinfo.slice(0, colon));
    if (colon === -1) return { username };
    const password = decodeURIComponent(userinfo.slice(colon + 1));
    return username === "" ? { password } : { username, password };
  } catch {
    // The error of decodeURIComponent says nothing more, and the password stays out of it.
    throw misconfigured(
      "Expected the user and password in `REDIS_URL` to be percent-encoded: % is written %25, @ is %40, / is %2F",
    );
  }
}

function databaseOf(path: string): number {
  if (path === "") return 0;
  if (!/^\d{1,5}$/.test(path))
    throw misconfigured(`Expected the database in \`REDIS_URL\` to be a number: redis://host:port/2`);
  return Number(path);
}

function misconfigured(message: string): StoreError {
  return new StoreError("misconfigured", message);
}

/** A wait of 50 ms, doubling up to 2 s: for ever, because a worker outlives its Redis. */
function reconnectDelayMs(times: number): number {
  return Math.min(2000, 50 * 2 ** Math.min(times, 10));
}

/**
 * A connection on which nothing has come for so long, though an answer is due, is given up: its host may be gone without
 * a word, and TCP would wait for a quarter of an hour. Longer than BullMQ's longest blocking call, which is 10 s, and
 * than any answer that only takes its time: on a new connection the command would begin anew.
 */
const SILENT_FOR_MS = 30_000;

/** A Sentinel that hangs is passed over for the next one after this. */
const SENTINEL_WITHIN_MS = 2000;

/** A server that does not answer a QUIT within this time is left without a goodbye. */
const GOODBYE_WITHIN_MS = 2000;

/**
 * Ends a connection, also one that is lost or silent: there a QUIT would wait, and nobody is there to say goodbye to.
 * Resolves by itself after that. What was not answered by then is rejected.
 */
export async function closeRedis(redis: RedisClient): Promise<void> {
  if (redis.status !== "ready") return redis.disconnect();
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    redis.disconnect();
    resolve();
  }, GOODBYE_WITHIN_MS);
  try {
    await Promise.race([redis.quit(), late]);
  } catch {
    // It was disconnected meanwhile, which is what was wanted.
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A failover takes a cluster's node time-out and a second or two, and a command is to wait for it as it does for a lone
 * server. ioredis' own 16 redirections are used up in 1.6 seconds: a command that fails then may have been carried out.
 * Without a delay a round of redirections to a master that is dead is not slowed at all.
 *
 * So where a shard is gone for good commands wait for ever: what is awaited while one opens or closes has a deadline of
 * its own.
 */
const FAILOVER_RULES = {
  maxRedirections: Number.POSITIVE_INFINITY,
  retryDelayOnMoved: 50,
  retryDelayOnFailover: 100,
  retryDelayOnClusterDown: 100,
  retryDelayOnTryAgain: 100,
} as const;

/**
 * An ioredis client that is not yet connected. Until `isOpen` answers true it gives up at the first failure; from then
 * on it reconnects for ever, sends again what was not answered, and follows a failover.
 */
export function redisClient(connection: RedisConnection, isOpen: () => boolean): RedisClient {
  const retry = (times: number) => (isOpen() ? reconnectDelayMs(times) : null);
  const options = {
    lazyConnect: true,
    connectTimeout: 5000,
    maxRetriesPerRequest: null,
    socketTimeout: SILENT_FOR_MS,
    // A master that became a replica refuses writes: 2 means connect anew and send the command again.
    reconnectOnError: (error: Error) => (codeOf(error) === "READONLY" ? 2 : false),
  } as const;
  if (connection.kind === "cluster") {
    return new SettlingCluster([...connection.nodes], {
      lazyConnect: true,
      clusterRetryStrategy: retry,
      ...FAILOVER_RULES,
      redisOptions: { ...connection.redisOptions, ...options },
    });
  }
  return new BatchingRedis({
    ...connection.options,
    ...options,
    retryStrategy: retry,
    sentinelRetryStrategy: retry,
    sentinelCommandTimeout: SENTINEL_WITHIN_MS,
  });
}

/**
 * The commands that wait for an answer. ioredis leaves some of a connection that is given up while it is lost: those that
 * were sent before, and those that wait for it to be back, are never settled.
 */
class Unanswered {
  readonly #commands = new Set<SentCommand>();

  add(command: SentCommand): void {
    if (this.#commands.has(command)) return;
    this.#commands.add(command);
    const remove = (): void => void this.#commands.delete(command);
    command.promise.then(remove, remove);
  }

  reject(): void {
    for (const command of this.#commands) command.reject(new Error("Connection is closed."));
  }
}

interface SentCommand {
  readonly promise: Promise<unknown>;
  readonly reject: (error: Error) => void;
}

class SettlingCluster extends Cluster {
  readonly #unanswered = new Unanswered();

  override sendCommand(...sent: Parameters<Cluster["sendCommand"]>): unknown {
    this.#unanswered.add(sent[0]);
    return super.sendCommand(...sent);
  }

  override disconnect(reconnect = false): void {
    super.disconnect(reconnect);
    if (!reconnect) this.#unanswered.reject();
  }
}

/**
 * Writes the commands of one turn of the event loop to the socket together, which halves what a command costs here and
 * on the server. Unlike ioredis' own pipelining it changes nothing of what happens when the connection is lost: each
 * command that was not answered is sent again.
 */
class BatchingRedis extends Redis {
  #gathering = false;
  readonly #unanswered = new Unanswered();

  override sendCommand(...sent: Parameters<Redis["sendCommand"]>): unknown {
    const { stream } = this;
    this.#unanswered.add(sent[0]);
    if (!this.#gathering && this.status === "ready") {
      this.#gathering = true;
      stream.cork();
      setImmediate(() => {
        this.#gathering = false;
        stream.uncork();
      });
    }
    return super.sendCommand(...sent);
  }

  override disconnect(reconnect = false): void {
    super.disconnect(reconnect);
    if (!reconnect) this.#unanswered.reject();
  }
}
