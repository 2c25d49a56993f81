import assert from "node:assert/strict";
import { test } from "node:test";
import { cancelledBefore, noteCancelled } from "../../src/app/runs/cancelled-content.ts";
import { testKeyring } from "../support/keyring.ts";
import { openMemoryStore } from "../support/memory-store.ts";

test("content that was cancelled is known, and a note of it that is broken says nothing", async () => {
  const { store } = openMemoryStore();
  const keyring = testKeyring();
  const identity = keyring.contentName("a digest");
  const { run } = await store.runs.begin({ id: "r", source: "file", pool: "p", feed: "f", identity, asOf: 0 });
  await store.runs.transition(run.id, ["reading"], "cancelled");
  await noteCancelled(store, run);
  const found = (content = identity) =>
    cancelledBefore({ store, keyring }, [], { pool: "p", feed: "f", identity: content });
  assert.equal(await found(), "r");
  assert.equal(await found(keyring.contentName("another")), undefined);
  for (const text of ["{", "", "null", '"text"', '{"content":1,"run":"r"}', `{"content":"${identity}"}`]) {
    await store.setValue("cancelled p f", text);
    assert.equal(await found(), undefined, text);
  }
});
