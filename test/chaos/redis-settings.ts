/** How the servers of a chaos run are set. */
import { until } from "../support/condition.ts";
import type { RedisProcess } from "./redis-processes.ts";

export function storing(appendfsync: "always" | "everysec"): readonly string[] {
  return [
    'save ""',
    "appendonly yes",
    `appendfsync ${appendfsync}`,
    "maxmemory-policy noeviction",
    "auto-aof-rewrite-min-size 128mb",
    "repl-diskless-sync-delay 0",
  ];
}

/** With less memory than is used, a server refuses writes. One that is slow to answer is asked again. */
export async function setFull(server: RedisProcess, is: boolean): Promise<void> {
  await until(`a server is ${is ? "full" : "not full any more"}`, async () => {
    try {
      await server.ask(async (client) => {
        const used = Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1] ?? 0);
        await client.config("SET", "maxmemory", is ? String(Math.floor(used * 0.9)) : "0");
      });
      return true;
    } catch (error) {
      if (error instanceof Error && error.message === "Command timed out") return false;
      throw error;
    }
  });
}
