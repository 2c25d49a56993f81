import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { codeOf, redisFault } from "../../src/store/redis/redis-error.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

test("a Redis that has too few replicas says so in words that one can act on", { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-refusing-"));
  const processes = openRedisProcesses(directory);
  t.after(async () => {
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  const server = await processes.start("redis", await freePort(), ["maxmemory-policy noeviction"]);
  const store = await openRedisStore({ url: `redis://127.0.0.1:${server.port}`, namespace: "refusing" });
  t.after(() => store.close());
  await server.ask((client) => client.config("SET", "min-replicas-to-write", "1"));
  await assert.rejects(
    store.runs.begin({ id: "run", source: "file", pool: "pool", feed: "feed", identity: "", asOf: 1 }),
    (error) => error instanceof StoreError && error.kind === "no-replicas",
  );
});

test("any other error stays as it is, without the command that has somebody's data", () => {
  const error = Object.assign(new Error("WRONGTYPE"), { command: { args: ["a secret"] } });
  assert.equal(redisFault(error), error);
  assert.equal("command" in error, false);
});

test("a refusal is known by its code, wherever the server's version puts it", () => {
  const script = "ERR Error running script (call to f_6b50b9da58074dfaf65a6b31d689db4608694b08)";
  const codes: readonly (readonly [text: string, code: string | undefined])[] = [
    ["READONLY You can't write against a read only replica.", "READONLY"],
    ["READONLY You can't write against a read only replica. script: 6b50, on @user_script:29.", "READONLY"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "OOM"],
    ["ERR OOM command not allowed when used memory > 'maxmemory'.", "OOM"],
    [`${script}: @user_script:29: @user_script: 29: -NOREPLICAS Not enough good replicas to write.`, "NOREPLICAS"],
    [`${script}: @user_script:9: user_script:9: attempt to index a nil value`, "ERR"],
    ["ERR user_script:9: Expected value but found OOM", "ERR"],
    ["Connection is closed.", undefined],
  ];
  for (const [text, code] of codes) assert.equal(codeOf(new Error(text)), code, text);
});

test("the format that the fence met stands in the sentence, where it is one", () => {
  for (const [said, shown] of [
    ["2", "format 2,"],
    ["2026.1-beta", "format 2026.1-beta,"],
    ["\u001b[31m", "format unknown,"],
    ["x".repeat(100), "format unknown,"],
    ["", "format unknown,"],
  ] as const) {
    const fault = redisFault(new Error(`FOREIGNFORMAT ${said}`));
    assert.ok(fault instanceof StoreError);
    assert.equal(fault.kind, "foreign-format");
    assert.ok(fault.message.includes(shown), fault.message);
  }
});
