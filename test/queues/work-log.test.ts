/** What the log says of the work of a minute: how many users and units, and no names. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { createWorkLog } from "../../src/delivery/work-log.ts";

test("what was done is told once a minute, and nothing of a minute without work", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false, level: "info" }, { write: (line) => void lines.push(line) });
  const told = (): unknown[] => lines.splice(0).map((line): unknown => JSON.parse(line));
  const work = createWorkLog(log, "pool");
  const version = "1";
  const again = { is: "retry", version, at: 0, counts: "nothing", fateUnknown: false } as const;
  work.add("ann", { email: again });
  work.add("ann", { email: { is: "applied", version }, name: { is: "unchanged", version } });
  work.add("bob", {
    name: { is: "bury", version, letter: "1", kind: "gave-up", reason: "exhausted", fateUnknown: false },
  });
  assert.deepEqual(told(), []);
  t.mock.timers.tick(60_000);
  const counts = { users: 2, applied: 1, unchanged: 1, again: 1, buried: 1 };
  assert.deepEqual(told(), [{ level: 30, pool: "pool", ...counts, msg: "delivered" }]);
  t.mock.timers.tick(120_000);
  assert.deepEqual(told(), []);
  work.add("bob", { name: { is: "applied", version } });
  work.close();
  const [last] = told();
  assert.deepEqual(last, {
    level: 30,
    pool: "pool",
    users: 1,
    applied: 1,
    unchanged: 0,
    again: 0,
    buried: 0,
    msg: "delivered",
  });
});
