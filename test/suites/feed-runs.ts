import { createUser } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** Whoever pauses, in the cases. */
export const BY = { by: "zofia@desk", reason: "a wrong file" };

/** A user, and runs of feeds that no other case has. */
export async function feedRuns(suite: Suite) {
  const u = await createUser(suite);
  const { runs, gates, mailboxes } = suite.store;
  async function newFeed() {
    const [feed, id] = [suite.fresh("feed"), suite.fresh("run")];
    await runs.begin({ id, source: "file", pool: u.pool, feed, identity: "", asOf: 0 });
    return { feed, run: id, cancel: () => runs.transition(id, ["reading"], "cancelled") };
  }
  return {
    ...u,
    runs,
    gates,
    mailboxes,
    newFeed,
    due: () => mailboxes.dueCount(u.pool),
    sortOut: () => mailboxes.sortOut({ pool: u.pool }, { offset: 0, limit: 100 }),
  };
}
