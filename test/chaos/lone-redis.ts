/** One Redis with AOF behind a proxy: killed, with or without its last writes, suspended, and full. */
import { readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Loss } from "./model.ts";
import { freePort, openRedisProcesses } from "./redis-processes.ts";
import { setFull, storing } from "./redis-settings.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

export interface LoneRedis {
  readonly kind: "lone";
  readonly port: number;
  /** Not through the proxy. */
  readonly url: string;
  readonly proxiedUrl: string;
  readonly links: { readonly redis: readonly TcpProxy[] };
  masterPort(): Promise<number>;
  /** Kills the server; `losesMs` of its last writes are taken out of the AOF. Answers what may be lost. */
  kill(losesMs: number): Promise<Loss | undefined>;
  /** Kills the server, and throws away all that it kept. */
  empty(): Promise<void>;
  startAgain(): Promise<void>;
  suspend(): void;
  goOn(): void;
  /** Refuses writes for want of memory. */
  full(is: boolean): Promise<void>;
  close(): Promise<void>;
}

const SAMPLE_EVERY_MS = 50;
const SAMPLED_FOR_MS = 3_000;

export async function startLoneRedis(
  directory: string,
  appendfsync: "always" | "everysec",
  random: () => number = Math.random,
): Promise<LoneRedis> {
  const processes = openRedisProcesses(directory);
  const port = await freePort();
  const server = await processes.start("redis-0", port, storing(appendfsync));
  const link = await startTcpProxy(port, random);

  /** How long the AOF was, lately: what it had not got at some time is what a power cut then would have lost. */
  const samples: { readonly at: number; readonly file: string; readonly size: number }[] = [];
  const sampling = setInterval(() => {
    // While the server starts there may be no file.
    void sample().catch(() => undefined);
  }, SAMPLE_EVERY_MS);
  async function sample(): Promise<void> {
    const at = Date.now();
    const folder = join(server.directory, "appendonlydir");
    const file = (await readdir(folder))
      .filter((name) => name.endsWith(".incr.aof"))
      .toSorted(byNumber)
      .at(-1);
    if (file === undefined) return;
    const path = join(folder, file);
    samples.push({ at, file: path, size: (await stat(path)).size });
    while ((samples[0]?.at ?? at) < at - SAMPLED_FOR_MS) samples.shift();
  }

  return {
    kind: "lone",
    port,
    url: `redis://127.0.0.1:${port}`,
    proxiedUrl: `redis://127.0.0.1:${link.port}`,
    links: { redis: [link] },
    masterPort: async () => port,
    async kill(losesMs) {
      await server.kill();
      const at = Date.now();
      if (losesMs === 0 || appendfsync === "always") return undefined;
      const newest = samples.at(-1);
      const kept = samples.find((each) => each.at >= at - losesMs && each.file === newest?.file);
      if (!kept) return undefined;
      await truncate(kept.file, kept.size);
      samples.length = 0;
      return { from: kept.at, to: at, why: `power cut, ${at - kept.at} ms of the AOF lost` };
    },
    async empty() {
      await server.kill();
      await rm(join(server.directory, "appendonlydir"), { recursive: true });
      samples.length = 0;
    },
    startAgain: () => server.startAgain(),
    suspend: () => server.suspend(),
    goOn: () => server.goOn(),
    full: (is) => setFull(server, is),
    async close() {
      clearInterval(sampling);
      await link.close();
      await processes.close();
    },
  };
}

function byNumber(one: string, other: string): number {
  const numberOf = (name: string): number => Number(/\.(\d+)\.incr/.exec(name)?.[1] ?? 0);
  return numberOf(one) - numberOf(other);
}
