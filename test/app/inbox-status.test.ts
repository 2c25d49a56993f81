/** What `status` tells of the inbox. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { keepAlive } from "../../src/delivery/worker-lease.ts";
import { until } from "../support/condition.ts";
import { parseStatus, statusOf } from "../../src/app/status.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { statusText } from "../../src/views/status.ts";
import { setApp } from "../support/app-stage.ts";

async function setStatus(t: TestContext) {
  const app = await setApp(t);
  const engine = await app.open();
  const status = async (verify = false) => {
    const document = await statusOf(engine, { ceilingsOf: () => ({ ratePerSecond: 25, listsPerSecond: 25 }), verify });
    assert.deepEqual(parseStatus(JSON.parse(JSON.stringify(document))), document);
    return { ...document, text: statusText(document, 500, (...words) => words.join(" ")) };
  };
  return { app, engine, status };
}

test("status tells of jobs that wait, and why nobody takes them", async (t) => {
  const { engine, status } = await setStatus(t);
  const before = await status();
  assert.equal(before.jobs, undefined);
  assert.doesNotMatch(before.text, /Jobs/);
  await engine.queues.queue("changes").add("change", {});
  const { jobs, text } = await status();
  assert.deepEqual(jobs, { waiting: 1, taken: false });
  assert.match(text, /^Jobs: 1 waits in the queue `changes`, and no `ingest` runs that takes them\.$/m);
  const says = async (does: "events" | "jobs") => {
    const lease = keepAlive(engine.store, { does });
    t.after(() => lease.end());
    await until(`${does} are said`, async () => (await engine.store.workers.list()).some((one) => one.does === does));
    return status();
  };
  assert.match(
    (await says("events")).text,
    /, and the `ingest` that runs does not take them: start it with POOLSYNC_JOBS=on/,
  );
  const taken = await says("jobs");
  assert.deepEqual(taken.jobs, { waiting: 1, taken: true });
  assert.match(taken.text, /^Jobs: 1 waits in the queue `changes`\.$/m);
});

test("status tells of events where some have come, and finds those again whose place is lost", async (t) => {
  const { app, engine, status } = await setStatus(t);
  const redis = new Redis(app.environment["REDIS_URL"] ?? "");
  t.after(() => redis.disconnect());
  const keys = createKeys(app.environment["POOLSYNC_NAMESPACE"] ?? "");
  const { inbox } = engine.store;
  const before = await status();
  assert.equal(before.inbox, undefined);
  assert.doesNotMatch(before.text, /Inbox/);

  const limits = { entries: 10, bytes: 1_000 };
  const entry = (id: string, more = {}) => ({ id, feed: "hr", body: "b:12", ...more });
  const take = { leaseMs: 60_000, limit: 1, maxBytes: 1_000 };
  await inbox.add([entry("parked"), entry("taken"), entry("waiting")], limits);
  await inbox.add([entry("ahead", { notBefore: Date.now() + 60_000 })], limits);
  await inbox.take("parking", take);
  await inbox.park({ token: "parking", ids: ["parked"] }, "nobody");
  await inbox.take("token", take);
  const { text, inbox: counts } = await status();
  const { oldestAt = "", ...others } = counts ?? assert.fail();
  const parked = { entries: 1, bytes: 4, feeds: { hr: 1 } };
  assert.deepEqual(others, { waiting: 1, ahead: 1, taken: 1, bytes: 12, parked });
  assert.match(oldestAt, /^\d{4}-.*Z$/);
  const said = `Inbox: 1 event waits, the oldest since ${oldestAt}; 1 waits for its time, or until its pool can be asked; 1 is being drained; 1 is parked of hr. No process takes them further: one has to run, such as \`ingest\`.`;
  assert.ok(text.includes(said), text);

  await redis.del(keys.inboxLine);
  await redis.hset(keys.inboxCounts, "bytes", "500");
  const found = await status(true);
  assert.deepEqual(found.verified?.inbox, { lost: 1, miscounted: 1 });
  assert.deepEqual(found.inbox, counts);
  assert.match(found.text, /lost its place of 1 event\. .*|counted wrongly/);
  assert.deepEqual((await status(true)).verified?.inbox, { lost: 0, miscounted: 0 });
});
