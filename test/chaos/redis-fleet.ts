/** A run's own Redis: alone with AOF, or a master with two replicas under three Sentinels. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { until } from "../support/condition.ts";
import type { Loss } from "./model.ts";
import type { Topology } from "./plan.ts";

export interface RedisFleet {
  /** What clients are given; `port` is a proxy's before a lone server. */
  url(port?: number): string;
  /** Of the server that clients begin with. */
  readonly port: number;
  readonly version: string;
  /** Kills the server; `losesMs` of its last writes are taken out of the AOF. Answers what may be lost. */
  kill(losesMs: number): Promise<Loss | undefined>;
  startAgain(): Promise<void>;
  suspend(): void;
  goOn(): void;
  /** Refuses writes for want of memory. */
  full(is: boolean): Promise<void>;
  failover(by: "SIGKILL" | "SIGSTOP"): Promise<Loss>;
  close(): Promise<void>;
}

interface Server {
  readonly port: number;
  readonly directory: string;
  child: ChildProcess;
}

const MASTER = "chaos";
const DOWN_AFTER_MS = 1_500;
const SAMPLE_EVERY_MS = 50;
/** Replication is asynchronous; nothing that was acknowledged longer ago may be lost in a failover. */
const REPLICATION_LAG_MS = 1_000;
/** Until a master that was suspended has noticed that its replicas have left it. */
const NOTICED_WITHIN_MS = 1_000;

