import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountMark, calledName, isFresh, isSuccessor, madeAt, type Person } from "../../src/core/person.ts";

const ACCOUNT = { sub: "2f1c8a54-0b7e-4f6a-9c3d-5e8f7a6b1c2d", createdAt: 1 };

describe("the name of a call", () => {
  for (const [fact, person, called] of [
    ["is the username of whom nobody has looked at", {}, "jane"],
    ["is the sub of an account that was found", { account: ACCOUNT }, ACCOUNT.sub],
    ["is the username of a provider's user", { account: { ...ACCOUNT, federated: true } }, "jane"],
  ] as const satisfies readonly (readonly [string, Person, string])[]) {
    test(fact, () => assert.equal(calledName("jane", person), called));
  }
});

describe("an answer to whose a name is", () => {
  for (const [askedAt, nowMs, isSo] of [
    [1_000, 1_000, true],
    [1_000, 60_999, true],
    [1_000, 61_000, false],
    // A clock that was put back says nothing of how long ago it was.
    [1_000, 999, false],
  ] as const) {
    test(`is ${isSo ? "" : "not "}fresh after ${nowMs - askedAt} ms`, () =>
      assert.equal(isFresh(askedAt, nowMs), isSo));
  }
});

describe("the mark of an account", () => {
  test("says when it was made", () => {
    assert.equal(madeAt(accountMark(1_795_478_400_123.9, "digest")), 1_795_478_400_123);
    assert.equal(madeAt(accountMark(0, "digest")), 0);
  });

  const marks = { early: accountMark(9, "a"), late: accountMark(10, "b"), unknown: accountMark(0, "c") };
  for (const [fact, one, other, isSo] of [
    ["a later one is the successor of an earlier one", marks.late, marks.early, true],
    ["an earlier one is not, whatever a lagging list says", marks.early, marks.late, false],
    ["an account is not its own", marks.late, marks.late, false],
    [
      "of two that do not say when they were made, the one that was seen last",
      marks.unknown,
      accountMark(0, "d"),
      true,
    ],
  ] as const) {
    test(fact, () => assert.equal(isSuccessor(one, other), isSo));
  }
});
