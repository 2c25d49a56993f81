/** The verdict on an older process: it holds where all its calls were refused, and breaks otherwise. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "../store/redis-clock.ts";
import { FORMAT } from "../../src/store/redis/format.ts";
import { keysLeft } from "./keys-left.ts";
import { beginAsFormat1, createOldCalls, judgeOldProcess } from "./old-calls.ts";

const told = (line: object): string => JSON.stringify(line);
const TAKEN = told({ script: "put", failed: "WRONGTYPE Operation against a key holding the wrong kind of value" });

test("16 holds where every call was refused for its keys, or Redis was away", () => {
  const calls = createOldCalls();
  calls.heard(TAKEN);
  calls.heard(told({ script: "put", failed: "connect ECONNREFUSED 127.0.0.1:1" }));
  calls.heard(told({ script: "put", failed: "OOM command not allowed when used memory > 'maxmemory'" }));
  const { holds, facts } = judgeOldProcess(calls, FORMAT, []);
  assert.deepEqual([holds, facts], [true, { put: 1, notCarriedOut: 2 }]);
});

test("16 breaks where a call was answered, or failed for another reason, or left something, or none came", () => {
  const worlds: readonly [lines: readonly string[], format: string, old: readonly string[]][] = [
    [[TAKEN, told({ script: "claim-and-settle", answer: "[]" })], FORMAT, []],
    [[TAKEN, told({ script: "put", failed: "ERR Error running script" })], FORMAT, []],
    [[TAKEN], "1-to-2", []],
    [[TAKEN], FORMAT, ["{poolsync:chaos}:mailboxes"]],
    [[], FORMAT, []],
  ];
  for (const [lines, format, old] of worlds) {
    const calls = createOldCalls();
    for (const line of lines) calls.heard(line);
    assert.equal(judgeOldProcess(calls, format, old).holds, false);
  }
});

test("keys of format 1 are found that hold anything but the text in their place", async (t) => {
  const { url, namespace } = testRedis();
  const redis = new Redis(url);
  t.after(async () => {
    redis.disconnect();
    await removeKeys({ url, namespace });
  });
  await beginAsFormat1(redis, namespace, "eu-west-1_Example", "127.0.0.1:1");
  const store = await openRedisStore({ url, namespace });
  t.after(() => store.close());
  const first = await keysLeft(redis, namespace);
  // Other tests have keys of their own in this Redis.
  const strange = first.strange.filter((key) => key.includes(namespace));
  assert.deepEqual([first.old, strange], [[], []]);
  assert.ok((first.known["in the place of format 1"] ?? 0) > 10);
  const key = `{poolsync:${namespace}}:mailboxes`;
  await redis.del(key);
  await redis.hset(key, "user", "{}");
  assert.deepEqual((await keysLeft(redis, namespace)).old, [key]);
});
