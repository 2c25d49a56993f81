import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contactsAfter, planContact } from "../../src/core/contact.ts";
import type { Contacts } from "../../src/core/contact.ts";
import type { UnitValue, Verified } from "../../src/core/unit.ts";

const profile = { caseSensitive: true };
const NEW = "new@example.com";
const text = (verified: Verified, value = NEW): UnitValue => ({ kind: "text", text: value, verified });
const has = (value: string, verified: boolean): Contacts => ({ email: { value, verified } });
const nothing: Contacts = {};
const asIs = (verified: boolean): UnitValue => ({ kind: "as-is", verified });

const unchanged = { do: "unchanged" };
const notListed = { do: "bury", kind: "user-not-found", reason: "user-not-listed" };
const value = { Name: "email", Value: NEW };
const flag = (Value: string) => ({ Name: "email_verified", Value });
const send = (...attributes: readonly { Name: string; Value: string }[]) => ({ do: "send", attributes });

describe("an e-mail address", () => {
  const table: readonly (readonly [title: string, value: UnitValue, contacts: Contacts | undefined, plan: unknown])[] =
    [
      ["marked, equal and verified is unchanged", text("mark"), has(NEW, true), unchanged],
      [
        "marked, equal and not verified is sent with its flag",
        text("mark"),
        has(NEW, false),
        send(value, flag("true")),
      ],
      [
        "marked and different is sent with its flag",
        text("mark"),
        has("old@example.com", true),
        send(value, flag("true")),
      ],
      ["marked where there is none is sent with its flag", text("mark"), nothing, send(value, flag("true"))],
      ["marked of a user who is not listed is sent", text("mark"), undefined, send(value, flag("true"))],
      ["asked and equal is unchanged, whatever its flag", text("ask"), has(NEW, false), unchanged],
      ["asked and different is sent alone", text("ask"), has("old@example.com", true), send(value)],
      ["asked of a user who is not listed is sent", text("ask"), undefined, send(value)],
      ["kept and equal is unchanged", text("keep"), has(NEW, false), unchanged],
      [
        "kept and different gets the flag that was there",
        text("keep"),
        has("old@example.com", true),
        send(value, flag("true")),
      ],
      ["kept and different stays unverified", text("keep"), has("old@example.com", false), send(value, flag("false"))],
      ["kept where there is none is not verified", text("keep"), nothing, send(value, flag("false"))],
      ["kept of a user who is not listed cannot be sent", text("keep"), undefined, notListed],
      ["that is cleared and absent is unchanged", { kind: "clear" }, nothing, unchanged],
      [
        "that is cleared and there is sent blank",
        { kind: "clear" },
        has(NEW, true),
        send({ Name: "email", Value: "" }),
      ],
      [
        "that is cleared of a user who is not listed is sent",
        { kind: "clear" },
        undefined,
        send({ Name: "email", Value: "" }),
      ],
      ["in another case is different where case counts", text("ask"), has("NEW@example.com", true), send(value)],
    ];
  for (const [title, wanted, contacts, plan] of table) {
    test(title, () => assert.deepEqual(planContact(profile, "email", wanted, contacts), plan));
  }

  test("in another case is equal where the pool ignores case", () => {
    assert.deepEqual(
      planContact({ caseSensitive: false }, "email", text("ask"), has("NEW@example.com", true)),
      unchanged,
    );
  });
});

describe("a phone number", () => {
  test("is compared by itself", () => {
    const wanted: UnitValue = { kind: "text", text: "+14325551212", verified: "keep" };
    const contacts: Contacts = {
      email: { value: NEW, verified: true },
      phone_number: { value: "+1432", verified: false },
    };
    assert.deepEqual(
      planContact(profile, "phone_number", wanted, contacts),
      send({ Name: "phone_number", Value: "+14325551212" }, { Name: "phone_number_verified", Value: "false" }),
    );
  });
});

describe("a flag for the value that is there", () => {
  const table: readonly (readonly [title: string, verified: boolean, contacts: Contacts | undefined, plan: unknown])[] =
    [
      ["is unchanged where it is equal", true, has(NEW, true), unchanged],
      ["is sent alone where it differs", true, has(NEW, false), send(flag("true"))],
      ["is taken away alone", false, has(NEW, true), send(flag("false"))],
      ["needs a value", true, nothing, { do: "bury", kind: "invalid-value", reason: "no-value-to-verify" }],
      ["needs a user who is listed", true, undefined, notListed],
    ];
  for (const [title, verified, contacts, plan] of table) {
    test(title, () => assert.deepEqual(planContact(profile, "email_verified", asIs(verified), contacts), plan));
  }
});

describe("what is there once a call has gone through", () => {
  const OLD = "old@example.com";
  const takesAtOnce = { requireVerificationBeforeUpdate: [] };
  const holdsBack = { requireVerificationBeforeUpdate: ["email"] };
  const phone = { phone_number: { value: "+14325551212", verified: true } };
  const blank = { Name: "email", Value: "" };
  const table: readonly (readonly [
    title: string,
    pool: typeof holdsBack | typeof takesAtOnce,
    before: Contacts | undefined,
    written: readonly { Name: string; Value: string }[],
    after: Contacts | undefined,
  ])[] = [
    ["a value with its flag", takesAtOnce, has(OLD, false), [value, flag("true")], has(NEW, true)],
    ["a value alone has lost its flag", takesAtOnce, has(OLD, true), [value], has(NEW, false)],
    ["a flag alone speaks of the old value", takesAtOnce, has(OLD, false), [flag("true")], has(OLD, true)],
    ["a flag without a value is nothing", takesAtOnce, nothing, [flag("true")], nothing],
    ["a blank is gone", takesAtOnce, { ...has(OLD, true), ...phone }, [blank], phone],
    ["a value that is held back is not there yet", holdsBack, has(OLD, true), [value], has(OLD, true)],
    ["a value that is held back keeps its own flag", holdsBack, has(OLD, true), [value, flag("false")], has(OLD, true)],
    ["a marked value is not held back", holdsBack, has(OLD, true), [value, flag("true")], has(NEW, true)],
    ["other attributes change nothing", takesAtOnce, has(OLD, true), [{ Name: "name", Value: "x" }], has(OLD, true)],
    ["who was not listed is not known", takesAtOnce, undefined, [value], undefined],
  ];
  for (const [title, pool, before, written, after] of table) {
    test(title, () => assert.deepEqual(contactsAfter(pool, before, written), after));
  }
});

describe("what checkUnit refuses", () => {
  for (const [name, wanted] of [
    ["name", text("mark")],
    ["email", asIs(true)],
    ["email", { kind: "text", text: NEW }],
  ] as const) {
    test(`${name} as ${wanted.kind} is a mistake of the caller`, () => {
      assert.throws(() => planContact(profile, name, wanted, nothing), TypeError);
    });
  }
});
