import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tableForm } from "../src/config/table-form.ts";

describe("the `table` of a feed", () => {
  test("says where its table begins and ends", () => {
    const said = { delimiter: "tab", after: 2026, comment: "#", footer: " Total " };
    assert.deepEqual(tableForm.parse(said), { delimiter: "\t", after: "2026", comment: "#", footer: "Total" });
    assert.deepEqual(tableForm.parse({ delimiter: "|", headerLine: 4 }), { delimiter: "|", headerLine: 4 });
  });

  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{ delimiter: "||" }, /Expected one character such as/],
    [{ delimiter: '"' }, /Expected one character such as/],
    [{ delimiter: "a" }, /Expected one character such as/],
    [{ headerLine: 0 }, /Expected a whole number from 1, got `0`/],
    [{ headerLine: 2, after: "x" }, /Expected either `headerLine` or `after`, got both/],
    [{ footer: " " }, /Expected a text of one line/],
    [{ comment: "a\nb" }, /Expected a text of one line/],
    [{ foot: "x" }, /did you mean footer\?/],
  ];
  for (const [said, message] of wrong) {
    test(`is told what is wrong with ${JSON.stringify(said)}`, () => {
      const { error } = tableForm.safeParse(said);
      assert.match(error?.issues.map((issue) => issue.message).join() ?? "", message);
    });
  }
});
