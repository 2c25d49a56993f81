import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { explainUser } from "../../src/app/users/explain.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { createProducer } from "../../src/delivery/producer.ts";
import { PROFILE } from "../support/pool-profile.ts";
import { onePool, POOL } from "./command-run.ts";

const DAY_MS = 86_400_000;

const ANN = { is: "one", username: "ann", person: {}, by: "username" } as const;

test("explain goes by the store's clock, whatever that of its own machine says", async (t) => {
  const { emulator, pool, directory } = await onePool(t);
  pool.addUser({ username: "ann", attributes: { given_name: "Ann" } });
  const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 1 });
  const engine = await openEngine({ dataDir: join(directory, "data"), namespace: "test" });
  t.after(async () => {
    cognito.close();
    await engine.close();
  });
  const { mailboxes, runs } = engine.store;
  const run = (await runs.direct(POOL)).id;
  const producer = createProducer({ engine, profile: PROFILE, run, priority: 0 });
  const change = { username: "ann", units: [{ name: "given_name", value: { kind: "text", text: "Anna" } }] } as const;
  await producer.put([change], { invalid: 0, rows: { read: 0, faulty: 0 }, quietly: true });
  const user = producer.userKey("ann");
  const claimed = await mailboxes.claim(user, "token", 60_000);
  assert.ok(claimed.is === "claimed");
  const version = claimed.units["given_name"]?.version ?? "";
  const retry = { is: "retry", version, at: DAY_MS / 2, counts: "attempt", fateUnknown: false } as const;
  await mailboxes.settle(user, "token", { given_name: retry }, 60_000);

  const pendingBy = async (aheadMs: number) => {
    const store = { ...engine.store, now: async () => (await engine.store.now()) + aheadMs };
    const deps = { engine: { ...engine, store }, cognito, profile: PROFILE, reads: { withinMs: 5_000 } };
    return (await explainUser({ ...deps, name: "ann", signal: t.signal }, ANN, undefined)).pending.map(
      ({ notBefore }) => notBefore,
    );
  };
  assert.match((await pendingBy(0))[0] ?? "", /^\d{4}-/);
  assert.deepEqual(await pendingBy(DAY_MS), [undefined]);
});
