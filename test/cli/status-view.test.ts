import assert from "node:assert/strict";
import { test } from "node:test";
import type { NamespaceStatus } from "../../src/app/status.ts";
import { EMPTY_BOOKS } from "../../src/core/books.ts";
import { statusText } from "../../src/views/status.ts";

const HOUR_MS = 3_600_000;

function statusOf(pace: NamespaceStatus["pools"][number]["pace"]): NamespaceStatus {
  const listPace = {
    ratePerSecond: 7.5,
    ceilingPerSecond: 20,
    lastCutAt: new Date(Date.now() - HOUR_MS).toISOString(),
  };
  return {
    engine: "redis",
    withoutAof: false,
    forgottenRuns: [],
    pools: [{ pool: "eu-west-1_AbCdEfGhI", endpoint: "host", due: 1234, queue: { active: 10 }, pace, listPace }],
    workers: [{ does: "delivery", pool: "eu-west-1_AbCdEfGhI", process: "host:1" }],
    schedules: [],
    deadLetters: {},
    holds: [],
    pauses: [],
    runs: [],
    damaged: 0,
    books: { ...EMPTY_BOOKS },
    balanced: true,
  };
}

for (const width of [60, 100]) {
  test(`a terminal of ${width} columns is shown both paces of a pool, each with its ceiling and last cut`, () => {
    const text = statusText(statusOf({ ratePerSecond: 20, ceilingPerSecond: 20 }), width, () => "");
    const lines = text.split("\n");
    assert.ok(
      lines.every((line) => line.length <= width),
      text,
    );
    const [title, ...rows] = lines.slice(lines.findIndex((line) => line.startsWith("PACE")));
    assert.match(title ?? "", /^PACE +CALLS\/S +SLOWED +LOOKS\/S +SLOWED$/);
    assert.match(rows[0] ?? "", /^eu-west-1_AbC\S+ +20 of 20 +never +7\.5 of 20 +1h$/);
    assert.match(text, /^POOL +DUE USERS +WAITING +ACTIVE +DELAYED\n\S+ +1,234 +0 +10 +0$/m);
  });
}
