/** Redis servers and Sentinels as processes: started, killed, suspended, and started again with what they had. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import { until } from "../support/condition.ts";

export interface RedisProcess {
  readonly port: number;
  readonly directory: string;
  /** With the configuration and the data that it had. Resolves when it answers; rejects once all are closed. */
  startAgain(): Promise<void>;
  kill(): Promise<void>;
  suspend(): void;
  goOn(): void;
  /** One question, asked past all proxies. Rejects soon where nobody answers. */
  ask<T>(question: (client: Redis) => Promise<T>): Promise<T>;
}

export interface RedisProcesses {
  /** `lines`: its configuration, which Sentinel rewrites, as it would elsewhere. */
  start(name: string, port: number, lines: readonly string[], kind?: "server" | "sentinel"): Promise<RedisProcess>;
  /** Kills whatever is left. */
  close(): Promise<void>;
}

const ANSWERS_WITHIN_MS = 1_000;

export function redisVersion(): string {
  return /v=(\S+)/.exec(spawnSync("redis-server", ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "none";
}

export function openRedisProcesses(directory: string): RedisProcesses {
  const spawned = new Set<ChildProcess>();
  let closed = false;
  // Whatever ends this process, nothing of it stays behind.
  const killAll = (): void => spawned.forEach((child) => void child.kill("SIGKILL"));
  process.once("exit", killAll);

  async function gone(child: ChildProcess): Promise<void> {
    if (!spawned.has(child)) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  return {
    async start(name, port, lines, kind = "server") {
      const own = join(directory, name);
      await mkdir(own, { recursive: true });
      const file = join(own, "redis.conf");
      const place = ["bind 127.0.0.1", `port ${port}`, `dir ${own}`, `logfile ${join(own, "redis.log")}`];
      await writeFile(file, [...lines, ...place, ""].join("\n"));
      async function launch(): Promise<ChildProcess> {
        if (closed) throw new Error(`Expected ${name} to be started before its fellows were closed`);
        const child = spawn("redis-server", [file, ...(kind === "sentinel" ? ["--sentinel"] : [])], {
          stdio: "ignore",
        });
        spawned.add(child);
        child.once("exit", () => spawned.delete(child));
        await answers(port, child);
        return child;
      }
      let child = await launch();
      return {
        port,
        directory: own,
        async startAgain() {
          child = await launch();
        },
        kill: () => gone(child),
        suspend: () => void child.kill("SIGSTOP"),
        goOn: () => void child.kill("SIGCONT"),
        ask: (question) => askOnce(port, question),
      };
    },
    async close() {
      closed = true;
      await Promise.all([...spawned].map(gone));
      process.removeListener("exit", killAll);
    },
  };
}

async function askOnce<T>(port: number, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, "127.0.0.1", {
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: ANSWERS_WITHIN_MS,
    commandTimeout: ANSWERS_WITHIN_MS,
  });
  client.on("error", () => undefined);
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}

/** Resolves when this very process answers, and not another that has come by the port. */
async function answers(port: number, child: ChildProcess): Promise<void> {
  await until(`Redis answers on port ${port}`, async () => {
    if (child.exitCode !== null) throw new Error(`Expected Redis to start on port ${port}, it ended`);
    try {
      // While it reads its file it refuses all but INFO.
      return await askOnce(
        port,
        async (client) =>
          (await client.ping()) === "PONG" && (await client.info("server")).includes(`process_id:${child.pid}\r`),
      );
    } catch {
      return false;
    }
  });
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
