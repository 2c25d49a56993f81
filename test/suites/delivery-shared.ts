import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBackClaim } from "../../src/delivery/claim-session.ts";
import { PRIORITY, type WakeUp, wakeUpQueue } from "../../src/queues/wake-ups.ts";
import { until } from "../support/condition.ts";
import { type OpenStage, type Stage, text } from "../support/delivery-stage.ts";

const UPDATE = "AdminUpdateUserAttributes";
const NICKNAME = [text("nickname", "nick")];
const people = (count: number): string[] => Array.from({ length: count }, (_, nth) => `user${nth}`);

/** The users of a page share jobs: who is in which, what a stop leaves, and what one user's trouble is to the others. */
export function sharedSuite(open: OpenStage): void {
  const queueOf = (stage: Stage) => stage.engine.queues.queue<WakeUp>(wakeUpQueue(stage.id, "bulk"));
  const waiting = async (stage: Stage): Promise<(readonly string[])[]> =>
    (await queueOf(stage).getWaiting()).map(({ data }) => data.users);

  const pages: readonly (readonly [users: number, jobs: number, most: number])[] = [
    [1, 1, 1],
    [25, 25, 1],
    [26, 13, 2],
    [60, 20, 3],
    [700, 28, 25],
  ];
  for (const [users, jobs, most] of pages) {
    test(`${users} users of a page share ${jobs} jobs, in their order`, async (t) => {
      const stage = await open(t);
      const keys = people(users).map((username) => stage.key(username));
      await stage.engine.wakeUps.wake(
        stage.id,
        keys.map((user) => ({ user, priority: 10 })),
      );
      const shared = await waiting(stage);
      assert.deepEqual(shared.flat(), keys);
      assert.deepEqual([shared.length, Math.max(...shared.map(({ length }) => length))], [jobs, most]);
    });
  }

  test("each user of a page is written once", async (t) => {
    const page = people(60);
    const stage = await open(t, page);
    await stage.deliver();
    await stage.putPage(page, NICKNAME);
    await stage.settled();
    for (const username of page) assert.deepEqual(stage.writes(username), [{ nickname: "nick" }]);
    assert.equal(stage.calls(), page.length);
  });

  test("a stop puts back whom it does not get to, before those who came later", async (t) => {
    const [page, later] = [people(60), ["zoe"]];
    const stage = await open(t, [...page, ...later], { emulator: { latencyMs: 300 }, concurrency: 2 });
    const delivery = await stage.deliver();
    await stage.putPage(page, NICKNAME);
    await stage.putPage(later, NICKNAME);
    await until("two calls are in flight", () => stage.calls() >= 2);
    await delivery.stop(10_000);
    const { applied, pending } = await stage.books();
    // A machine that stood still for a while has begun the next two by then.
    assert.deepEqual([applied, pending], [stage.calls(), page.length + later.length - stage.calls()]);
    const jobs = await waiting(stage);
    const left = [...page, ...later].filter((name) => stage.writes(name).length === 0).map((name) => stage.key(name));
    assert.deepEqual(jobs.flat().toSorted(), left.toSorted());
    if (stage.engine.kind === "redis") {
      // Six jobs of three users were begun: two for the calls in flight, two whose user was claimed, and two that waited.
      assert.deepEqual(jobs.slice(0, 6).flat().toSorted(), left.slice(0, 16).toSorted());
      assert.deepEqual(jobs.slice(6).flat(), left.slice(16));
    }
    await stage.deliver(await stage.open());
    await stage.settled();
    assert.equal(stage.calls(), page.length + later.length);
  });

  test("a stop whose time is up leaves a job for everybody", async (t) => {
    const page = people(60);
    const stage = await open(t, page, { concurrency: 2 });
    stage.emulator.faults.add({ operation: UPDATE, error: { kind: "hang" } });
    const delivery = await stage.deliver();
    await stage.putPage(page, NICKNAME);
    await until("two calls are in flight", () => stage.calls() === 2);
    await delivery.stop(0);
    // Whose call was aborted waits until it can no longer be applied.
    const jobs = [...(await queueOf(stage).getWaiting()), ...(await queueOf(stage).getDelayed())];
    const keys = page.map((username) => stage.key(username));
    assert.deepEqual(jobs.flatMap(({ data }) => data.users).toSorted(), keys.toSorted());
    stage.emulator.faults.clear();
    await stage.deliver(await stage.open());
    await stage.settled();
    assert.equal((await stage.books()).applied, page.length);
  });

  test("who must wait for a lease sleeps alone, and those behind go on", async (t) => {
    const page = people(60);
    const stage = await open(t, page);
    const user = await stage.put("user1", [text("given_name", "Una")], { unheard: true });
    const claim = await stage.engine.store.mailboxes.claim(user, "token of another", 60_000);
    assert.ok(claim.is === "claimed");
    await stage.deliver();
    await stage.putPage(page, NICKNAME);
    await until("all the others are written", () => stage.calls() === page.length - 1);
    await until("nobody else waits", async () => (await queueOf(stage).getJobCounts("wait", "active"))["active"] === 0);
    const sleepers = await queueOf(stage).getDelayed();
    assert.deepEqual(
      sleepers.map(({ data }) => data.users),
      [[user]],
    );
    const version = claim.units["given_name"]?.version ?? "";
    const settled = { given_name: { is: "applied", version } } as const;
    await stage.engine.store.mailboxes.settle(user, "token of another", settled, 60_000);
    await stage.settled();
    assert.deepEqual(stage.writes("user1"), [{ nickname: "nick" }]);
  });

  test("who changes while their call is in flight keeps nobody waiting who shares the job", async (t) => {
    const page = people(60);
    const stage = await open(t, page, { concurrency: 1, emulator: { latencyMs: 100 } });
    await stage.deliver();
    await stage.putPage(page, NICKNAME);
    await until("the first is under way", () => stage.calls() === 1);
    await stage.put("user0", [text("nickname", "new")], { unheard: true });
    await stage.settled();
    assert.deepEqual(stage.writes("user0"), [{ nickname: "nick" }, { nickname: "new" }]);
    const order = stage.emulator.log.writes.map(({ username }) => username);
    assert.ok(order.indexOf("user1") < order.lastIndexOf("user0"), "Expected the next of the job to go first");
  });

  /** The engine, with something else done at each sweep. */
  function sweeping(stage: Stage, rewake: Stage["engine"]["wakeUps"]["rewake"]): Stage["engine"] {
    return { ...stage.engine, wakeUps: { ...stage.engine.wakeUps, rewake } };
  }

  test("what a stop puts back is not fetched again, however long a sweep takes", async (t) => {
    const page = people(60);
    const stage = await open(t, page, { concurrency: 2, ratePerSecond: 0.01 });
    const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const engine = sweeping(stage, async () => {
      begun.resolve();
      await ended.promise;
    });
    const delivery = await stage.deliver(await stage.open(engine));
    await stage.putPage(page, NICKNAME);
    await begun.promise;
    const stopped = delivery.stop(10_000);
    await until("all jobs are put back", async () => (await waiting(stage)).length === 20);
    const fetched = (await queueOf(stage).getWaiting()).map(({ attemptsStarted }) => attemptsStarted);
    ended.resolve();
    await stopped;
    assert.ok(Math.max(...fetched) <= 1, `Expected no job to be fetched twice, got ${fetched.join(" ")}`);
  });

  /**
   * Who is woken again by two sweeps while a job of the queue, added so long ago, waits for a pace that is closed; "ann"
   * has lost her wake-up meanwhile.
   */
  async function sweptBeside(stage: Stage, ageMs: number, { isOwn = false, priority = 10 } = {}): Promise<string[]> {
    const rewoken: string[][] = [];
    const engine = sweeping(stage, async (pool, dues) => {
      rewoken.push(dues.map(({ user }) => user));
      await stage.engine.wakeUps.rewake(pool, dues);
    });
    await stage.put("bob", NICKNAME);
    await stage.deliver(await stage.open(engine));
    await until("the pace is used up", () => stage.calls() === 1);
    const own = isOwn ? { deduplication: { id: "nobody" } } : {};
    await queueOf(stage).add("wake-up", { users: ["nobody"] }, { timestamp: Date.now() - ageMs, ...own });
    await stage.put("ann", NICKNAME, { unheard: true, priority });
    const before = rewoken.length;
    await until("it swept twice", () => rewoken.length >= before + 2, 10_000);
    return rewoken.flat();
  }

  test("a claim is given back as it was, and stays with whoever took it over", async (t) => {
    const stage = await open(t);
    const { keyring, store } = stage.engine;
    const user = await stage.put("ann", NICKNAME, { unheard: true });
    const take = async (token: string, leaseMs: number) => {
      const answer = await store.mailboxes.claim(user, token, leaseMs);
      assert.ok(answer.is === "claimed");
      return { user, token, answer, leaseEndsAt: performance.now() + leaseMs };
    };
    const first = await take("first", 60_000);
    await giveBackClaim(store.mailboxes, keyring, first, 60_000);
    const { attempts, faults, deaths } = (await stage.held("ann", "nickname")) ?? {};
    assert.deepEqual({ attempts, faults, deaths }, { attempts: 0, faults: 0, deaths: 0 });
    const second = await take("second", 60_000);
    await giveBackClaim(store.mailboxes, keyring, first, 60_000);
    const said = await store.mailboxes.settle(user, second.token, {}, 60_000);
    assert.equal(said.late, false);
    await giveBackClaim(store.mailboxes, keyring, second, 60_000);
  });

  test("a job that is added long after its users were due is as old as that", async (t) => {
    const stage = await open(t);
    const since = Date.now() - 3_600_000;
    const dues = people(60).map((name, nth) => ({
      user: stage.key(name),
      priority: PRIORITY.bulk,
      dueAt: since + nth,
    }));
    await stage.engine.wakeUps.wake(stage.id, dues);
    assert.equal(await stage.engine.wakeUps.oldest(stage.id), since);
  });

  const sweeps: readonly (readonly [
    whom: string,
    ageMs: number,
    options: Parameters<typeof sweptBeside>[2],
    isWoken: boolean,
  ])[] = [
    ["nobody who is due since after the oldest shared job was added", 60_000, {}, false],
    ["who has been due since before that", -60_000, {}, true],
    ["who is due since after a job of one user was added", 60_000, { isOwn: true }, true],
    ["whose change is urgent, whenever it came", 60_000, { priority: PRIORITY.direct }, true],
  ];
  for (const [whom, ageMs, options, isWoken] of sweeps) {
    test(`a sweep wakes ${whom}`, async (t) => {
      const stage = await open(t, ["ann", "bob"], { ratePerSecond: 0.01 });
      const woken = await sweptBeside(stage, ageMs, options);
      assert.equal(woken.includes(stage.key("ann")), isWoken);
    });
  }
}
