import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../src/core/defined.ts";

describe("an object's defined properties", () => {
  const table: [what: string, object: object, expected: object][] = [
    ["nothing of nothing", {}, {}],
    ["nothing where all is undefined", { a: undefined, b: undefined }, {}],
    ["what is not undefined", { a: 1, b: undefined, c: "c" }, { a: 1, c: "c" }],
    ["null, blank, zero and false", { a: null, b: "", c: 0, d: false }, { a: null, b: "", c: 0, d: false }],
    ["what is undefined deeper", { a: { b: undefined } }, { a: { b: undefined } }],
  ];
  for (const [what, object, expected] of table) {
    test(`are ${what}`, () => assert.deepEqual(defined(object), expected));
  }

  test("fit a type that allows no undefined", () => {
    const given: string | undefined = new Array<string>().at(0);
    const exact: { readonly line: number; readonly name?: string } = defined({ line: 1, name: given });
    assert.deepEqual(exact, { line: 1 });
  });

  test("are a copy", () => {
    const object = { a: 1 };
    assert.notEqual(defined(object), object);
  });
});
