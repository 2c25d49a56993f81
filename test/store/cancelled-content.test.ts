/** A content that somebody has cancelled is not asked about again by its schedule, until it changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { waitingIdentity } from "../../src/app/runs/approvals.ts";
import { cancelledBefore, noteCancelled } from "../../src/app/runs/cancelled-content.ts";
import type { Run } from "../../src/store/runs.ts";
import { testKeyring } from "../support/keyring.ts";
import { openMemoryStore } from "../support/memory-store.ts";

test("what was cancelled while it waited is left alone night after night, and other content is not", async () => {
  const { store } = openMemoryStore();
  const keyring = testKeyring();
  const [wrong, right] = [keyring.contentName("wrong"), keyring.contentName("right")];
  const feed = { pool: "pool", feed: "hr" };
  const begin = async (id: string, identity: string, state: Run["state"]): Promise<Run> => {
    await store.runs.begin({ ...feed, id, source: "file", identity, asOf: 0 });
    await store.runs.transition(id, ["reading"], state);
    const run = await store.runs.get(id);
    return run ?? assert.fail("Expected the run that was begun");
  };
  const before = async (identity: string) =>
    cancelledBefore({ store, keyring }, await store.runs.list(10), { ...feed, identity });
  const latest = (): Promise<readonly Run[]> => store.runs.list(10);

  await noteCancelled(store, await begin("r-1", waitingIdentity(wrong), "cancelled"));
  for (const _night of [1, 2]) assert.equal(await before(wrong), "r-1");
  assert.equal(await before(right), undefined);
  const otherFeed = { pool: "pool", feed: "crm", identity: wrong };
  assert.equal(await cancelledBefore({ store, keyring }, await latest(), otherFeed), undefined);

  // By hand somebody has it put after all.
  await begin("r-2", wrong, "finished");
  assert.equal(await before(wrong), undefined);
});
