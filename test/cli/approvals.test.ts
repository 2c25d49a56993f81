import assert from "node:assert/strict";
import { test } from "node:test";
import { approvedRuns, expireWaiting } from "../../src/app/runs/approvals.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { testRedis } from "../support/redis.ts";
import { runCommand } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("a run that nobody approves in time has expired, and one that was approved goes on", async () => {
  const { url: redisUrl, namespace } = testRedis();
  const directory = await temporaryDirectory();
  const engine = await openEngine({ redisUrl, namespace, dataDir: directory.path });
  try {
    const { plans, runs } = engine.store;
    async function* chunk() {
      yield "a plan";
    }
    const expiresAt = Date.now() + 60_000;
    for (const id of ["late", "approved", "waiting"]) {
      await runs.begin({ id, source: "file", pool: "pool", feed: "hr", identity: id, asOf: 0 });
      await runs.transition(id, ["reading"], "needs-approval");
      await plans.keep({ run: id, expiresAt: id === "waiting" ? expiresAt + 60_000 : expiresAt }, chunk());
    }
    await runs.transition("approved", ["needs-approval"], "reading");
    await expireWaiting(engine, createLog("silent"), expiresAt);
    const states = await Promise.all(["late", "approved", "waiting"].map(async (id) => (await runs.get(id))?.state));
    assert.deepEqual(states, ["expired", "reading", "needs-approval"]);
    assert.deepEqual(
      (await plans.list()).map(({ run }) => run),
      ["approved", "waiting"],
    );
    assert.deepEqual(
      (await approvedRuns(engine, "pool", "hr")).map(({ id }) => id),
      ["approved"],
    );
    assert.deepEqual(await approvedRuns(engine, "pool", "crm"), []);

    const environment = { REDIS_URL: redisUrl, POOLSYNC_NAMESPACE: namespace };
    const listed = await runCommand(["runs"], { environment });
    assert.match(listed.stdout, /1 run waits for an approval/);
    const late = await runCommand(["runs", "approve", "late"], { environment });
    assert.match(late.stderr, /Run late is expired, and waits for no approval/);
    // What is not a plan is not approved.
    assert.equal((await runCommand(["runs", "approve", "waiting"], { environment })).code, 1);
    assert.equal((await runs.get("waiting"))?.state, "needs-approval");
  } finally {
    await engine.close();
    await directory.remove();
  }
});
