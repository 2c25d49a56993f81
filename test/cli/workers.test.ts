/** What people are told of workers: who is alive, and where one has to run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand } from "./command-run.ts";

test("a worker has to run only where none is alive", async (t) => {
  const { url: redisUrl, namespace } = testRedis();
  const engine = await openEngine({ redisUrl, namespace, dataDir: "/nonexistent" });
  t.after(() => engine.close());
  const { runs, mailboxes, workers } = engine.store;
  await engine.store.target({ pool: POOL, endpoint: "localhost", region: "eu-west-1", arn: "arn:aws:a:b:1:c" });
  await runs.begin({ id: "r-1", source: "file", pool: POOL, feed: "hr", identity: "", asOf: 0 });
  const changes = [{ user: "ann", username: "p:ann", units: [{ name: "name", digest: "digest", body: "p:{}" }] }];
  await mailboxes.put({ pool: POOL, run: "r-1", priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 } });
  await runs.advance("r-1", "delivering");
  const environment = { REDIS_URL: redisUrl, POOLSYNC_NAMESPACE: namespace };
  const say = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(words, { environment });
    assert.equal(code, EXIT.done, stderr);
    return stdout.replaceAll(/\s+/g, " ");
  };
  const missing =
    /waits for a worker.*, and none is alive: one has to run, such as `poolsync worker --pools eu-west-1_Example/;
  await workers.renew("1", { does: "schedules", process: "desk:1" }, 60_000);
  assert.match(await say("status"), missing);
  assert.match(await say("runs", "show", "r-1"), missing);
  await workers.renew("2", { does: "delivery", pool: POOL, process: "desk:2" }, 60_000);
  const status = await say("status");
  assert.match(status, /Workers: delivery to eu-west-1_Example by desk:2; schedules by desk:1\./);
  assert.doesNotMatch(status, missing);
  assert.match(await say("runs", "show", "r-1"), /1 change waits: 1 worker delivers to this pool\./);
});
