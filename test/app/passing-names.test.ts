/** Events that name people by what passes from one person to another. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { passedAt } from "../../src/app/events/passing-names.ts";
import { until } from "../support/condition.ts";
import { POOL } from "../support/pool-stage.ts";
import { eventStage } from "./event-stage.ts";

const CONFIG = `
  pools: { staff: { id: ${POOL} } }
  feeds:
    crm:
      pool: staff
      username: user
      version: at
      attributes: { name: name, email: { column: mail, verified: mark }, email_verified: ok }
      events: { scheme: none }
`;
const at = (day: number): string => `2026-02-0${day}T00:00:00Z`;
const SHARED = "shared@example.com";

async function setPeople(t: Parameters<typeof eventStage>[0]) {
  const stage = await eventStage(t, { config: CONFIG, pool: { aliasAttributes: ["email"] } });
  const { app, engine, drainer } = stage;
  for (const [username, email] of [
    ["ana", SHARED],
    ["bob", "bob@example.com"],
  ] as const) {
    app.pool.addUser({ username, attributes: { email, email_verified: "true" } });
  }
  const names = () => ["ana", "bob"].map((one) => stage.value(one, "name"));
  /** Drains until so many units are put, and nothing is in hand. */
  const drained = async (units: number): Promise<void> => {
    const one = drainer();
    await until("that is put", async () => (await engine.store.runs.books()).received === units);
    await until("nothing is in hand", async () => (await engine.store.inbox.counts()).taken === 0);
    await one.close();
  };
  return { ...stage, names, drained };
}

describe("an event that names its person by an address", () => {
  for (const [how, bodies] of [
    ["with them in one body", [["give", "get", "name"]]],
    ["behind them", [["give", "get"], ["name"]]],
  ] as const) {
    test(`waits until older changes of the address are made (${how})`, async (t) => {
      const { send, drained, drain, app, names, engine, logged } = await setPeople(t);
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
      await until("it may be taken", async () => (await engine.store.inbox.counts()).ahead === 0);
      await drain();
      assert.deepEqual(names(), [undefined, "Bob"]);
      assert.equal((await engine.store.inbox.counts()).parked.entries, 0);
    });
  }

  test("waits for the name to be given with it, also where nobody has it, or what gives it waits itself", async (t) => {
    const { app, send, drained, drain, names, engine, parked, value } = await setPeople(t);
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
    await until("it may be taken", async () => (await engine.store.inbox.counts()).ahead === 0);
    await drain();
    assert.deepEqual([names(), value("bob", "email")], [["Ana", "Bob"], "new@example.com"]);
    assert.deepEqual(await parked(), ["crm nobody"]);
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
    const { app, send, drain, drained, parked, engine, names } = await setPeople(t);
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
    await until("it may be taken", async () => (await engine.store.inbox.counts()).ahead === 0);
    await drain();
    assert.deepEqual([await parked(), names()], [[], ["Ana", "Bob"]]);
  });
});

test("an event whose name passes on is looked at again the later the longer it has waited", () => {
  assert.deepEqual(
    [0, 10_000, 1_000_000, -5_000].map((agoMs) => passedAt(2_000_000 - agoMs, 2_000_000) - 2_000_000),
    [1_000, 5_000, 60_000, 1_000],
  );
});
