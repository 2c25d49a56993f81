import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { admit, floodSentence, replacedBy, type ChangedPerson, type FloodWindow } from "../../src/core/flood.ts";
import { accountMark } from "../../src/core/person.ts";
import { spanText } from "../../src/core/span.ts";
import { ordinalText, versionText } from "../../src/core/version.ts";

const NOW = 1_800_000_000_000;
const version = (timeMs: number): string => versionText(ordinalText({ timeMs, sequence: 0 }), 1);
const LIMITS = { people: 3, withinMs: 600_000, sameValue: 2 };

/** `a:x` is given x, of which nothing was known before; `a:x<w` had w. */
const person = (text: string): ChangedPerson => {
  const [user = "", value = "", before = ""] = text.split(/[:<]/);
  return { user, given: { name: [value, before] } };
};
const entriesOf = (text: string) => text.split("|").map((entry) => entry.split(" ").filter(Boolean).map(person));

describe("what events would change by the ledger", () => {
  const entry = { version: version(NOW), digest: "old", at: NOW };
  const later = version(NOW + 1);
  const former = accountMark(NOW - 86_400_000, "one");
  const successor = accountMark(NOW, "two");
  const CASES: readonly (readonly [string, Parameters<typeof replacedBy>[0], object, string | undefined])[] = [
    ["somebody of whom nothing is known", {}, {}, ""],
    ["another value", { name: entry }, {}, "old"],
    ["the same value, however old", { name: { ...entry, at: 0 } }, { digest: "old" }, undefined],
    ["a value that poolsync did not write", { name: { ...entry, digest: "" } }, {}, ""],
    ["a value that is older than what was written", { name: entry }, { version: version(NOW - 1) }, undefined],
    [
      "the same value in an account that was made anew",
      { name: { ...entry, account: former } },
      { digest: "old", account: successor },
      "",
    ],
    [
      "a value that is older than what an account had that was made anew",
      { name: { ...entry, account: former } },
      { version: version(NOW - 1), account: successor },
      "",
    ],
    [
      "the same value in the same account",
      { name: { ...entry, account: former } },
      { digest: "old", account: former },
      undefined,
    ],
  ];
  for (const [what, ledger, unit, replaced] of CASES) {
    test(`of ${what} is ${replaced === undefined ? "nothing" : replaced || "a change of what is not known"}`, () => {
      assert.equal(replacedBy(ledger, { name: "name", digest: "new", version: later, ...unit }), replaced);
    });
  }
});

describe("the guard of events", () => {
  const CASES: readonly (readonly [what: string, entries: string, admitted: number, reached?: string])[] = [
    ["lets as many people through as it says", "a:1|b:2|c:3", 3],
    ["keeps the next one, and all that come behind", "a:1|b:2|c:3|d:4|a:5", 3, "people 4"],
    ["counts nobody twice", "a:1|a:2|a:3|b:4|c:5|b:6", 6],
    ["counts nobody whose value is the same", "||a:1|||b:2|c:3|", 8],
    ["lets an entry of several people through whole, or not at all", "a:1|b:2 c:3 d:4|e:5", 1, "people 4"],
    ["keeps an entry that is more by itself", "a:1 b:2 c:3 d:4", 0, "people 4"],
    ["keeps one value for many of whom nothing is known", "a:x|b:x|c:x", 2, "sameValue 3"],
    ["keeps one value in place of three", "a:x<1|b:x<2|c:x<3", 2, "sameValue 3"],
    ["lets one value through in place of one other", "a:x<1|b:x<1|c:x<1", 3],
    ["lets one value through in place of two others", "a:x<1|b:x<1|c:x<2", 3],
    ["counts for a value who has it last", "a:x|b:x|a:y|c:x|a:y", 5],
  ];
  for (const [what, entries, admitted, reached] of CASES) {
    test(what, () => {
      const answer = admit({}, entriesOf(entries), LIMITS, NOW);
      assert.equal(answer.admitted, admitted);
      assert.equal(answer.reached && `${answer.reached.guard} ${answer.reached.count}`, reached);
    });
  }

  const afterwards = (window: FloodWindow, entries: string, atMs: number) =>
    admit(window, entriesOf(entries), LIMITS, atMs);

  test("forgets people once the time is over since they were changed last", () => {
    const { window } = afterwards({}, "a:1|b:2|c:3", NOW);
    const again = afterwards(window, "a:4", NOW + 300_000);
    const kept = afterwards(again.window, "d:5|e:6|f:7", NOW + 600_000);
    assert.deepEqual([kept.admitted, Object.keys(kept.window)], [2, ["a", "d", "e"]]);
  });

  test("counts nobody of what it keeps", () => {
    const { window, admitted } = afterwards({}, "a:1|b:2 a:3 c:4 d:5", NOW);
    assert.equal(admitted, 1);
    assert.deepEqual(window, { a: { at: NOW, given: { name: ["1", ""] } } });
  });

  test("looks at no value where that is switched off", () => {
    const limits = { ...LIMITS, sameValue: undefined };
    assert.equal(admit({}, entriesOf("a:x|b:x|c:x"), limits, NOW).admitted, 3);
  });

  test("says how many people it has met, and of what", () => {
    const people = floodSentence({ guard: "people", limit: 500, count: 501 }, spanText(600_000));
    assert.equal(people, "Events would change 501 people within 10m, and the guard lets 500 people through.");
    const same = { guard: "sameValue", attribute: "locale", limit: 1, count: 2, values: 3 } as const;
    assert.equal(
      floodSentence(same, spanText(3_600_000)),
      "Events would give 2 people the same `locale` within 1h, in place of 3 other values, and the guard lets 1 person through.",
    );
  });
});
