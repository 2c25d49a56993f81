import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/** What every store must do with what was there before a run. */
export function beforeImagesSuite(name: string, open: Open, time: Time): void {
  describe(`what was there before: ${name}`, () => {
    const suite = openForSuite(open, time);
    const DAY_MS = 86_400_000;
    const read = async (run: string) =>
      (await Array.fromAsync(suite.store.beforeImages.read(run)))
        .map(({ unit, body }) => `${unit}: ${body}`)
        .toSorted();

    test("is kept by run, and a unit's first text stays", async () => {
      const { beforeImages } = suite.store;
      const [run, other] = [suite.fresh("run"), suite.fresh("run")];
      assert.deepEqual(await read(run), []);
      await beforeImages.keep(
        run,
        [
          { unit: "ann", body: "ann 1" },
          { unit: "bob", body: "bob 1" },
        ],
        DAY_MS,
      );
      await beforeImages.keep(
        run,
        [
          { unit: "ann", body: "ann 2" },
          { unit: "cem", body: "cem 2" },
        ],
        DAY_MS,
      );
      await beforeImages.keep(other, [{ unit: "ann", body: "ann 3" }], DAY_MS);
      assert.deepEqual(await read(run), ["ann: ann 1", "bob: bob 1", "cem: cem 2"]);
      assert.deepEqual(await read(other), ["ann: ann 3"]);
    });

    test("is read whole, whatever it comes to", async () => {
      const run = suite.fresh("run");
      const many = Array.from({ length: 1200 }, (_, nth) => ({ unit: `user ${nth}`, body: `body ${nth}` }));
      await suite.store.beforeImages.keep(run, many, DAY_MS);
      assert.deepEqual(await read(run), many.map(({ unit, body }) => `${unit}: ${body}`).toSorted());
    });

    test("is gone after its time", async () => {
      const run = suite.fresh("run");
      await suite.store.beforeImages.keep(run, [{ unit: "ann", body: "x" }], 50);
      await suite.passes(100);
      await suite.becomes(async () => (await read(run)).length === 0);
    });
  });
}
