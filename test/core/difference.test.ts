import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { differenceOf, DIFFERENCES, type Difference } from "../../src/core/difference.ts";

/** What is there, what is to be there, and what is said of it. */
const TABLE: readonly (readonly [before: string, after: string, Difference])[] = [
  ["", "Ann", "set where nothing was"],
  ["", "N/A", "becomes a placeholder"],
  ["Sales", "UNASSIGNED", "becomes a placeholder"],
  ["TBD", "Sales", "takes a placeholder's place"],
  ["TBD", "N/A", "other value"],
  ["Zoë", "Zo?", "wrong encoding"],
  ["Zoë", "Zo\uFFFD", "wrong encoding"],
  ["Łukasz", "??ukasz", "wrong encoding"],
  ["Zoë", "ZoÃ«", "wrong encoding"],
  ["Größe €", "GrÃ¶ÃŸe â‚¬", "wrong encoding"],
  ["Why", "Why?", "other value"],
  ["ann@example.com", "Ann@Example.com", "other case"],
  ["sales", "SALES", "other case"],
  ["MÜLLER", "Müller", "other case"],
  ["José", "Jose", "accents lost"],
  ["Łódź", "Lodz", "accents lost"],
  ["Straße", "Strasse", "accents lost"],
  ["Jose", "José", "other spelling"],
  ["José", "JOSE", "other spelling"],
  ["Jose\u0301", "José", "other spelling"],
  ["Ann ", "Ann", "other spelling"],
  ["Anna Maria", "Anna\u00A0Maria", "other spelling"],
  ["Ann\u200B", "Ann", "other spelling"],
  ["O'Neil", "ONeil", "other spelling"],
  ["Meyer-Lansky", "Meyer Lansky", "other spelling"],
  ["Dr. Who", "Dr Who", "other spelling"],
  ["Müller", "Mueller", "other spelling"],
  ["+49 171 123", "+49171123", "other spelling"],
  ["ＡＢＣ", "abc", "other spelling"],
  ["---x", "-x", "other value"],
  ["C", "C++", "other value"],
  ["1.5 FTE", "15 FTE", "other value"],
  ["-5", "5", "other value"],
  ["a.b@example.com", "ab@example.com", "same domain, another name"],
  ["https://a-b.example", "https://ab.example", "a letter or two"],
  ["ann@old.example", "Ann@new.example", "another domain"],
  ["ann.old@example.com", "ann.new@EXAMPLE.com", "same domain, another name"],
  ["ann@old.example", "bob@new.example", "another address"],
  ["ann@old.example", "none of ours", "other value"],
  ["00123", "123", "leading zeros lost"],
  ["0", "00", "leading zeros added"],
  ["+0049171", "+49171", "leading zeros lost"],
  ["123", "00123", "leading zeros added"],
  ["4915112345678", "4.91511E+12", "in powers of ten"],
  ["+4915112345", "+491511234567", "digits added"],
  ["+491511234567", "+4915112345", "digits taken away"],
  // A year that is known but for two digits is not said to begin alike.
  ["19", "1990", "other value"],
  ["1990", "1991", "other digits"],
  ["+4915112345678", "+4915112345679", "other digits"],
  ["1990-01-02", "1990-01-03", "other digits"],
  ["Room 12", "Room 13", "other digits"],
  ["1990-01-02", "02/01/1990", "other value"],
  ["Research and Development", "Research and", "cut off"],
  ["Research and", "Research and Development", "text added"],
  ["Christopher Meier", "Christopher Mayer", "a letter or two"],
  ["Anna Schmidt", "Anna Schmitt", "a letter or two"],
  ["Hauptstr. 12 b", "Hauptstr. 3 b", "other value"],
  ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "other value"],
  ["Sales and Marketing", "Human Resources", "other value"],
  ["\uD800", "\uDBFF", "other value"],
];

/** Words of which there are few: that one is a part of the other, or nearly it, would tell which they are. */
const FEW = [
  ["male", "female"],
  ["female", "male"],
  ["man", "woman"],
  ["m", "f"],
  ["married", "unmarried"],
  ["employed", "unemployed"],
  ["yes", "no"],
  ["Buddhist", "Catholic"],
] as const;

describe("the kind of a difference", () => {
  const kind = (before: string, after: string) => differenceOf({ kind: "text", text: after }, before, true);

  for (const [before, after, difference] of TABLE) {
    test(`from ${JSON.stringify(before)} to ${JSON.stringify(after)} is "${difference}"`, () => {
      assert.equal(kind(before, after), difference);
    });
  }

  test("is of an address that stays, and of a flag that stands alone, only the flag", () => {
    const text = "ann@example.com";
    const verified = (how: "mark" | "ask") => differenceOf({ kind: "text", text, verified: how }, text, true);
    assert.equal(verified("mark"), "only the flag: verified");
    assert.equal(verified("ask"), "only the flag: not verified");
    assert.equal(differenceOf({ kind: "as-is", verified: true }, "false", true), "only the flag: verified");
    assert.equal(differenceOf({ kind: "as-is", verified: false }, undefined, false), "only the flag: not verified");
  });

  test("is not known where nobody looked, but for what is cleared or becomes a placeholder", () => {
    assert.equal(differenceOf({ kind: "text", text: "Ann" }, undefined, false), "not compared");
    assert.equal(differenceOf({ kind: "text", text: "TBD" }, undefined, false), "becomes a placeholder");
    assert.equal(differenceOf({ kind: "clear" }, undefined, false), "cleared");
    assert.equal(differenceOf({ kind: "clear" }, "Ann", true), "cleared");
  });

  test("tells nothing of words of which there are few", () => {
    for (const [before, after] of FEW) assert.equal(kind(before, after), "other value", `${before} to ${after}`);
    assert.equal(kind("1990", "2001"), kind("1990", "1991"));
  });

  test("is each in the table, and a word that has no other kind's meaning", () => {
    const met = new Set<string>(TABLE.map(([, , difference]) => difference));
    const elsewhere = ["cleared", "not compared", "only the flag: verified", "only the flag: not verified"];
    assert.deepEqual(new Set([...met, ...elsewhere]), new Set<string>(DIFFERENCES));
  });
});
