/** Events on their way from the inbox to users. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createAccept } from "../../src/app/events/accept-event.ts";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import { choosePool } from "../../src/config/config.ts";
import type { Pool } from "../../src/delivery/pool.ts";
import { openScope } from "../../src/lifecycle.ts";
import { openChosenPool, openClients } from "../../src/app/opening.ts";
import { setApp } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { POOL } from "../support/pool-stage.ts";

const CONFIG = `
  pools: { staff: { id: ${POOL} } }
  guards: { protectUsers: [root], protectAttributes: [nickname] }
  feeds:
    crm:
      pool: staff
      username: user
      version: at
      attributes: { given_name: first, family_name: last, nickname: nick }
      events: { scheme: none }
    hr:
      pool: staff
      username: id
      attributes: { name: first }
      events: { scheme: standard-webhooks, secret: HR_SECRET, records: "employees[*]", username: { column: mail, is: email } }
`;
const LIMITS = { entries: 1_000, bytes: 10_000_000 };

async function stage(t: TestContext, options: Parameters<typeof setApp>[1] = {}) {
  const app = await setApp(t, { config: CONFIG, pool: { aliasAttributes: ["email"] }, ...options });
  const engine = await app.open();
  const lines: [string, object][] = [];
  const note = (fields: object, message: string): void => void lines.push([message, fields]);
  const { config, log: silent, reads } = await app.read();
  const log = Object.assign(Object.create(silent), { info: note, warn: note, error: note });
  const accept = createAccept({ engine, log, limits: LIMITS });
  const scope = openScope();
  t.after(() => scope.close());
  const { inbox, runs } = engine.store;
  const drainer = () => {
    const within = openScope();
    const clients = openClients(config, within);
    const deps = { concurrency: config.concurrency, log, engine, clients, scope: within, reads };
    const chosen = choosePool(config, "staff");
    let opening: Promise<Pool> | undefined;
    const poolOf = () => (opening ??= openChosenPool({ ...deps, signal: new AbortController().signal }, chosen));
    const drains = within.defer(startDrainer({ engine, config, poolOf, log }), (one) => one.close());
    return { ...drains, close: () => within.close() };
  };
  return {
    app,
    engine,
    lines,
    accept,
    drainer,
    send: (feed: string, body: unknown, more: { id?: string; signedAtMs?: number; contentType?: string } = {}) =>
      accept(feed, {
        id: more.id,
        signedAtMs: more.signedAtMs,
        scheme: "none",
        body: typeof body === "string" ? Buffer.from(body) : Buffer.from(JSON.stringify(body)),
        contentType: more.contentType ?? "application/json",
      }),
    /** Drains until nothing may be taken, and delivers. */
    async drain(): Promise<void> {
      const one = drainer();
      await until("nothing waits", async () => {
        const { waiting, taken } = await inbox.counts();
        return waiting + taken === 0;
      });
      await one.close();
      await app.deliver();
    },
    parked: async () =>
      (await Array.fromAsync(inbox.parked({}))).map(({ feed, reason }) => `${feed} ${reason}`).toSorted(),
    eventRuns: async () => (await runs.list(100)).filter(({ source }) => source === "events"),
    async value(username: string, name = "given_name") {
      return app.pool.user(username)?.attributes[name];
    },
  };
}

const AT = "2026-01-31T18:42:00Z";

for (const engine of ["Redis", "embedded"] as const) {
  const options = engine === "Redis" ? {} : { putData: (dir: string) => putMadeDirectory(dir) };
  describe(`an event (${engine})`, () => {
    test("reaches its user, and counts once however often it comes", async (t) => {
      const { app, send, drain, value, eventRuns, engine: opened } = await stage(t, options);
      app.pool.addUser({ username: "ana", attributes: { given_name: "Old" } });
      const body = { user: "ana", first: "Ana", at: AT };
      assert.equal(await send("crm", body, { id: "1" }), "accepted");
      assert.equal(await send("crm", body, { id: "1" }), "accepted");
      await drain();
      assert.equal(await send("crm", body, { id: "1" }), "accepted");
      await drain();
      assert.equal(await value("ana"), "Ana");
      const runs = await eventRuns();
      assert.deepEqual(
        runs.map(({ feed, state, rows }) => [feed, state, rows]),
        [["crm", "reading", { read: 1, faulty: 0 }]],
      );
      const books = await opened.store.runs.books(runs[0]?.id ?? "");
      assert.deepEqual([books.received, books.applied, books.pending], [1, 1, 0]);
    });
  });
}
