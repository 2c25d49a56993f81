import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { callOptionsKey, sharesFate, together, type CallOptions } from "../../src/core/call-options.ts";

describe("the manner in which values are sent", () => {
  const keys: [title: string, one: CallOptions, other: CallOptions, equal: boolean][] = [
    ["nothing and blank metadata", {}, { clientMetadata: {} }, true],
    ["metadata in another order", { clientMetadata: { a: "1", b: "2" } }, { clientMetadata: { b: "2", a: "1" } }, true],
    ["other metadata", { clientMetadata: { a: "1" } }, { clientMetadata: { a: "2" } }, false],
    ["another name", { clientMetadata: { a: "1" } }, { clientMetadata: { b: "1" } }, false],
    ["a token and none", { token: "t" }, {}, false],
    ["a token that is gone and none", { token: "" }, {}, false],
    ["other tokens", { token: "t" }, { token: "u" }, false],
  ];
  for (const [title, one, other, equal] of keys) {
    test(`is ${equal ? "the same" : "another"} with ${title}`, () => {
      assert.equal(callOptionsKey(one) === callOptionsKey(other), equal);
    });
  }

  test("groups values in the order of the oldest version of each, whatever their names", () => {
    const a: CallOptions = { clientMetadata: { reason: "a" } };
    const said: Record<string, [manner: CallOptions, version: string]> = {
      x: [a, "5"],
      y: [{}, "2"],
      z: [a, "1"],
      __proto__x: [{ token: "t" }, "3"],
    };
    const groups = together(
      Object.keys(said),
      (name) => said[name]?.[0] ?? {},
      (name) => said[name]?.[1] ?? "",
    );
    assert.deepEqual(
      groups.map(({ names }) => names),
      [["x", "z"], ["y"], ["__proto__x"]],
    );
  });

  const fates: [title: string, one: CallOptions, other: CallOptions, byLambda: boolean, shared: boolean][] = [
    ["of administrators' calls", { clientMetadata: { a: "1" } }, {}, false, true],
    ["of administrators' calls, where a trigger refused", { clientMetadata: { a: "1" } }, {}, true, false],
    [
      "of equal metadata, where a trigger refused",
      { clientMetadata: { a: "1" } },
      { clientMetadata: { a: "1" } },
      true,
      true,
    ],
    ["of a token and an administrator", { token: "t" }, {}, false, false],
    ["of one token", { token: "t" }, { token: "t", clientMetadata: { a: "1" } }, false, true],
    ["of two tokens", { token: "t" }, { token: "u" }, false, false],
  ];
  for (const [title, one, other, byLambda, shared] of fates) {
    test(`is ${shared ? "one" : "no one"} fate, ${title}`, () =>
      assert.equal(sharesFate(one, other, byLambda), shared));
  }
});
