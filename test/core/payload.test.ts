import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Contacts } from "../../src/core/contact.ts";
import type { CallOptions } from "../../src/core/call-options.ts";
import { attributeOf, inCalls, planUnit, textOf } from "../../src/core/payload.ts";
import { isFlag, isPlain, type Unit, type UnitValue } from "../../src/core/unit.ts";

const text = (value: string): UnitValue => ({ kind: "text", text: value });
const clear: UnitValue = { kind: "clear" };
const asIs: UnitValue = { kind: "as-is", verified: true };

describe("a unit", () => {
  const table: readonly (readonly [name: string, isPlain: boolean, isFlag: boolean])[] = [
    ["given_name", true, false],
    ["custom:email", true, false],
    ["constructor", true, false],
    ["email", false, false],
    ["phone_number", false, false],
    ["email_verified", false, true],
    ["phone_number_verified", false, true],
  ];
  for (const [name, plain, flag] of table) {
    test(`\`${name}\` is ${plain ? "plain" : flag ? "a flag" : "a contact"}`, () => {
      assert.deepEqual([isPlain(name), isFlag(name)], [plain, flag]);
    });
  }

  test("is an attribute, blank where it is deleted", () => {
    assert.deepEqual([text("Ann"), clear, asIs].map(textOf), ["Ann", "", ""]);
    assert.deepEqual(attributeOf({ name: "nickname", value: text("Ann") }), { Name: "nickname", Value: "Ann" });
    assert.deepEqual(attributeOf({ name: "email", value: clear }), { Name: "email", Value: "" });
  });
});

describe("what is sent", () => {
  const has: Contacts = { email: { value: "Ann@example.com", verified: false } };
  const send = (...pairs: readonly (readonly [string, string])[]) => ({
    do: "send",
    attributes: pairs.map(([Name, Value]) => ({ Name, Value })),
  });
  const mark = (value: string): UnitValue => ({ kind: "text", text: value, verified: "mark" });
  const ask = (value: string): UnitValue => ({ kind: "text", text: value, verified: "ask" });
  const table: readonly (readonly [title: string, unit: Unit, contacts: Contacts | undefined, plan: unknown])[] = [
    ["of a plain unit is its attribute", { name: "name", value: text("Ann") }, undefined, send(["name", "Ann"])],
    ["of a plain unit that is deleted is a blank", { name: "name", value: clear }, has, send(["name", ""])],
    [
      "of an address goes with its flag",
      { name: "email", value: mark("new@example.com") },
      has,
      send(["email", "new@example.com"], ["email_verified", "true"]),
    ],
    [
      "of an address that is there is nothing",
      { name: "email", value: ask("ann@example.com") },
      has,
      { do: "unchanged" },
    ],
    ["of a flag is the flag", { name: "email_verified", value: asIs }, has, send(["email_verified", "true"])],
    [
      "of a flag of nobody who is listed is nothing",
      { name: "email_verified", value: asIs },
      undefined,
      { do: "bury", kind: "user-not-found", reason: "user-not-listed" },
    ],
  ];
  for (const [title, unit, contacts, plan] of table) {
    test(title, () => assert.deepEqual(planUnit({ caseSensitive: false }, unit, contacts), plan));
  }
});

describe("calls", () => {
  const blue: CallOptions = { clientMetadata: { colour: "blue" } };
  const table: readonly (readonly [
    title: string,
    units: Readonly<Record<string, readonly [version: string, manner?: CallOptions]>>,
    calls: readonly (readonly string[])[],
  ])[] = [
    ["are none for nothing", {}, []],
    ["take all values of one manner", { name: ["2"], email: ["1"], nickname: ["3"] }, [["name", "email", "nickname"]]],
    ["part values of two manners, the oldest first", { name: ["2"], nickname: ["1", blue] }, [["nickname"], ["name"]]],
    [
      "go by the oldest value of each manner",
      { name: ["2"], nickname: ["3", blue], website: ["1", blue] },
      [["nickname", "website"], ["name"]],
    ],
    [
      "give each flag its own, after all values",
      { email_verified: ["1"], phone_number_verified: ["2"], name: ["3"] },
      [["name"], ["email_verified"], ["phone_number_verified"]],
    ],
  ];
  for (const [title, units, calls] of table) {
    test(title, () => {
      const found = inCalls(
        Object.keys(units),
        (name) => units[name]?.[1] ?? {},
        (name) => units[name]?.[0] ?? "",
      );
      assert.deepEqual(
        found.map(({ names }) => names),
        calls,
      );
      for (const { callOptions, names } of found)
        for (const name of names) assert.equal(callOptions, units[name]?.[1] ?? callOptions);
    });
  }
});
