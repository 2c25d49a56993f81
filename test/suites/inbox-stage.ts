import assert from "node:assert/strict";
import type { NewEntry, ParkedFilter } from "../../src/store/inbox.ts";
import type { Suite } from "./open-store.ts";

export const LIMITS = { entries: 1_000_000, bytes: 1_000_000_000 };
export const LEASE_MS = 2_000;
const ALL = { leaseMs: LEASE_MS, limit: 100, maxBytes: 1_000_000 };

/** Sets the stage for a case of the inbox. */
export function inboxStage(suite: Suite) {
  /** What cases have taken: they leave some of it. */
  const tokens: string[] = [];
  const events: string[] = [];

  /** A feed of its own. Nothing that other cases have left can be taken, or is parked. */
  return async () => {
    const { inbox } = suite.store;
    for (const token of tokens.splice(0)) await inbox.done({ token, ids: events });
    for (const { id } of (await inbox.take("left", ALL)).entries) await inbox.done({ token: "left", ids: [id] });
    await inbox.discard((await Array.fromAsync(inbox.parked({}))).map(({ id }) => id));
    const feed = suite.fresh("feed");
    const entry = (more: Partial<NewEntry> = {}): NewEntry => {
      const id = suite.fresh("event");
      events.push(id);
      return { id, feed, body: `b:${id}`, ...more };
    };
    const add = async (...entries: readonly NewEntry[]) => {
      const added = await inbox.add(entries, LIMITS);
      assert.ok(added !== "full");
      return added;
    };
    const take = async (options: Partial<typeof ALL> = {}) => {
      const token = suite.fresh("token");
      tokens.push(token);
      const taken = await inbox.take(token, { ...ALL, ...options });
      return { token, ids: taken.entries.map(({ id }) => id), ...taken };
    };
    const park = async (reason: string, ...entries: readonly NewEntry[]) => {
      await add(...entries);
      const taken = await take();
      assert.deepEqual(await inbox.park(taken, reason), taken.ids);
      return taken.ids;
    };
    const parkedIds = async (filter: ParkedFilter = {}) =>
      (await Array.fromAsync(inbox.parked(filter))).map(({ id }) => id);
    return { inbox, feed, entry, add, take, park, parkedIds };
  };
}
