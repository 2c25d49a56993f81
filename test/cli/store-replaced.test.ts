/** A Redis that is emptied, or whose epoch is raised, under processes that live on: they end, and people are told. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import { z } from "zod";
import { until } from "../support/condition.ts";
import { onlyRun, setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";
import { POOL, runCommand } from "./command-run.ts";

const USERS = 200;
/** So slow that none of the processes here comes to its end. */
const SLOW = { POOLSYNC_RATE: "20" };
const statusShown = z.object({
  since: z.string(),
  withoutAof: z.boolean(),
  forgottenRuns: z.array(z.object({ run: z.string(), at: z.string() })),
});

describe("where Redis is emptied or restored", () => {
  let stage: DirectoryStage;
  let redis: Redis;

  beforeEach(async () => {
    stage = await setDirectoryStage(USERS);
    redis = new Redis(stage.environment.REDIS_URL);
    await stage.exported((nth) => `u${nth},New${nth}`);
    await stage.configure(`file: ${stage.at("hr.csv")}, guards: { changed: off }`);
  });
  afterEach(async () => {
    redis.disconnect();
    await stage.clear();
  });

  /** A worker that has begun to deliver the run of a sync with `--detach`. */
  async function delivering() {
    const { environment, byHand, start, updates } = stage;
    const { code, stderr } = await runCommand(byHand(), { environment });
    assert.equal(code, 0, stderr);
    const { run } = await onlyRun(stage);
    const worker = start("workers/deliver.ts", SLOW);
    await until("some users are written", () => updates() >= 5);
    return { run, worker };
  }

  test("a run that is gone is told by the worker, by status and by whoever is asked for it", async () => {
    const { run, worker } = await delivering();
    await redis.del(...(await redis.keys(`{poolsync:${stage.environment.POOLSYNC_NAMESPACE}}:*`)));
    assert.equal(await worker.ended(), 1);
    assert.match(worker.stderr(), /"kind":"store-replaced".*emptied.*Start this process again/);
    assert.match(worker.stderr(), new RegExp(`"runs":\\["${run}"\\].*"msg":"store has forgotten runs"`));

    const shown = await stage.command("runs", "show", run);
    assert.equal(shown.code, 1);
    assert.match(shown.stdout, /There is no run.*It was found at .* that the store has forgotten it\./);
    // Of a run that no worker had in hand the store knows only that it is younger.
    const other = await stage.command("runs", "show", run.replace(/-\w{6}$/, "-000000"));
    assert.equal(other.code, 1);
    assert.match(other.stdout, /There is no run.*The store is there only since .*: it was emptied/);
    const never = await stage.command("runs", "show", "r-zzzzzzzz-000000");
    assert.match(never.stdout, /There is no run `r-zzzzzzzz-000000`: see `[^`]*`\."/);

    const status = statusShown.parse(JSON.parse((await stage.command("status")).stdout));
    assert.deepEqual(
      status.forgottenRuns.map((forgotten) => forgotten.run),
      [run],
    );
    const { stdout } = await runCommand(["status"], { environment: stage.environment });
    assert.match(stdout, /^Engine: redis, with everything since \d/);
    assert.doesNotMatch(stdout, /was restored/);
    assert.match(stdout.replaceAll(/\s+/g, " "), new RegExp(`Run ${run} is forgotten`));

    // It was never used since: an address that was forgotten leads to such a store as well.
    const raised = await stage.command("epoch", "raise");
    assert.equal(raised.code, 64);
    assert.match(raised.stdout, /"never-used".*REDIS_URL/s);
  });

  test("an epoch that is raised ends who had the store open, and who starts then goes on", async () => {
    const { worker } = await delivering();
    const { code, stdout } = await stage.command("epoch", "raise");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^\{"epoch":\d{13}\}\n$/);
    assert.equal(await worker.ended(), 1);
    assert.match(worker.stderr(), /"kind":"store-replaced".*The epoch of the store was raised/);
    assert.ok(!worker.stderr().includes("forgotten"));
    assert.ok(stage.updates() < USERS);
    const status = await runCommand(["status"], { environment: stage.environment });
    assert.match(status.stdout, /\nThis store was restored at .*: of what was before it may\s+not know all/);
    stage.start("workers/deliver.ts", { POOLSYNC_RATE: "1000" });
    await until("the run is delivered", async () => (await onlyRun(stage)).books.pending === 0);
    assert.equal(stage.nameOf(`u${USERS - 1}`), `New${USERS - 1}`);
  });

  test("a sync that is delivering ends with the sentence", async () => {
    const { at, environment, updates } = stage;
    const words = ["sync", "--feed", "hr", "--config", at("poolsync.yaml"), "--rate", "20", "--data-dir", at("sync")];
    const syncing = runCommand([...words, "--user-pool-id", POOL, "--json"], { environment });
    await until("some users are written", () => updates() >= 5);
    await redis.del(...(await redis.keys(`{poolsync:${environment.POOLSYNC_NAMESPACE}}:*`)));
    const { code, stdout } = await syncing;
    assert.equal(code, 1, stdout);
    assert.match(stdout, /"kind": "store-replaced"/);
    assert.ok(updates() < USERS);
  });
});
