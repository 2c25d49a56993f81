import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FIRST_PROBE_MS, LONGEST_PROBE_MS } from "../../src/store/holds.ts";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/** What every store must do with holds. */
export function holdSuite(name: string, open: Open, time: Time): void {
  describe(`holds: ${name}`, () => {
    const suite = openForSuite(open, time);

    test("a pool without a hold is free", async () => {
      assert.deepEqual(await suite.store.holds.ask(suite.fresh("pool"), "pool"), { is: "free" });
    });

    test("a hold is placed once, and the first kind stays", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      const placed = await Promise.all([1, 2, 3].map(() => holds.place(pool, "pool", "pool-not-found")));
      assert.equal(placed.filter(Boolean).length, 1);
      assert.equal(await holds.place(pool, "pool", "access-denied"), false);
      const answer = await holds.ask(pool, "pool");
      assert.ok(answer.is === "held");
      assert.equal(answer.hold.kind, "pool-not-found");
    });

    test("says since when it is there and when it is tried first", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      await holds.place(pool, "contacts", "sms-role");
      const answer = await holds.ask(pool, "contacts");
      assert.ok(answer.is === "held");
      const { kind, scope, since, probeAt, probeEveryMs } = answer.hold;
      assert.deepEqual([answer.hold.pool, scope, kind], [pool, "contacts", "sms-role"]);
      assert.equal(probeAt - since, FIRST_PROBE_MS);
      assert.equal(probeEveryMs, FIRST_PROBE_MS);
      assert.ok(answer.retryInMs > 0 && answer.retryInMs <= FIRST_PROBE_MS);
    });

    test("pools and scopes are held one by one", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      await holds.place(pool, "contacts", "sms-role");
      assert.deepEqual(await holds.ask(pool, "pool"), { is: "free" });
      assert.deepEqual(await holds.ask(suite.fresh("pool"), "contacts"), { is: "free" });
      assert.equal(await holds.lift(pool, "pool"), false);
      assert.equal((await holds.ask(pool, "contacts")).is, "held");
    });

    test("one of several who ask at its time gets the probe, and the next is twice as far away", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      await holds.place(pool, "pool", "pool-not-found");
      await suite.passes(FIRST_PROBE_MS);
      const answers = await Promise.all([1, 2, 3, 4].map(() => holds.ask(pool, "pool")));
      assert.deepEqual(answers.map(({ is }) => is).toSorted(), ["held", "held", "held", "probe"]);
      for (const answer of answers) {
        if (answer.is !== "held") continue;
        assert.ok(answer.retryInMs > FIRST_PROBE_MS && answer.retryInMs <= 2 * FIRST_PROBE_MS);
      }
    });

    suite.hours("probes move away up to ten minutes", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      await holds.place(pool, "pool", "pool-not-found");
      let waitMs = FIRST_PROBE_MS;
      for (let probe = 0; probe < 10; probe += 1) {
        await suite.passes(waitMs - 1);
        assert.equal((await holds.ask(pool, "pool")).is, "held");
        await suite.passes(1);
        assert.equal((await holds.ask(pool, "pool")).is, "probe");
        waitMs = Math.min(LONGEST_PROBE_MS, waitMs * 2);
        const answer = await holds.ask(pool, "pool");
        assert.ok(answer.is === "held");
        assert.equal(answer.retryInMs, waitMs);
      }
      assert.equal(waitMs, LONGEST_PROBE_MS);
    });

    test("a hold that is lifted is gone, and a later one begins anew", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      await holds.place(pool, "pool", "pool-not-found");
      if (suite.movesTime) {
        await suite.passes(FIRST_PROBE_MS);
        await holds.ask(pool, "pool");
      }
      assert.equal(await holds.lift(pool, "pool"), true);
      assert.equal(await holds.lift(pool, "pool"), false);
      assert.deepEqual(await holds.ask(pool, "pool"), { is: "free" });
      assert.equal(await holds.place(pool, "pool", "access-denied"), true);
      const answer = await holds.ask(pool, "pool");
      assert.ok(answer.is === "held");
      assert.deepEqual([answer.hold.kind, answer.hold.probeEveryMs], ["access-denied", FIRST_PROBE_MS]);
    });

    test("all that are there are listed", async () => {
      const { holds } = suite.store;
      const pool = suite.fresh("pool");
      await holds.place(pool, "pool", "pool-not-found");
      await holds.place(pool, "contacts", "email-role");
      const mine = (await holds.list()).filter((hold) => hold.pool === pool);
      assert.deepEqual(mine.map(({ scope, kind }) => `${scope} ${kind}`).toSorted(), [
        "contacts email-role",
        "pool pool-not-found",
      ]);
    });
  });
}
