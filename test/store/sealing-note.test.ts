import assert from "node:assert/strict";
import { test } from "node:test";
import { countUnsealed, SEALING_NOTE } from "../../src/store/sealing.ts";
import { openMemoryStore } from "../support/memory-store.ts";

const BROKEN = ["{", "5", "null", "[1]", '{"broken":1}', '{"content":5,"run":1e999}', ""];

test("a note of the sealing that is broken says that nothing was met yet", async () => {
  const { store } = openMemoryStore();
  const shelves = async () => [{ kind: "letters", of: "", texts: 3 }] as const;
  const getValue = (name: string) => store.getValue(name);
  for (const broken of BROKEN) {
    await store.setValue(SEALING_NOTE, broken);
    assert.equal(await countUnsealed({ texts: { ...store.texts, shelves }, getValue }), 3);
  }
});
