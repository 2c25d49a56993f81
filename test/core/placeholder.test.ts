import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { placeholderIn } from "../../src/core/placeholder.ts";

/** What exports of HR systems, spreadsheets and databases say where they have no value. */
const NOTHING = [
  "UNASSIGNED",
  "Not assigned",
  "TBD",
  "tba",
  "To be determined",
  "N/A",
  "n/a",
  "NA",
  "N.A.",
  "t.b.d.",
  "Not available",
  "Unknown",
  "None",
  "NULL",
  "(null)",
  "nil",
  "NaN",
  "undefined",
  "(blank)",
  "\\N",
  "#N/A",
  "#REF!",
  "[object Object]",
  "xxx",
  "-",
  "--",
  "–",
  "?",
  "???",
  ".",
  "___",
  "0000-00-00",
  "0000-00-00 00:00:00",
  "0000-00-00T00:00:00Z",
  "00/00/0000",
  "00000",
  "0000000000",
  "+00000000",
  "  TBD  ",
];

const SOMETHING = [
  "Sales",
  "Nana",
  "Noneman",
  "TBD Ltd",
  "0",
  "0.0",
  "0000",
  "2020-01-01",
  "1970-01-01",
  "10000",
  "100-000",
  "A-",
  "",
  "Test",
  "+4915100000000",
  "Unknown Soldiers' Office",
  "Xx",
  "O'Null",
];

describe("a placeholder", () => {
  for (const text of NOTHING) test(`is ${JSON.stringify(text)}`, () => assert.equal(placeholderIn(text), text.trim()));
  for (const text of SOMETHING)
    test(`is not ${JSON.stringify(text)}`, () => assert.equal(placeholderIn(text), undefined));
});
