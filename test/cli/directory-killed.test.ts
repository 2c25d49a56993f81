import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import { createKeys } from "../../src/store/redis/keys.ts";
import { until } from "../support/condition.ts";
import type { TestProcess } from "../support/process.ts";
import { POOL } from "./command-run.ts";
import { onlyRun, setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

/**
 * Directory workers that are killed between two pages of 500 rows. Users who are only said to be due make the pool's
 * backlog full, so that a worker puts one page and then stands still until it is killed.
 */
const USERS = 700;
const PAGE = 500;
const BACKLOG = 20_000;
const CONCURRENCY = 10;
const FAST = { POOLSYNC_RATE: "1000", POOLSYNC_CONCURRENCY: String(CONCURRENCY) };
const FAKES = Array.from({ length: BACKLOG - 1 }, (_, nth) => [0, `nobody${nth}`] as const);

describe("a directory worker", () => {
  let stage: DirectoryStage;
  let redis: Redis;
  let due: string;

  beforeEach(async () => {
    stage = await setDirectoryStage(USERS, { latencyMs: [2, 5] });
    redis = new Redis(stage.environment.REDIS_URL);
    due = createKeys(stage.environment.POOLSYNC_NAMESPACE).due(POOL);
  });
  afterEach(async () => {
    redis.disconnect();
    await stage.clear();
  });

  const crowd = () => redis.zadd(due, ...FAKES.flat());
  const disperse = () => redis.zrem(due, ...FAKES.map(([, name]) => name));

  /** Returns once a page is put and the next one waits. */
  async function killedAfterOnePage(worker: TestProcess): Promise<void> {
    await until("one page is put", async () => (await stage.runs())[0]?.rows.read === PAGE);
    await worker.kill("SIGKILL");
    assert.equal((await onlyRun(stage)).rows.read, PAGE);
    await disperse();
  }

  function assertEverybodyHas(name: (nth: number) => string, mostWrites: number): void {
    for (let nth = 0; nth < USERS; nth += 1) assert.equal(stage.nameOf(`u${nth}`), name(nth));
    assert.ok(stage.updates() <= mostWrites, `${stage.updates()} writes of ${USERS} users`);
  }

  test("that was killed between two pages is followed by another, and each row is delivered once", async () => {
    const { at, configure, deliverHere, directoryHere, exported, start, updates } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }, guards: { changed: off }`);
    await exported((nth) => `u${nth},New${nth}`);
    await crowd();
    await killedAfterOnePage(start("workers/directory.ts"));
    const cut = await onlyRun(stage);
    assert.deepEqual([cut.state, cut.books.received, cut.balanced], ["reading", PAGE, true]);
    // What was put is in the pool by the time that the rest is planned: a look finds it there.
    deliverHere(FAST);
    await until("the page is delivered", () => updates() === PAGE);
    directoryHere();
    await until("the run has finished", async () => (await onlyRun(stage)).state === "finished");
    const { run, rows, books, balanced } = await onlyRun(stage);
    assert.equal(run, cut.run);
    assert.deepEqual(rows, { read: USERS, faulty: 0 });
    assert.deepEqual([books.received, books.applied, books.pending, balanced], [USERS, USERS, 0, true]);
    assertEverybodyHas((nth) => `New${nth}`, USERS);
  });

  test("that was killed amid an approved plan is followed by another, by just the plan that was shown", async () => {
    const { at, command, configure, deliverHere, directoryHere, exported, show, start, updates } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
    await exported((nth) => `u${nth},New${nth}`);
    const planner = directoryHere();
    await until("the run waits", () => planner.stderr().includes("run needs approval"));
    await planner.stop();
    const { run } = await onlyRun(stage);
    const { plan } = await show(run);
    assert.equal(plan?.users.changed, USERS);

    assert.equal((await command("runs", "approve", run)).code, 0);
    await crowd();
    await killedAfterOnePage(start("workers/directory.ts"));
    // The file says something else by now, which is no concern of a plan that was approved.
    await exported((nth) => `u${nth},Else`);
    const deliverer = start("workers/deliver.ts", FAST);
    await until("some of it is delivered", () => updates() >= PAGE / 5);
    await deliverer.kill("SIGKILL");
    assert.equal((await onlyRun(stage)).state, "reading");

    directoryHere();
    deliverHere(FAST);
    await until("the run has finished", async () => (await show(run)).state === "finished");
    const { rows, books, balanced } = await show(run);
    assert.deepEqual(rows, { read: USERS, faulty: 0 });
    assert.deepEqual([books.received, books.pending, balanced], [USERS, 0, true]);
    assert.equal(books.applied + books.unchanged, USERS);
    assertEverybodyHas((nth) => `New${nth}`, USERS + CONCURRENCY);
  });
});
