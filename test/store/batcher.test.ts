import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createBatcher, tripsOf } from "../../src/store/batcher.ts";

describe("trips", () => {
  const cases: readonly { name: string; items: string; most: number; trips: readonly string[] }[] = [
    { name: "are none of nothing", items: "", most: 3, trips: [] },
    { name: "take all that fits, in its order", items: "cab", most: 3, trips: ["cab"] },
    { name: "take no more than they may", items: "abcdefg", most: 3, trips: ["abc", "def", "g"] },
    { name: "never have two about the same", items: "aab", most: 3, trips: ["ab", "a"] },
    { name: "keep what is about the same in its order", items: "aaba", most: 3, trips: ["ab", "a", "a"] },
    { name: "that are full put off what is about the same as well", items: "abcab", most: 2, trips: ["ab", "ca", "b"] },
  ];
  for (const { name, items, most, trips } of cases) {
    test(name, () => {
      const numbered = Array.from(items, (whom, index) => ({ whom, index }));
      const gone = tripsOf(numbered, most, ({ whom }) => whom);
      assert.deepEqual(
        gone.map((trip) => trip.map(({ whom }) => whom).join("")),
        trips,
      );
      for (const whom of new Set(items)) {
        const order = gone.flat().filter((item) => item.whom === whom);
        assert.deepEqual(
          order,
          numbered.filter((item) => item.whom === whom),
        );
      }
    });
  }
});

describe("a gathering", () => {
  /** Requests are words, about their first letter; each is answered by the test. */
  function open(maxSize = 50) {
    const trips: { words: readonly string[]; answer: (answers: readonly (string | Error)[]) => void }[] = [];
    const refusals: ((reason: Error) => void)[] = [];
    const ask = createBatcher<string, string>({
      maxSize,
      keyOf: (word) => word.slice(0, 1),
      send: (words) =>
        new Promise((resolve, reject) => {
          trips.push({ words, answer: resolve });
          refusals.push(reject);
        }),
    });
    return { ask, trips, refusals, words: () => trips.map((trip) => trip.words.join(" ")) };
  }

  test("sends what is asked for in one turn of the event loop at its end, in one trip", async () => {
    const { ask, trips, words } = open();
    const first = ask("ann");
    await Promise.resolve();
    const second = ask("bob");
    assert.deepEqual(words(), []);
    await turn();
    assert.deepEqual(words(), ["ann bob"]);
    trips[0]?.answer(["for ann", "for bob"]);
    assert.deepEqual(await Promise.all([first, second]), ["for ann", "for bob"]);
  });

  test("does not wait for the trip before", async () => {
    const { ask, trips, words } = open();
    const first = ask("ann");
    await turn();
    const second = ask("bob");
    await turn();
    assert.deepEqual(words(), ["ann", "bob"]);
    trips[1]?.answer(["for bob"]);
    assert.equal(await second, "for bob");
    trips[0]?.answer(["for ann"]);
    assert.equal(await first, "for ann");
  });

  test("sends what is too much for one trip, or about the same, in several, in their order", async () => {
    const { ask, trips, words } = open(2);
    const answers = Promise.all(["a1", "b1", "a2", "c1"].map(ask));
    await turn();
    assert.deepEqual(words(), ["a1 b1", "a2 c1"]);
    trips[1]?.answer(["A2", "C1"]);
    trips[0]?.answer(["A1", "B1"]);
    assert.deepEqual(await answers, ["A1", "B1", "A2", "C1"]);
  });

  test("gives an error among the answers to the one that it answers", async () => {
    const { ask, trips } = open();
    const all = Promise.allSettled(["ann", "bob", "cem"].map(ask));
    await turn();
    const damaged = new Error("damaged");
    trips[0]?.answer(["for ann", damaged, "for cem"]);
    assert.deepEqual(await all, [
      { status: "fulfilled", value: "for ann" },
      { status: "rejected", reason: damaged },
      { status: "fulfilled", value: "for cem" },
    ]);
  });

  test("gives the fault of a trip to all of that trip, and to no other", async () => {
    const { ask, trips, refusals } = open(2);
    const all = Promise.allSettled(["ann", "bob", "cem"].map(ask));
    await turn();
    const fault = new Error("READONLY");
    refusals[0]?.(fault);
    trips[1]?.answer(["for cem"]);
    assert.deepEqual(await all, [
      { status: "rejected", reason: fault },
      { status: "rejected", reason: fault },
      { status: "fulfilled", value: "for cem" },
    ]);
  });

  test("takes no answer for another's where one is missing", async () => {
    const { ask, trips } = open();
    const all = Promise.allSettled(["ann", "bob"].map(ask));
    await turn();
    trips[0]?.answer(["for bob"]);
    for (const outcome of await all) {
      assert.ok(outcome.status === "rejected" && outcome.reason instanceof RangeError);
    }
  });
});
