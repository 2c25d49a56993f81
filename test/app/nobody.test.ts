/** Events that named nobody: they may name somebody by now. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createParkedWatch } from "../../src/app/events/parked-watch.ts";
import { eventStage, LIMITS } from "./event-stage.ts";

describe("events", () => {
  test("that named nobody are looked at again each hour, and go when they are too old", async (t) => {
    const { app, engine, send, drain, value, parked, log } = await eventStage(t);
    const { store } = engine;
    const event = (name: string) => ({ employees: [{ mail: `${name}@example.com`, first: name }] });
    await send("hr", event("eve"), { id: "1" });
    await send("hr", event("fay"), { id: "2" });
    await send("crm", "{");
    await drain();
    app.pool.addUser({ username: "eve", attributes: { email: "eve@example.com", email_verified: "true" } });
    const day = 86_400_000;
    const watch = createParkedWatch(store, log, day);
    const now = Date.now();
    await watch.look(now);
    await watch.look(now + 3_599_000);
    assert.equal((await parked()).length, 3);
    await watch.look(now + 3_600_000);
    assert.equal((await store.inbox.counts()).waiting, 2);
    await drain();
    assert.deepEqual([value("eve", "name"), await parked()], ["eve", ["crm unreadable", "hr nobody"]]);
    await createParkedWatch(store, log, 0).look(now);
    assert.deepEqual(await parked(), []);
  });

  test("that named nobody are looked at again once a plan has scanned their pool", async (t) => {
    const { app, engine, send, drain, value, parked } = await eventStage(t);
    const event = (name: string) => ({ employees: [{ mail: `${name}@example.com`, first: name }] });
    await send("hr", event("eve"), { id: "1" });
    await drain();
    await engine.store.inbox.add([{ id: "gone", feed: "gone", body: "x" }], LIMITS);
    const taken = await engine.store.inbox.take("token", { leaseMs: 60_000, limit: 1, maxBytes: 1_000 });
    await engine.store.inbox.park({ token: "token", ids: taken.entries.map(({ id }) => id) }, "nobody");
    app.pool.addUser({ username: "eve", attributes: { email: "eve@example.com", email_verified: "true" } });
    const file = await app.file("username,given_name\neve,Eve\n");
    await app.plan(file, { baseline: "none" });
    assert.deepEqual(await parked(), ["gone nobody", "hr nobody"]);
    await app.drift(file);
    // Those of other pools, and of no feed, are not meant.
    assert.deepEqual(await parked(), ["gone nobody"]);
    await drain();
    assert.equal(value("eve", "name"), "eve");
  });

  test("that named nobody are looked at in turn, where there are more than go back at a time", async (t) => {
    const { engine, log } = await eventStage(t);
    const { inbox } = engine.store;
    const ids = Array.from({ length: 1_100 }, (_, index) => `e${index}`);
    const park = async (): Promise<number> => {
      const { entries } = await inbox.take("token", { leaseMs: 60_000, limit: 2_000, maxBytes: 1e9 });
      await inbox.park({ token: "token", ids: entries.map(({ id }) => id) }, "nobody");
      return entries.length;
    };
    await inbox.add(
      ids.map((id) => ({ id, feed: "hr", body: "x" })),
      { entries: 1e6, bytes: 1e9 },
    );
    await park();
    const first = (await Array.fromAsync(inbox.parked({}))).map(({ id, parkedAt }) => `${id} ${parkedAt}`);
    const hour = 3_600_000;
    const watch = createParkedWatch(engine.store, log, Infinity);
    for (const [turn, amount] of [0, 500, 500, 500].entries()) {
      await watch.look(Date.now() + turn * hour);
      assert.equal(await park(), amount);
    }
    const now = (await Array.fromAsync(inbox.parked({}))).map(({ id, parkedAt }) => `${id} ${parkedAt}`);
    assert.deepEqual(
      now.filter((one) => first.includes(one)),
      [],
    );
  });
});
