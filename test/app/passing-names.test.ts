/** Events that name people by what passes from one person to another. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import { passedAt } from "../../src/app/events/passing-names.ts";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import { until } from "../support/condition.ts";
import { POOL } from "../support/pool-stage.ts";
import { contactsFeed, eventStage } from "./event-stage.ts";

const at = (day: number): string => `2026-02-0${day}T00:00:00Z`;
const SHARED = "shared@example.com";

async function setPeople(t: Parameters<typeof eventStage>[0], emulator: EmulatorOptions = {}) {
  const stage = await eventStage(t, { config: contactsFeed("mark"), pool: { aliasAttributes: ["email"] }, emulator });
  const { app, engine, drainer } = stage;
  for (const [username, email] of [
    ["ana", SHARED],
    ["bob", "bob@example.com"],
  ] as const) {
    app.pool.addUser({ username, attributes: { email, email_verified: "true" } });
  }
  const names = () => ["ana", "bob"].map((one) => stage.value(one, "name"));
  /** Drains until so many units are put, and nothing is in hand but what others have. */
  const drained = async (units: number, ofOthers = 0): Promise<void> => {
    const one = drainer();
    await until("that is put", async () => (await engine.store.runs.books()).received === units);
    await until("nothing is in hand", async () => (await engine.store.inbox.counts()).taken === ofOthers);
    await one.close();
  };
  /** Drains and delivers until nothing is left in the inbox. */
  const emptied = () =>
    until("nothing is left in the inbox", async () => {
      await stage.drain();
      const { waiting, ahead, taken } = await engine.store.inbox.counts();
      return waiting + ahead + taken === 0;
    });
  return { ...stage, names, drained, emptied };
}

