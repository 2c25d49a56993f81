/** How long the pool's answer, who has a name, is believed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openChosenPool, openClients } from "../../src/app/opening.ts";
import { choosePool } from "../../src/config/config.ts";
import { openScope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { setApp } from "../support/app-stage.ts";
import { POOL } from "../support/pool-stage.ts";

test("an answer is believed for a minute, and not where it is older than what asks", async (t) => {
  const app = await setApp(t, { config: `pools: { staff: { id: ${POOL} } }`, pool: { aliasAttributes: ["email"] } });
  app.pool.addUser({ username: "ana", attributes: { email: "ana@example.com", email_verified: "true" } });
  const engine = await app.open();
  const { config, reads } = await app.read();
  const scope = openScope();
  t.after(() => scope.close());
  let aheadMs = 0;
  const store = { ...engine.store, now: async () => (await engine.store.now()) + aheadMs };
  const { signal } = new AbortController();
  const clients = openClients(config, scope);
  const log = createLog("silent");
  const { names } = await openChosenPool(
    { concurrency: 1, log, engine: { ...engine, store }, clients, scope, reads, signal },
    choosePool(config, "staff"),
  );
  const asked = () => app.emulator.counters.operations["ListUsers"]?.calls ?? 0;
  const before = asked();
  const questions: number[] = [];
  const ask = async (options: { readonly since?: number } = {}) => {
    const named = await names.whose("ana@example.com", "email", undefined, options);
    assert.equal(named.is === "one" && named.username, "ana");
    questions.push(asked() - before);
  };
  await ask();
  await ask();
  await ask({ since: (await store.now()) + 1 });
  aheadMs = 59_000;
  await ask();
  aheadMs = 61_000;
  await ask();
  assert.deepEqual(questions, [1, 1, 2, 2, 3]);
});
