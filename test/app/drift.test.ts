import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import { setApp } from "../support/app-stage.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

describe("drift", () => {
  test("is none where an older row of the file is what the pool has, and a newer one is still to be written", async (t) => {
    const feed = `pool: ${POOL}, username: u, version: { column: at }, attributes: { family_name: name }`;
    const app = await setApp(t, { config: `feeds: { hr: { ${feed} } }\n` });
    addUsers(app.pool, 2);
    const first = await app.sync(await app.file("u,name,at\nu1,Doe,2026-01-01T00:00:00Z\n"), { feed: "hr" });
    assert.ok(isComplete(first));
    const newer = "u,name,at\nu1,Doe,2026-01-01T00:00:00Z\nu1,Roe,2026-01-02T00:00:00Z\n";
    const { sum } = await app.drift(await app.file(newer), { feed: "hr" });
    assert.deepEqual([sum.compared, sum.drifted], [1, 0]);
  });
});
