import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/** What every store must do with workers that are alive. */
export function workerSuite(name: string, open: Open, time: Time): void {
  describe(`workers that are alive: ${name}`, () => {
    const suite = openForSuite(open, time);
    const LONG_MS = 20_000;

    test("are listed until they end, or have not said so for as long as they said", async () => {
      const { workers } = suite.store;
      const pool = suite.fresh("pool");
      const deliverer = { does: "delivery", pool, process: "desk:1" } as const;
      const replayer = { does: "replays", process: "desk:2" } as const;
      const processes = async (): Promise<readonly string[]> =>
        (await workers.list()).map((worker) => worker.process).toSorted();
      await workers.renew("one", deliverer, 200);
      await workers.renew("two", replayer, 200);
      await workers.renew("three", { does: "schedules", process: "desk:3" }, LONG_MS);
      assert.deepEqual(await processes(), ["desk:1", "desk:2", "desk:3"]);
      await workers.renew("one", deliverer, LONG_MS);
      await workers.end("three");
      await suite.passes(250);
      assert.deepEqual(await workers.list(), [deliverer]);
      await workers.renew("two", replayer, LONG_MS);
      assert.deepEqual(await processes(), ["desk:1", "desk:2"]);
      for (const id of ["one", "two"]) await workers.end(id);
    });
  });
}
