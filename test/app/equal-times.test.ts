/** A feed's file and its events of one time: what came later stands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventStage } from "./event-stage.ts";

const AT = "2026-01-31T18:42:00Z";

test("of a file and an event of one time what came later stands, and a later row of the file", async (t) => {
  const { app, send, drain, value } = await eventStage(t);
  for (const username of ["ana", "bob", "cyd"]) app.pool.addUser({ username });
  const rows = (ana: string, bob: string) =>
    [
      "user,first,last,nick,at",
      `ana,${ana},,,${AT}`,
      `bob,one,,,${AT}`,
      `bob,${bob},,,${AT}`,
      `cyd,File,,,${AT}`,
      "",
    ].join("\n");
  const asked = { feed: "crm", duplicates: "last" } as const;
  await app.sync(await app.file(rows("File", "two")), asked);
  assert.deepEqual([value("ana"), value("bob"), value("cyd")], ["File", "two", "File"]);
  await send("crm", [
    { user: "ana", first: "Event", at: AT },
    { user: "bob", first: "Event", at: AT },
    { user: "cyd", first: "Older", at: "2026-01-31T18:41:59Z" },
  ]);
  await drain();
  assert.deepEqual([value("ana"), value("bob"), value("cyd")], ["Event", "Event", "File"]);
  const next = await app.file(rows("Next", "three"));
  assert.equal((await app.plan(next, asked)).figures.stale, undefined);
  await app.sync(next, asked);
  assert.deepEqual([value("ana"), value("bob")], ["Next", "three"]);
  for (const baseline of ["ledger", "none"] as const) {
    await send("crm", { user: "ana", first: `Event ${baseline}`, at: AT });
    await drain();
    assert.equal(value("ana"), `Event ${baseline}`);
    const again = await app.file(rows(`Row ${baseline}`, `row ${baseline}`));
    await app.sync(again, { ...asked, baseline });
    assert.deepEqual([value("ana"), value("bob")], [`Row ${baseline}`, `row ${baseline}`]);
  }
});
