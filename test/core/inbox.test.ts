import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { admit, DRAIN_LEAD_MS, drainTime, MAX_WAIT_MS, type ArrivingBatch } from "../../src/core/inbox.ts";
import { MAX_LEAD_MS, ordinalText } from "../../src/core/version.ts";

const NOW = 1_800_000_000_000;

describe("what the inbox takes in", () => {
  const batch = (ids: string, entries = 10, bytes = 100): ArrivingBatch => ({
    entries: [...ids].map((id) => ({ id, bytes: 10 })),
    limits: { entries, bytes },
  });
  /** `+` added, a time repeated. */
  const shown = (batches: readonly ArrivingBatch[], known: Record<string, number> = {}, entries = 0) =>
    admit(batches, new Map(Object.entries(known)), { entries, bytes: 10 * entries }, NOW).map((answer) =>
      answer === "full" ? answer : answer.map((one) => (one.is === "added" ? "+" : NOW - one.arrivedAt)).join(" "),
    );

  const CASES: Readonly<Record<string, readonly [shown: readonly string[], said: readonly string[]]>> = {
    "what is new": [shown([batch("ab"), batch("c")]), ["+ +", "+"]],
    "nothing of no entries": [shown([batch("", 0, 0)]), [""]],
    "once what comes twice in a batch": [shown([batch("aba")]), ["+ + 0"]],
    "once what comes in two batches": [shown([batch("ab"), batch("ca")]), ["+ +", "+ 0"]],
    "what came before, with its time": [shown([batch("ab")], { b: NOW - 7 }), ["+ 7"]],
    "as many as the limit": [shown([batch("ab", 4, 40)], {}, 2), ["+ +"]],
    "no batch that is too many, and the next that is not": [
      shown([batch("abc", 4), batch("ab", 4)], {}, 2),
      ["full", "+ +"],
    ],
    "no batch of too many bytes": [shown([batch("a", 10, 30), batch("b", 10, 30)], {}, 2), ["+", "full"]],
    "what came before where it is full": [shown([batch("a", 0, 0)], { a: NOW - 1 }, 5), ["1"]],
    "again what a full batch could not bring": [shown([batch("ab", 1), batch("a", 1)]), ["full", "+"]],
    "a repeat in a batch without counting it": [shown([batch("aab", 2, 20)]), ["+ 0 +"]],
  };
  for (const [what, [answers, said]] of Object.entries(CASES)) test(what, () => assert.deepEqual(answers, said));
});

describe("when an event may be drained", () => {
  const at = (timeMs: number) => drainTime(ordinalText({ timeMs, sequence: 3 }), NOW);
  const CASES: Readonly<Record<string, readonly [leadMs: number, said: ReturnType<typeof drainTime>]>> = {
    "an old one at once": [-MAX_WAIT_MS, { is: "now" }],
    "one of a second less than a put takes at once": [MAX_LEAD_MS - 1_000, { is: "now" }],
    "one further ahead once it is that near": [MAX_LEAD_MS, { is: "later", notBefore: NOW + 1_000 }],
    "one a day ahead as well": [MAX_WAIT_MS, { is: "later", notBefore: NOW + MAX_WAIT_MS - DRAIN_LEAD_MS }],
    "one beyond a day never": [MAX_WAIT_MS + 1, { is: "ahead" }],
  };
  for (const [what, [leadMs, said]] of Object.entries(CASES)) {
    test(what, () => assert.deepEqual(at(NOW + leadMs), said));
  }
});
