import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nearness } from "../../src/core/near-name.ts";

describe("a name", () => {
  for (const [name, other, says] of [
    ["123", "00123", "leading-zeros"],
    ["00123", "123", "leading-zeros"],
    ["0", "00", "leading-zeros"],
    ["e123", "e0123", undefined],
    ["ann", "Ann", "case"],
    ["ANN@example.com", "ann@example.com", "case"],
    ["ann@example.com", "Ann@example.org", "domain"],
    ["ann@example.com", "annie@example.com", undefined],
    ["ann@example.com", "ann", undefined],
    ["rene", "René", "spelling"],
    ["zoe\u0308", "zoë", "spelling"],
    ["\uFF21nn", "Ann", "spelling"],
    ["de la cruz", "delacruz", "spelling"],
    ["ann", "ann", undefined],
    ["ann", "bob", undefined],
  ] as const) {
    test(`${name} is near to ${other}: ${says ?? "no"}`, () => assert.equal(nearness(name, other), says));
  }
});
