/** A flood of events at the terminal: commands in the test's process, on a store that others have open as well. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runGate } from "../../src/core/gate.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { keepAlive } from "../../src/delivery/worker-lease.ts";
import { eventStage } from "../app/event-stage.ts";
import { until } from "../support/condition.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";
import { runCommand } from "./command-run.ts";

const FLOOD = `
  pools: { staff: { id: ${POOL} } }
  guards: { events: { people: 2 } }
  feeds:
    crm:
      pool: staff
      username: user
      attributes: { given_name: first, locale: lang }
      events: { scheme: none }
`;

test("a flood is shown with masked values, joined by what is replayed, approved, and told of in between", async (t) => {
  const { app, engine, drain, drainer, send } = await eventStage(t, { config: FLOOD });
  addUsers(app.pool, 5);
  const poolsync = (...words: readonly string[]) =>
    runCommand([...words, "--config", app.at("poolsync.yaml")], { environment: app.environment });
  const { inbox, runs } = engine.store;
  const put = async (...drainers: readonly ReturnType<typeof drainer>[]) => {
    await until("nothing waits", async () => {
      const { waiting, taken } = await inbox.counts();
      return waiting + taken === 0;
    });
    for (const one of drainers) await one.close();
  };
  const change = (nth: number) => send("crm", { user: `u${nth}`, first: `Secret${nth}`, lang: "de-secret" });
  await change(4);
  const token = { token: "parking", leaseMs: 60_000, limit: 1, maxBytes: 10_000 };
  const { entries } = await inbox.take(token.token, token);
  await inbox.park({ ...token, ids: entries.map(({ id }) => id) }, "nobody");
  for (let nth = 0; nth < 4; nth++) await change(nth);
  await put(drainer());
  const [run] = (await runs.list(9)).filter(({ state }) => state === "needs-approval");
  assert.ok(run);

  const shown = await poolsync("runs", "show", run.id);
  assert.equal(shown.code, EXIT.done, shown.stderr);
  assert.doesNotMatch(shown.stdout, /ecret/);
  assert.match(shown.stdout, /Events would change 3 people within 10m, and the guard lets 2 people through\./);
  assert.match(shown.stdout, / 4 values of 2 people wait\./);
  assert.match(shown.stdout, /^given_name +2 +–\nlocale +2 +d\*\*\* +2$/m);
  assert.match(shown.stdout, /^u\d +given_name +S\*\*\*$/m);
  assert.match((await poolsync("runs", "show", run.id, "--show-values")).stdout, /^locale +2 +de-secret +2$/m);
  const page = await poolsync("runs", "show", run.id, "--html", app.at("page.html"));
  assert.match(page.stderr, /is of events, and has no plan: `poolsync runs show r-\S+/);
  assert.match((await poolsync("status")).stdout, /Events of crm have waited for an approval since /);
  assert.match((await poolsync("runs")).stdout, /1 run waits for an approval/);
  assert.equal((await poolsync("runs", "wait", run.id)).code, EXIT.guarded);

  const lease = keepAlive(engine.store, { does: "events" });
  t.after(() => lease.end());
  await until("it is alive", async () => (await engine.store.workers.list()).length > 0);
  const draining = drainer();
  const timer = setInterval(() => draining.wake(), 50);
  const replayed = await poolsync("dead", "replay", "--kind", "event");
  clearInterval(timer);
  await draining.close();
  assert.match(replayed.stdout, /^Events of crm wait for an approval, and so do these: `poolsync runs show r-/m);
  assert.equal(await engine.store.gates.kept(runGate(run.id)), 3);

  const approved = await poolsync("runs", "approve", run.id);
  assert.match(approved.stdout, /goes on\. 3 users are due again, and no worker of\s+eu-west-1_Example is\s+alive/);
  const again = await poolsync("runs", "approve", run.id);
  assert.equal(again.code, EXIT.failed);
  assert.match(again.stderr, /is delivering, and waits for no approval/);
  await drain();
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((nth) => app.pool.user(`u${nth}`)?.attributes["given_name"]),
    ["Secret0", "Secret1", "Secret2", "Secret3", "Secret4"],
  );
  assert.match((await poolsync("runs", "show", run.id)).stdout, /State: delivered\./);
});
