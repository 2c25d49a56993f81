import assert from "node:assert/strict";
import { test } from "node:test";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { replayLetters } from "../../src/delivery/replay.ts";
import { testRedis } from "../support/redis.ts";

test("a replay of letters that are known by name stops at the next letter", async (t) => {
  const { url: redisUrl, namespace } = testRedis();
  const opened = await openEngine({ redisUrl, namespace, dataDir: "unused" });
  t.after(() => opened.close());
  const stopped = new AbortController();
  const asked: string[] = [];
  const { store } = opened;
  const letters: Engine["store"]["letters"] = {
    ...store.letters,
    get: (id) => {
      asked.push(id);
      stopped.abort();
      return store.letters.get(id);
    },
  };
  const engine: Engine = { ...opened, store: { ...store, letters } };
  await assert.rejects(replayLetters(engine, ["one", "two", "three"], stopped.signal), { name: "AbortError" });
  assert.deepEqual(asked, ["one"]);
});
