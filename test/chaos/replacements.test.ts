/** Redis is emptied under a process that has it open. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openEngine } from "../../src/queues/engine.ts";
import { openChildren } from "./children.ts";
import { openLiveEngine } from "./live-engine.ts";
import { startLoneRedis } from "./lone-redis.ts";
import { createModel } from "./model.ts";
import { redisVersion } from "./redis-processes.ts";
import { createReplacements, STRAY_FEED } from "./replacements.ts";
import { POOL } from "./service.ts";

const noServer = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

test(
  "a Redis that is emptied has nothing of what was there, and refuses who had it open",
  { skip: noServer },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-emptied-"));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const redis = await startLoneRedis(directory, "always");
    t.after(() => redis.close());
    const open = () => openEngine({ redisUrl: redis.proxiedUrl, namespace: "emptied", dataDir: "" });
    const engine = await openLiveEngine(open);
    t.after(() => engine.close());
    const children = openChildren(directory);
    t.after(() => children.close());
    const model = createModel();
    let replaced = 0;
    const replacements = createReplacements({ redis, engine, children, model, replaced: () => (replaced += 1) });
    const { id } = await engine.store.runs.direct(POOL);
    const { identity } = engine.store;

    const begin = await replacements.empty();
    assert.deepEqual([replacements.all.length, replaced], [0, 0]);
    await begin();

    const [one] = replacements.all;
    assert.ok(one);
    assert.deepEqual([one.refusedAs, one.identity, one.runs.map((run) => run.id)], ["store-replaced", identity, [id]]);
    assert.notEqual(engine.store.identity, identity);
    assert.notEqual(engine.keyring.userKey(POOL, "ann"), one.userKey("ann"));
    assert.deepEqual(await engine.store.runs.list(10), [], `nothing of ${STRAY_FEED} is there`);
    assert.deepEqual(
      [replaced, model.losses.map(({ from, to, at }) => [from, to, at])],
      [1, [[0, one.backAt, one.emptiedAt]]],
    );
  },
);
