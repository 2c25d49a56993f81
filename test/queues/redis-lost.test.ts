import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openQueues } from "../../src/queues/bullmq.ts";
import { startLoneRedis } from "../chaos/lone-redis.ts";
import { redisVersion } from "../chaos/redis-processes.ts";
import { until } from "../support/condition.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH that could be killed" : false;

test("a worker that began while Redis was lost takes jobs once it is back", { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-lost-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const redis = await startLoneRedis(directory, "always");
  const queues = await openQueues({ kind: "redis", url: redis.url, namespace: "lost" });
  t.after(async () => {
    await queues.close();
    await redis.close();
  });
  await redis.kill(0);
  let taken = 0;
  queues.worker(
    "work",
    async () => {
      taken += 1;
    },
    { concurrency: 1 },
  );
  // Its first attempt has failed by then.
  await new Promise((resolve) => setTimeout(resolve, 200));
  await redis.startAgain();
  await queues.queue("work").add("job", {});
  await until("the job is taken", () => taken === 1, 20_000);
});
