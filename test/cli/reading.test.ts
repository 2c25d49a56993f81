import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { describe, test } from "node:test";
import { createPlanningLine } from "../../src/cli/planning-line.ts";
import type { Reading } from "../../src/core/pool-reading.ts";
import { readingSentence } from "../../src/views/reading.ts";

describe("before a pool is read, a plan says", () => {
  const table: readonly (readonly [Reading, number, string | undefined])[] = [
    [{ is: "looks", calls: 1900 }, 1900, "Looks at 1,900 users one by one, about 1m 35s at 20 a second."],
    [
      { is: "looks", calls: 2000 },
      1900,
      "Looks at 1,900 users one by one, about 1m 40s at 20 a second at most (2,000 calls).",
    ],
    [{ is: "scan", calls: 84 }, 5000, "Reads the whole pool: 84 pages, about 4s at 20 a second."],
    [{ is: "scan" }, 5000, "Reads the whole pool, whose size it does not say."],
    [{ is: "scan", calls: 59 }, 5000, undefined],
    [{ is: "looks", calls: 59 }, 59, undefined],
  ];
  for (const [reading, named, sentence] of table) {
    test(sentence ?? `nothing of ${reading.calls} calls`, () =>
      assert.equal(readingSentence({ is: "reading", reading, named, perSecond: 20 }), sentence),
    );
  }

  test("it once, on stderr, also where nobody sits at a terminal", () => {
    let said = "";
    const output = new Writable({ write: (chunk, _encoding, done) => ((said += String(chunk)), done()) });
    const { signal } = new AbortController();
    const interrupts = { drain: signal, abort: signal };
    const line = createPlanningLine({ stdin: Readable.from([]), stdout: output, stderr: output, interrupts }, false);
    line.observe({ is: "rows", read: 1000 });
    line.observe({ is: "reading", reading: { is: "scan", calls: 84 }, named: 5000, perSecond: 20 });
    line.observe({ is: "users", read: 60 });
    line.clear();
    assert.equal(said, "Reads the whole pool: 84 pages, about 4s at 20 a second.\n");
  });
});