describe("an event that names its person by an address", () => {
  for (const [how, bodies] of [
    ["with them in one body", [["give", "get", "name"]]],
    ["behind them", [["give", "get"], ["name"]]],
  ] as const) {
    test(`waits until older changes of the address are made (${how})`, async (t) => {
      const { send, drained, emptied, app, names, engine, logged } = await setPeople(t);
      const said = {
        give: { user: "ana", mail: "ana2@example.com", at: at(1) },
        get: { user: "bob", mail: SHARED, at: at(1) },
        name: { user: SHARED, name: "Bob", at: at(2) },
      };
      for (const records of bodies) {
        await send(
          "crm",
          records.map((what) => said[what]),
        );
      }
      const before = bodies.flat().length - 1;
      await drained(before);
      assert.equal((await engine.store.inbox.counts()).ahead, 1);
      assert.match(logged(), /"msg":"events wait for a name to pass on"/);
      assert.doesNotMatch(logged(), /example\.com/);
      await app.deliver();
      await emptied();
      assert.deepEqual(names(), [undefined, "Bob"]);
      assert.equal((await engine.store.inbox.counts()).parked.entries, 0);
    });
  }

  test("waits for the name to be given with it, also where nobody has it, or what gives it waits itself", async (t) => {
    const { app, send, drained, emptied, names, engine, parked, value } = await setPeople(t);
    await send("crm", [
      { user: "bob", mail: "new@example.com", at: at(1) },
      { user: "new@example.com", name: "Bob", at: at(2) },
      { user: "ana", mail: "ana2@example.com", at: at(1) },
      { user: "ana2@example.com", name: "Ana", at: at(2) },
      { user: "nobody@example.com", name: "Nobody", at: at(2) },
    ]);
    await drained(2);
    assert.equal((await engine.store.inbox.counts()).ahead, 1);
    await app.deliver();
    await emptied();
    assert.deepEqual([names(), value("bob", "email")], [["Ana", "Bob"], "new@example.com"]);
    assert.deepEqual(await parked(), ["crm nobody"]);
  });

  test("waits while an older event of its feed is given back, because its pool could not be asked", async (t) => {
    const { app, send, engine, config, log, openPool, logged, names, emptied } = await setPeople(t);
    let asked = 0;
    const poolOf = () =>
      asked++ === 0 ? Promise.reject(new CognitoError("throttled", "The pool is busy.")) : openPool({ pool: POOL });
    const one = startDrainer({ engine, config, poolOf, log });
    await send("crm", [
      { user: "ana", mail: "ana2@example.com", at: at(1) },
      { user: "bob", mail: SHARED, at: at(1) },
    ]);
    one.wake();
    await until("it is given back", () => logged().includes('"events wait"'));
    await send("crm", { user: SHARED, name: "Bob", at: at(2) });
    one.wake();
    await until("the first is put", async () => (await engine.store.runs.books()).received === 2);
    await one.close();
    await app.deliver();
    await emptied();
    assert.deepEqual(names(), [undefined, "Bob"]);
  });

  /** What was said of the address before its newest event, which others have in hand, or which waits for a time. */
  const older = async (
    stage: Awaited<ReturnType<typeof setPeople>>,
    bodies: readonly unknown[],
    how: "in another drainer's hands" | "given back",
  ) => {
    const { send, engine } = stage;
    const token = "another drainer";
    for (const body of bodies) await send("crm", body);
    const { entries } = await engine.store.inbox.take(token, { leaseMs: 60_000, limit: 25, maxBytes: 1e8 });
    const taken = { token, ids: entries.map(({ id }) => id) };
    const giveBack = (notBefore: number) => engine.store.inbox.defer(taken, notBefore);
    if (how === "given back") await giveBack(Date.now() + 3_600_000);
    return { giveBack: () => giveBack(0) };
  };

  for (const how of ["in another drainer's hands", "given back"] as const) {
    test(`waits while older events that may be about the name are ${how}, and no other waits for them`, async (t) => {
      const stage = await setPeople(t);
      const { app, send, drained, engine, names, value } = stage;
      app.pool.addUser({ username: "cyd", attributes: { email: "cyd@example.com", email_verified: "true" } });
      const away = { user: SHARED, mail: "ana2@example.com", at: at(1) };
      const others = { user: "bob@example.com", mail: "bob2@example.com", at: at(1) };
      await older(stage, [away, { user: "bob", name: "B", at: at(1) }, others], how);
      await send("crm", { user: SHARED, name: "Bob", at: at(2) });
      await send("crm", { user: "bob2@example.com", name: "Bob", at: at(2) });
      await send("crm", { user: SHARED, name: "Ana", at: "2026-01-01T00:00:00Z" });
      await send("crm", { user: "cyd@example.com", name: "Cyd", at: at(2) });
      await send("crm", { user: "bob", name: "Bob", at: at(3) });
      await drained(3, how === "given back" ? 0 : 3);
      assert.equal((await engine.store.inbox.counts()).parked.entries, 0);
      await app.deliver();
      assert.deepEqual([...names(), value("cyd", "name")], ["Ana", "Bob", "Cyd"]);
    });
  }

  test("means who has the name once the older events are made, also where nobody has it before", async (t) => {
    const stage = await setPeople(t);
    const { send, drained, emptied, names, parked } = stage;
    const { giveBack } = await older(
      stage,
      [{ user: SHARED, mail: "ana2@example.com", at: at(1) }],
      "in another drainer's hands",
    );
    await send("crm", { user: "ana2@example.com", name: "Ana", at: at(2) });
    await send("crm", { user: "bob", name: "Bob", at: at(1) });
    await drained(1, 1);
    assert.deepEqual(await parked(), []);
    await giveBack();
    await emptied();
    assert.deepEqual([names(), await parked()], [["Ana", "Bob"], []]);
  });

  test("waits where more of its feed wait than are looked at", async (t) => {
    const stage = await setPeople(t);
    const { app, send, drained, names } = stage;
    await older(
      stage,
      Array.from({ length: 25 }, (_, one) => ({ user: "bob", at: at(1), name: `${one}`, of: "x".repeat(100_000) })),
      "given back",
    );
    await send("crm", { user: SHARED, name: "Ana", at: at(2) });
    await send("crm", { user: "bob", name: "Bob", at: at(2) });
    await drained(1);
    await app.deliver();
    assert.deepEqual(names(), [undefined, "Bob"]);
  });

  test("waits until the list of users shows what was written a moment ago", async (t) => {
    let aheadMs = 0;
    const now = () => Date.now() + aheadMs;
    const { app, send, drained, drainer, names, engine } = await setPeople(t, { listLagMs: 600_000, now });
    aheadMs = 1_200_000;
    await send("crm", { user: "ana", mail: "ana2@example.com", at: at(1) });
    await drained(1);
    await app.deliver();
    await send("crm", { user: SHARED, name: "Bob", at: at(2) });
    const one = drainer();
    await until("it waits", async () => (await engine.store.inbox.counts()).ahead === 1);
    await one.close();
    await app.deliver();
    assert.deepEqual(names(), [undefined, undefined]);
  });

  test("is of whoever had it then where the changes of the address are newer, or say the same", async (t) => {
    const { send, drain, names } = await setPeople(t);
    await send("crm", [
      { user: "ana", mail: "ana2@example.com", at: at(3) },
      { user: "bob", mail: SHARED, at: at(3) },
      { user: SHARED, name: "Ana", at: at(2) },
    ]);
    await drain();
    assert.deepEqual(names(), ["Ana", undefined]);
  });

  test("does not wait for its person's own address to be said again", async (t) => {
    const { app, send, drained, names } = await setPeople(t);
    await app.pause({ feed: "crm" }, { by: "ann", reason: "a look" });
    await send("crm", { user: "ana", mail: SHARED, at: at(1) });
    await send("crm", { user: SHARED, name: "Ana", at: at(2) });
    await drained(2);
    await app.resume({ feed: "crm" });
    await app.deliver();
    assert.deepEqual(names(), ["Ana", undefined]);
  });

  test("waits while an older change that takes its flag away is kept, and its entry has what it had", async (t) => {
    const { app, send, emptied, drained, parked, engine, names } = await setPeople(t);
    await app.pause({ feed: "crm" }, { by: "ann", reason: "a look" });
    await send("crm", { user: "ana", ok: "false", at: at(1) });
    await drained(1);
    await send("crm", [
      { user: "bob", name: "Bob", at: at(2) },
      { user: SHARED, name: "Ana", at: at(2) },
    ]);
    await drained(2);
    assert.equal((await engine.store.inbox.counts()).ahead, 1);
    await app.resume({ feed: "crm" });
    await app.deliver();
    await emptied();
    assert.deepEqual([await parked(), names()], [[], ["Ana", "Bob"]]);
  });
});

test("an event whose name passes on is looked at again the later the longer it has waited", () => {
  assert.deepEqual(
    [0, 10_000, 1_000_000, -5_000].map((agoMs) => passedAt(2_000_000 - agoMs, 2_000_000) - 2_000_000),
    [1_000, 5_000, 60_000, 1_000],
  );
});
