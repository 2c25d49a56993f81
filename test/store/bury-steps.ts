/** The same fault again and again: a step of the model test. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ordinalText } from "../../src/core/version.ts";
import { claimBoth, command, LEASE_MS, POOLS, RUNS, settleBoth } from "./model-step.ts";

/** A value is put and refused, as the same row of a file is night after night: that is the same letter each time. */
export const buryAgain = fc
  .array(
    fc.record({ run: fc.constantFrom(...RUNS), word: fc.constantFrom("x", "y"), atMs: fc.constantFrom(0, -1, -9) }),
    {
      minLength: 2,
      maxLength: 4,
    },
  )
  .chain((nights) =>
    command(
      `bury ${nights.map(({ run, word, atMs }) => `${word}@${atMs} by ${run}`).join(", ")}`,
      async (model, store, real) => {
        const { mailboxes, runs } = model.memory.store;
        for (const { run, word, atMs } of nights) {
          if ((await runs.get(run))?.state === "cancelled") continue;
          const ordinal = ordinalText({ timeMs: model.memory.clock.nowMs + atMs, sequence: 0 });
          const units = [{ name: "given_name", digest: word, body: word, ordinal }];
          const changes = [{ user: "ann", username: "p:ann", units }];
          const page = { pool: POOLS[0], run, priority: 10, changes, invalid: 0, rows: { read: 1, faulty: 0 } };
          assert.deepEqual(await store.mailboxes.put(page), await mailboxes.put(page));
          model.buried.add("ann given_name");
          const claimed = await claimBoth(model, store, real, { user: "ann", leaseMs: LEASE_MS, selection: {} });
          const flight = model.flights.at(-1);
          if (claimed.is !== "claimed" || !flight) continue;
          const fault = { is: "bury", kind: "gave-up", reason: "Because", fateUnknown: false } as const;
          const buried = Object.entries(flight.units).map(([unit, { version, account = "" }]) => {
            return [unit, { ...fault, version, letter: `ann.${unit}.${account}` }] as const;
          });
          await settleBoth(model, store, flight, Object.fromEntries(buried));
        }
      },
    ),
  );
