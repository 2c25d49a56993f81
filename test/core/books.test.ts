import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EMPTY_BOOKS, TERMS, imbalance, post } from "../../src/core/books.ts";
import type { Term } from "../../src/core/books.ts";

const entry = (term: Term, by: number) => ({ run: "run", term, by });

describe("the books", () => {
  test("are empty at first, and balance", () => {
    assert.deepEqual(Object.keys(EMPTY_BOOKS).toSorted(), [...TERMS].toSorted());
    assert.equal(imbalance(EMPTY_BOOKS), 0);
  });

  for (const term of TERMS.filter((one) => one !== "received")) {
    test(`balance where what was received is ${term}`, () => {
      const books = post(EMPTY_BOOKS, [entry("received", 3), entry(term, 3)]);
      assert.deepEqual([books.received, books[term], imbalance(books)], [3, 3, 0]);
    });
  }

  test("say by how much they do not balance", () => {
    assert.equal(imbalance(post(EMPTY_BOOKS, [entry("received", 5), entry("applied", 3)])), 2);
    assert.equal(imbalance(post(EMPTY_BOOKS, [entry("pending", 1)])), -1);
  });

  test("move without changing those before", () => {
    const before = post(EMPTY_BOOKS, [entry("received", 1), entry("pending", 1)]);
    const after = post(before, [entry("pending", -1), entry("applied", 1)]);
    assert.deepEqual([before.pending, before.applied], [1, 0]);
    assert.deepEqual([after.pending, after.applied, imbalance(after)], [0, 1, 0]);
    assert.deepEqual(post(before, []), before);
  });
});
