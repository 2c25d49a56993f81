import assert from "node:assert/strict";
import { test } from "node:test";
import { age, count, counted, duration } from "../../src/core/amounts.ts";

const MINUTE = 60_000;

test("numbers and times are said as people read them", () => {
  assert.equal(count(1_234_567), "1,234,567");
  assert.deepEqual(
    [0, 45_400, 200_000, 125 * MINUTE].map((ms) => duration(ms)),
    ["0s", "45s", "3m 20s", "2h 05m"],
  );
  assert.deepEqual(
    [-5, 3 * MINUTE, 5 * 60 * MINUTE, 12 * 24 * 60 * MINUTE].map((ms) => age(ms)),
    ["now", "3m", "5h", "12d"],
  );
  assert.equal(counted(1, "row"), "1 row");
  assert.equal(counted(2_000, "row"), "2,000 rows");
  assert.equal(counted(1, "change stays", "changes stay"), "1 change stays");
  assert.equal(counted(0, "change stays", "changes stay"), "0 changes stay");
});
