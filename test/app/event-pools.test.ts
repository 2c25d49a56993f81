/** The pools of a process that takes events into a data directory, and delivers there as well. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { openEventPools } from "../../src/app/events/event-pools.ts";
import { openClients } from "../../src/app/opening.ts";
import { openScope } from "../../src/lifecycle.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";
import { eventStage } from "./event-stage.ts";

async function stageOf(t: TestContext) {
  const { app, engine, config, log, logged } = await eventStage(t, { putData: putMadeDirectory });
  addUsers(app.pool, 1);
  const scope = openScope();
  t.after(() => scope.close());
  const drain = new AbortController();
  const interrupts = { drain: drain.signal, abort: new AbortController().signal };
  const clients = await openClients(config, scope);
  return {
    app,
    engine,
    drain,
    logged,
    open: (on: Engine = engine) => {
      const pools = openEventPools({ config, log, engine: on, clients, interrupts }, [POOL]);
      return scope.defer(pools, (opened) => opened.close());
    },
    has: () => app.pool.user("u0")?.attributes["given_name"],
  };
}

describe("a pool that events are for", () => {
  test("is not delivered to by who was interrupted while it was opened", async (t) => {
    const { app, engine, drain, open, has } = await stageOf(t);
    await app.queue("u0", { given_name: "New" });
    const asked = Promise.withResolvers<void>();
    const goesOn = Promise.withResolvers<void>();
    const letters: Engine["store"]["letters"] = {
      ...engine.store.letters,
      async *list(...given) {
        asked.resolve();
        await goesOn.promise;
        yield* engine.store.letters.list(...given);
      },
    };
    const pools = open({ ...engine, store: { ...engine.store, letters } });
    await asked.promise;
    drain.abort();
    const closing = pools.close();
    goesOn.resolve();
    await closing;
    await pools.of(POOL);
    assert.equal(pools.deliveries.size, 0);
    assert.equal(has(), "Old");
  });

  test("is delivered to no more as soon as Cognito refuses to describe it", async (t) => {
    const { app, open, logged } = await stageOf(t);
    const before = open();
    await before.of(POOL);
    await before.close();
    const fails = (error: "InternalErrorException" | "AccessDeniedException") =>
      void app.emulator.faults.add({ operation: "DescribeUserPool", error });
    fails("InternalErrorException");
    const pools = open();
    await pools.of(POOL);
    assert.equal(pools.deliveries.size, 1);
    const [delivery] = pools.deliveries;
    app.emulator.faults.clear();
    fails("AccessDeniedException");
    await until("it has ended", () => pools.deliveries.size === 0 && delivery?.ready === false, 20_000);
    // It is asked on.
    await until("that is told", () => /pool cannot be opened yet/.test(logged()), 20_000);
    await assert.rejects(pools.of(POOL), { kind: "access-denied" });
  });
});
