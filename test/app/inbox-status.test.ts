/** What `status` tells of the inbox. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { parseStatus, statusOf } from "../../src/app/status.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { statusText } from "../../src/views/status.ts";
import { setApp } from "../support/app-stage.ts";

test("status tells of events where some have come, and finds those again whose place is lost", async (t) => {
  const app = await setApp(t);
  const redis = new Redis(app.environment["REDIS_URL"] ?? "");
  t.after(() => redis.disconnect());
  const keys = createKeys(app.environment["POOLSYNC_NAMESPACE"] ?? "");
  const engine = await app.open();
  const { inbox } = engine.store;
  const status = async (verify = false) => {
    const document = await statusOf(engine, { ceilingsOf: () => ({ ratePerSecond: 25, listsPerSecond: 25 }), verify });
    assert.deepEqual(parseStatus(JSON.parse(JSON.stringify(document))), document);
    return { ...document, text: statusText(document, 500, (...words) => words.join(" ")) };
  };
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
  const said = `Inbox: 1 event waits, the oldest since ${oldestAt}; 1 waits for its time; 1 is being drained; 1 is parked of hr.`;
  assert.ok(text.includes(said), text);

  await redis.del(keys.inboxLine);
  await redis.hset(keys.inboxCounts, "bytes", "500");
  const found = await status(true);
  assert.deepEqual(found.verified?.inbox, { lost: 1, miscounted: 1 });
  assert.deepEqual(found.inbox, counts);
  assert.match(found.text, /lost its place of 1 event\. .*|counted wrongly/);
  assert.deepEqual((await status(true)).verified?.inbox, { lost: 0, miscounted: 0 });
});
