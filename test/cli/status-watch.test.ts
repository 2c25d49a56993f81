import assert from "node:assert/strict";
import { test } from "node:test";
import { watchStatus } from "../../src/app/look-at-status.ts";
import { readConfig } from "../../src/config/config.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand } from "./command-run.ts";

test("a watched status is told again and again, as it stands then, until a signal", async (t) => {
  const { url: redisUrl, namespace } = testRedis();
  const environment = { REDIS_URL: redisUrl, POOLSYNC_NAMESPACE: namespace };
  const engine = await openEngine({ redisUrl, namespace, dataDir: "/nonexistent" });
  t.after(() => engine.close());
  const config = await readConfig({}, environment);
  const opened = { config, log: createLog("silent"), reads: { withinMs: 0 } };
  const interrupt = new AbortController();
  const begin = (id: string) =>
    engine.store.runs.begin({ id, source: "file", pool: POOL, feed: "hr", identity: id, asOf: 0 });
  const seen: number[] = [];
  await watchStatus(
    opened,
    ({ runs }) => {
      seen.push(runs.length);
      if (seen.length === 1) void begin("r-1");
      else interrupt.abort();
    },
    interrupt.signal,
  );
  assert.deepEqual(seen, [0, 1]);

  const ended = await runCommand(["status", "--watch"], { environment, drain: AbortSignal.abort() });
  assert.deepEqual([ended.code, ended.stdout], [EXIT.done, ""]);
  const both = await runCommand(["status", "--watch", "--verify"], { environment });
  assert.equal(both.code, EXIT.usage);
});
