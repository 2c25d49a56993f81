/**
 * For a chaos run: a worker of version b92f1e6 that goes on where it was suspended before the upgrade: it sends that version's scripts to
 * that version's keys, again and again, and tells of each call what came of it, a line a call.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { redisConnection } from "../../src/store/redis/connection.ts";
import { connectRedis } from "../../src/store/redis/server-check.ts";
import { oldMailboxKeys, oldScripts, type OldScript } from "../support/format-1.ts";

const settings = z.object({
  url: z.string(),
  namespace: z.string(),
  pool: z.string(),
  users: z.array(z.string()),
  afterMs: z.number(),
});
const { url, namespace, pool, users, afterMs } = settings.parse(JSON.parse(process.argv[2] ?? "{}"));
const EVERY_MS = 250;
const LEASE_MS = "8000";

const key = (name: string): string => `{poolsync:${namespace}}:${name}`;
const mailbox = (): string[] => oldMailboxKeys(namespace, `old-${randomUUID()}`);
const due = key(`due:${pool}`);

function calls(
  user: string,
): readonly (readonly [script: OldScript, keys: readonly string[], args: readonly string[]])[] {
  const [run, token] = [`direct:${pool}`, randomUUID()];
  const units = [{ name: "nickname", digest: "old", body: "old" }];
  const page = [pool, run, "1", "0", "1", "0", JSON.stringify([{ user, username: "old", units }])];
  const version = "0".repeat(49);
  const settlements = JSON.stringify([{ name: "nickname", is: "applied", version }]);
  const letters = JSON.stringify(["old"]);
  return [
    ["begin-run", [key("runs"), key("run-index"), key("identities")], [run, pool, "direct", "", ""]],
    ["put", [...mailbox(), key("arrivals"), key("cursors"), key("runs"), due], page],
    ["claim-and-settle", [...mailbox(), due], ["0", user, token, LEASE_MS, ""]],
    ["claim-and-settle", [...mailbox(), due], ["1", user, token, LEASE_MS, settlements]],
    ["replay", [...mailbox(), due], [letters, "10"]],
    ["discard", mailbox(), [letters]],
    ["advance", [key("runs"), key("identities")], [run, "finished"]],
    ["sweep", [key(`sweep:${pool}`), due, key("mailboxes")], ["old", "1500", "0", "500"]],
    ["hold-place", [key("holds")], [pool, "pool", "pool-not-found", "1000"]],
  ];
}

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
await sleep(afterMs);
const redis = await connectRedis(redisConnection(url));
for (let turn = 0; ; turn += 1) {
  for (const [script, keys, args] of calls(users[turn % users.length] ?? "")) {
    try {
      const answer: unknown = await redis.eval(oldScripts[script], keys.length, ...keys, ...args);
      tell({ script, answer: JSON.stringify(answer) });
    } catch (error) {
      tell({ script, failed: error instanceof Error ? error.message : String(error) });
    }
    await sleep(EVERY_MS);
  }
}
