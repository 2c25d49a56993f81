import assert from "node:assert/strict";
import { test } from "node:test";
import { nextStep, sentence, sentenceOf, textOf } from "../../src/core/sentence.ts";
import { StoreError } from "../../src/store/store-error.ts";

test("a sentence keeps its next steps as data until somebody shows them", () => {
  const said = sentence`Run ${"r-1"} has ${2} rows: see ${nextStep("runs", "show", "r-1")}.`;
  assert.deepEqual(
    said.filter((part) => typeof part !== "string"),
    [{ words: ["runs", "show", "r-1"] }],
  );
  assert.equal(textOf(said), "Run r-1 has 2 rows: see `poolsync runs show r-1`.");
  assert.equal(
    textOf(said, ({ words }) => `<${words.at(-1)}>`),
    "Run r-1 has 2 rows: see <r-1>.",
  );
  assert.equal(textOf("As it is."), "As it is.");
});

test("an error says its sentence, and one without says its message", () => {
  const said = sentence`See ${nextStep("status")}.`;
  assert.deepEqual(sentenceOf(new StoreError("in-use", said)), said);
  assert.deepEqual(sentenceOf(new Error("Nothing more.")), ["Nothing more."]);
});
