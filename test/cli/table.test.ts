import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { age, duration } from "../../src/core/amounts.ts";
import { mask, printable } from "../../src/core/masking.ts";
import { columnsWide, table, wrap } from "../../src/views/table.ts";

const COLUMNS = [
  { title: "NAME", shrinks: true },
  { title: "COUNT", align: "right" as const },
];

describe("a table", () => {
  test("aligns its columns", () => {
    assert.equal(
      table(
        COLUMNS,
        [
          ["jane", "1"],
          ["jo", "1,200"],
        ],
        80,
      ),
      "NAME  COUNT\njane      1\njo    1,200\n",
    );
  });

  test("cuts a column that may shrink, and never is wider than the terminal", () => {
    const rows = [["a-rather-long-name-of-a-feed", "1,200"]];
    assert.equal(table(COLUMNS, rows, 20).split("\n")[1], "a-rather-lon…  1,200".slice(0, 20));
    for (let width = 20; width < 40; width++) {
      for (const line of table(COLUMNS, rows, width).split("\n"))
        assert.ok(columnsWide(line) <= width, `${width}: ${line}`);
    }
  });

  test("leaves spare columns out before it becomes blocks", () => {
    const columns = [{ title: "RUN" }, { title: "OLD", spare: true }, { title: "POOL" }, { title: "", spare: true }];
    const rows = [["r-1", "0", "staff", "█"]];
    assert.equal(table(columns, rows, 40), "RUN  OLD  POOL\nr-1  0    staff  █\n");
    assert.equal(table(columns, rows, 14), "RUN  POOL\nr-1  staff\n");
    assert.equal(table(columns, rows, 9), "RUN   r-1\nPOOL  staff\n");
  });

  test("becomes one block a row where it cannot be narrow enough", () => {
    const columns = [{ title: "RUN" }, { title: "POOL" }];
    assert.equal(table(columns, [["r-1", "eu-west-1_Example"]], 20), "RUN   r-1\nPOOL  eu-west-1_Example\n");
  });

  test("goes on below in a last column that wraps", () => {
    const columns = [
      { title: "LINE", align: "right" as const },
      { title: "EXPECTED", shrinks: true, wraps: true },
    ];
    assert.equal(
      table(columns, [["3", "to have at most 2 characters"]], 22),
      "LINE  EXPECTED\n   3  to have at most\n      2 characters\n",
    );
  });

  test("knows that some letters take two columns", () => {
    assert.equal(columnsWide("田中"), 4);
    assert.equal(columnsWide("Ngozi\u0301"), 5);
    assert.equal(table(COLUMNS, [["田中", "1"]], 80), "NAME  COUNT\n田中      1\n");
  });

  test("a word that is longer than a line stays whole", () => {
    assert.deepEqual(wrap("see https://example.com/a-long-path now", 10), [
      "see",
      "https://example.com/a-long-path",
      "now",
    ]);
  });
});

test("a masked value tells its first letter and its form", () => {
  assert.equal(mask("jane@example.com"), "j***@e***.com");
  assert.equal(mask("Jane"), "J***");
  assert.equal(mask("+4915112345678"), "+***");
  assert.equal(mask(""), "***");
});

test("text from a feed cannot steer the terminal", () => {
  assert.equal(printable("a\u001b[31mb\nc\u202e"), "a<U+001B>[31mb<U+000A>c<U+202E>");
});

test("times are told in their two largest parts", () => {
  assert.deepEqual([900, 65_000, 7_500_000].map(duration), ["1s", "1m 05s", "2h 05m"]);
  assert.deepEqual([1, 120_000, 7_200_000, 864_000_000].map(age), ["now", "2m", "2h", "10d"]);
});
