/** `runs wait`: until a run is over that others put and deliver. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { waitForRun, type WaitOptions } from "../../src/app/runs/wait-for-run.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import type { RunState } from "../../src/store/runs.ts";
import { testRedis } from "../support/redis.ts";
import { directoryWithData, POOL, runCommand } from "./command-run.ts";

async function setEngine(t: TestContext) {
  const { url: redisUrl, namespace } = testRedis();
  const engine = await openEngine({ redisUrl, namespace, dataDir: "/nonexistent" });
  t.after(() => engine.close());
  const { runs } = engine.store;
  const environment = { REDIS_URL: redisUrl, POOLSYNC_NAMESPACE: namespace };
  return {
    engine,
    begin: async (id: string, state: RunState): Promise<void> => {
      await runs.begin({ id, source: "file", pool: POOL, feed: "hr", identity: id, asOf: 0 });
      if (state !== "reading") await runs.transition(id, ["reading"], state);
    },
    wait: (id: string) => runCommand(["runs", "wait", id], { environment }),
    waitHere: (id: string, onLook: () => void, signal = new AbortController().signal) => {
      const nothing = (): void => undefined;
      const options: WaitOptions = { onLook, onHold: nothing, onStill: nothing, signal };
      return waitForRun(engine, createLog("silent"), id, options);
    },
  };
}

test("runs wait ends when the run is over, with a code that says how it ended", async (t) => {
  const { begin, wait } = await setEngine(t);
  const ends: [RunState, number][] = [
    ["finished", EXIT.done],
    // Put with --detach, and nothing of it is pending.
    ["delivering", EXIT.done],
    ["needs-approval", EXIT.guarded],
    ["cancelled", EXIT.failed],
    ["failed", EXIT.failed],
  ];
  for (const [state, code] of ends) {
    const id = `r-${state}`;
    await begin(id, state);
    const said = await wait(id);
    assert.equal(said.code, code, said.stderr);
    assert.match(said.stdout, new RegExp(id));
  }
  const none = await wait("r-none");
  assert.equal(none.code, EXIT.failed);
  assert.match(none.stderr, /There is no run `r-none`/);
});

test("a run that is still read is waited for", async (t) => {
  const { engine, begin, waitHere } = await setEngine(t);
  await begin("r-1", "reading");
  let looks = 0;
  const advance = (): void => {
    looks += 1;
    if (looks === 2) void engine.store.runs.advance("r-1", "delivering");
  };
  const { run } = await waitHere("r-1", advance);
  assert.equal(run.state, "delivering");
  assert.ok(looks > 2);
});

test("a signal ends the waiting, and leaves the run as it is", async (t) => {
  const { engine, begin, waitHere } = await setEngine(t);
  await begin("r-1", "reading");
  const interrupt = new AbortController();
  await assert.rejects(
    waitHere("r-1", () => interrupt.abort(), interrupt.signal),
    {
      category: "interrupted",
      message: "Interrupted. Run r-1 goes on without this command: see `poolsync runs show r-1`.",
    },
  );
  assert.equal((await engine.store.runs.get("r-1"))?.state, "reading");
});

test("without Redis a run that nobody goes on with is not waited for", async () => {
  const directory = await directoryWithData();
  const dataDir = `${directory.path}/data`;
  const engine = await openEngine({ dataDir, namespace: "test" });
  await engine.store.runs.begin({ id: "r-1", source: "file", pool: POOL, feed: "hr", identity: "", asOf: 0 });
  await engine.close();
  const said = await runCommand(["runs", "wait", "r-1", "--data-dir", dataDir]);
  assert.equal(said.code, EXIT.failed);
  assert.match(said.stderr, /is not over .*give the same `poolsync sync --data-dir/);
  await directory.remove();
});
