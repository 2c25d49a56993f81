import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/** What every store must do with reservations. */
export function reservationSuite(name: string, open: Open, time: Time): void {
  describe(`reservations: ${name}`, () => {
    const suite = openForSuite(open, time);
    const LONG_MS = 20_000;

    test("one of several who ask at once gets it, and the others hear how long it is held", async () => {
      const { reservations } = suite.store;
      const pool = suite.fresh("pool");
      const answers = await Promise.all(
        ["ann", "bob", "cem"].map((user) => reservations.take(pool, "alias", user, LONG_MS)),
      );
      assert.deepEqual(answers.map(({ is }) => is).toSorted(), ["held", "held", "taken"]);
      for (const answer of answers) {
        if (answer.is === "held") assert.ok(answer.retryInMs > 0 && answer.retryInMs <= LONG_MS);
      }
    });

    test("who has it has it anew, from the time of the second asking", async () => {
      const { reservations } = suite.store;
      const pool = suite.fresh("pool");
      assert.deepEqual(await reservations.take(pool, "alias", "ann", 200), { is: "taken" });
      assert.deepEqual(await reservations.take(pool, "alias", "ann", LONG_MS), { is: "taken" });
      await suite.passes(250);
      const answer = await reservations.take(pool, "alias", "bob", LONG_MS);
      assert.ok(answer.is === "held" && answer.retryInMs > 1000);
    });

    test("pools and aliases are reserved one by one", async () => {
      const { reservations } = suite.store;
      const pool = suite.fresh("pool");
      await reservations.take(pool, "alias", "ann", LONG_MS);
      assert.deepEqual(await reservations.take(pool, "other", "bob", LONG_MS), { is: "taken" });
      assert.deepEqual(await reservations.take(suite.fresh("pool"), "alias", "bob", LONG_MS), { is: "taken" });
    });

    test("it ends by itself", async () => {
      const { reservations } = suite.store;
      const pool = suite.fresh("pool");
      await reservations.take(pool, "alias", "ann", 100);
      await suite.passes(150);
      assert.deepEqual(await reservations.take(pool, "alias", "bob", LONG_MS), { is: "taken" });
    });

    test("its user can give it back, and nobody else", async () => {
      const { reservations } = suite.store;
      const pool = suite.fresh("pool");
      await reservations.take(pool, "alias", "ann", LONG_MS);
      await reservations.release(pool, "alias", "bob");
      assert.equal((await reservations.take(pool, "alias", "bob", LONG_MS)).is, "held");
      await reservations.release(pool, "alias", "ann");
      assert.deepEqual(await reservations.take(pool, "alias", "bob", LONG_MS), { is: "taken" });
      await reservations.release(pool, "alias", "ann");
      assert.equal((await reservations.take(pool, "alias", "ann", LONG_MS)).is, "held");
    });

    test("is told of, with who has it and until when, and no longer once it has ended", async () => {
      const { reservations } = suite.store;
      const pool = suite.fresh("pool");
      assert.equal(await reservations.holder(pool, "alias"), undefined);
      await reservations.take(pool, "alias", "ann", 200);
      const held = await reservations.holder(pool, "alias");
      assert.ok(held?.holder === "ann" && held.endsInMs > 0 && held.endsInMs <= 200);
      assert.equal(await reservations.holder(pool, "other"), undefined);
      await suite.passes(250);
      assert.equal(await reservations.holder(pool, "alias"), undefined);
    });
  });
}
