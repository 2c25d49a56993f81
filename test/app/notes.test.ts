import assert from "node:assert/strict";
import { test } from "node:test";
import { cancelledBefore, noteCancelled } from "../../src/app/runs/cancelled-content.ts";
import { countUnsealed, SEALING_NOTE } from "../../src/store/sealing.ts";
import { openMemoryStore } from "../support/memory-store.ts";

const BROKEN = ["{", "5", "null", "[1]", '{"broken":1}', '{"content":5,"run":1e999}', ""];

test("a note of a cancelled run that is broken is none, and is written anew", async () => {
  const { store } = openMemoryStore();
  const { run } = await store.runs.begin({
    id: "run",
    source: "file",
    pool: "pool",
    feed: "feed",
    identity: "content",
    asOf: 0,
  });
  for (const broken of BROKEN) {
    await store.setValue("cancelled pool feed", broken);
    assert.equal(await cancelledBefore(store, [], run), undefined);
  }
  await noteCancelled(store, run);
  assert.equal(await cancelledBefore(store, [], run), "run");
});

test("a note of the sealing that is broken says that nothing was met yet", async () => {
  const { store } = openMemoryStore();
  const shelves = async () => [{ kind: "letters", of: "", texts: 3 }] as const;
  const getValue = (name: string) => store.getValue(name);
  for (const broken of BROKEN) {
    await store.setValue(SEALING_NOTE, broken);
    assert.equal(await countUnsealed({ texts: { ...store.texts, shelves }, getValue }), 3);
  }
});