export function redisVersion(): string {
  return /v=(\S+)/.exec(spawnSync("redis-server", ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "none";
}

export async function startRedisFleet(directory: string, topology: Topology): Promise<RedisFleet> {
  const everysec = topology !== "aof-always";
  const spawned = new Set<ChildProcess>();
  // Whatever ends this process, nothing of it stays behind.
  const killAll = (): void => spawned.forEach((child) => void child.kill("SIGKILL"));
  process.once("exit", killAll);

  async function launch(server: Pick<Server, "port" | "directory">, args: readonly string[]): Promise<ChildProcess> {
    const common = ["--bind", "127.0.0.1", "--port", String(server.port), "--dir", server.directory];
    const log = ["--logfile", join(server.directory, "redis.log")];
    const child = spawn("redis-server", [...args, ...common, ...log], { stdio: "ignore" });
    spawned.add(child);
    child.once("exit", () => spawned.delete(child));
    return child;
  }
  // A master that is cut off stops taking writes, instead of taking some that its successor never sees.
  const guarded = topology === "sentinel" ? ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"] : [];
  const storing = [
    guarded,
    ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
    ["--auto-aof-rewrite-min-size", "128mb", "--repl-diskless-sync-delay", "0"],
    ["--appendfsync", everysec ? "everysec" : "always"],
  ].flat();

  async function startServer(name: string, extra: readonly string[] = []): Promise<Server> {
    const place = { port: await freePort(), directory: join(directory, name) };
    await mkdir(place.directory, { recursive: true });
    const child = await launch(place, [...storing, ...extra]);
    await answers({ ...place, child });
    return { ...place, child };
  }

  const servers = [await startServer("redis-0")];
  const first = servers[0];
  if (!first) throw new Error("Expected a Redis to be started");
  const sentinels: number[] = [];
  if (topology === "sentinel") {
    for (const name of ["redis-1", "redis-2"]) {
      servers.push(await startServer(name, ["--replicaof", "127.0.0.1", String(first.port)]));
    }
    for (let index = 0; index < 3; index += 1) {
      const place = { port: await freePort(), directory: join(directory, `sentinel-${index}`) };
      await mkdir(place.directory, { recursive: true });
      const file = join(place.directory, "sentinel.conf");
      await writeFile(
        file,
        [
          `sentinel monitor ${MASTER} 127.0.0.1 ${first.port} 2`,
          `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
          `sentinel failover-timeout ${MASTER} 6000`,
          "",
        ].join("\n"),
      );
      await answers({ ...place, child: await launch(place, [file, "--sentinel"]) });
      sentinels.push(place.port);
    }
    const watching = new Redis(sentinels[0] ?? 0, "127.0.0.1");
    try {
      await until("Sentinel knows the replicas", async () => {
        const known = JSON.stringify(await watching.call("sentinel", "replicas", MASTER));
        return servers.slice(1).every(({ port }) => known.includes(`"${port}"`));
      });
    } finally {
      watching.disconnect();
    }
  }

  /** How long the AOF was, lately: what it had not got at some time is what a power cut then would have lost. */
  const samples: { readonly at: number; readonly file: string; readonly size: number }[] = [];
  const sampling = setInterval(() => {
    void sample().catch(() => undefined);
  }, SAMPLE_EVERY_MS);
  async function sample(): Promise<void> {
    if (!first) return;
    const at = Date.now();
    const folder = join(first.directory, "appendonlydir");
    const file = (await readdir(folder))
      .filter((name) => name.endsWith(".incr.aof"))
      .toSorted(byNumber)
      .at(-1);
    if (file === undefined) return;
    const path = join(folder, file);
    samples.push({ at, file: path, size: (await stat(path)).size });
    while ((samples[0]?.at ?? at) < at - 3_000) samples.shift();
  }

  async function masterPort(): Promise<number> {
    const asked = new Redis(sentinels[0] ?? 0, "127.0.0.1", { maxRetriesPerRequest: 2 });
    asked.on("error", () => undefined);
    try {
      const answer: unknown = await asked.call("sentinel", "get-master-addr-by-name", MASTER);
      return Array.isArray(answer) ? Number(answer[1]) : 0;
    } finally {
      asked.disconnect();
    }
  }

  async function serverNow(): Promise<Server> {
    if (topology !== "sentinel") return first as Server;
    const port = await masterPort();
    return servers.find((server) => server.port === port) ?? (first as Server);
  }

  async function killed({ child }: Server): Promise<void> {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  return {
    port: first.port,
    version: redisVersion(),
    url: (port = first.port) =>
      topology === "sentinel"
        ? `redis+sentinel://${sentinels.map((each) => `127.0.0.1:${each}`).join(",")}/${MASTER}`
        : `redis://127.0.0.1:${port}`,
    async kill(losesMs) {
      await killed(first);
      const at = Date.now();
      if (losesMs === 0 || !everysec) return undefined;
      const newest = samples.at(-1);
      const kept = samples.find((each) => each.at >= at - losesMs && each.file === newest?.file);
      if (!kept) return undefined;
      await truncate(kept.file, kept.size);
      samples.length = 0;
      return { from: kept.at, to: at, why: `power cut, ${at - kept.at} ms of the AOF lost` };
    },
    async startAgain() {
      first.child = await launch(first, storing);
      await answers(first);
    },
    suspend: () => void first.child.kill("SIGSTOP"),
    goOn: () => void first.child.kill("SIGCONT"),
    async full(is) {
      const { port } = await serverNow();
      const client = new Redis(port, "127.0.0.1");
      try {
        const used = Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1] ?? 0);
        await client.config("SET", "maxmemory", is ? String(Math.floor(used * 0.9)) : "0");
      } finally {
        client.disconnect();
      }
    },
    async failover(by) {
      const old = await serverNow();
      const killedAt = Date.now();
      if (by === "SIGKILL") await killed(old);
      else old.child.kill("SIGSTOP");
      await until("Sentinel names another master", async () => ![0, old.port].includes(await masterPort()), 30_000);
      if (by === "SIGKILL") {
        old.child = await launch(old, storing);
        await answers(old);
      } else {
        old.child.kill("SIGCONT");
      }
      const backAt = Date.now();
      const client = new Redis(old.port, "127.0.0.1");
      try {
        // Until it is told that it is a replica it takes writes, which are then thrown away.
        await until("the old master is a replica", async () =>
          (await client.info("replication")).includes("role:slave"),
        );
        const to = by === "SIGKILL" ? killedAt : backAt + NOTICED_WITHIN_MS;
        const synced = async () => (await client.info("replication")).includes("master_link_status:up");
        await until("the old master has what the new one has", synced, 30_000);
        return { from: killedAt - REPLICATION_LAG_MS, to, why: `failover after ${by}` };
      } finally {
        client.disconnect();
      }
    },
    async close() {
      clearInterval(sampling);
      process.removeListener("exit", killAll);
      const gone = [...spawned].map(async (child) => {
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      });
      await Promise.all(gone);
    },
  };
}

function byNumber(one: string, other: string): number {
  const numberOf = (name: string): number => Number(/\.(\d+)\.incr/.exec(name)?.[1] ?? 0);
  return numberOf(one) - numberOf(other);
}

/** Resolves when this very process answers, and not another that has come by the port. */
async function answers({ port, child }: Pick<Server, "port" | "child">): Promise<void> {
  const client = new Redis(port, "127.0.0.1", { maxRetriesPerRequest: 1, retryStrategy: () => 50 });
  client.on("error", () => undefined);
  try {
    await until(`Redis answers on port ${port}`, async () => {
      if (child.exitCode !== null) throw new Error(`Expected Redis to start on port ${port}, it ended`);
      try {
        const info = await client.info("server");
        return (await client.ping()) === "PONG" && info.includes(`process_id:${child.pid}\r`);
      } catch {
        // It is still reading its file.
        await sleep(50);
        return false;
      }
    });
  } finally {
    client.disconnect();
  }
}

/** Below the ports that systems give to outgoing connections: such a one could take a server's while it is down. */
const PORTS = { from: 12_000, to: 32_000 } as const;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const listener = createServer();
    const free = await new Promise<boolean>((resolve) => {
      listener.once("error", () => resolve(false));
      listener.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => listener.close(resolve));
    return port;
  }
}
