/** Events of senders with a form of their own, on their way from the inbox to users. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeSchedules } from "../../src/queues/schedules.ts";
import { POOL } from "../support/pool-stage.ts";
import { eventStage } from "./event-stage.ts";

const AT = Date.parse("2026-01-31T18:42:00Z");
const CONFIG = `
  pools: { staff: { id: ${POOL} } }
  feeds:
    hubspot:
      pool: staff
      username: objectId
      attributes: { given_name: firstname, family_name: lastname }
      events: { scheme: hubspot, secret: S, publicUrl: "https://hooks.example.com/events/hubspot" }
    crm:
      pool: staff
      username: Id
      file: https://crm.example.com/export.csv
      schedule: { every: 24h }
      snapshotAge: 1h
      attributes: { nickname: { column: Title, onBlank: clear } }
      events: { scheme: bearer, secret: S, version: SystemModstamp }
    people:
      pool: staff
      username: user
      attributes: { name: first }
      events: { scheme: bearer, secret: S, format: cloudevents }
`;

test("several properties of a contact of HubSpot reach the user, the newest of each", async (t) => {
  const { app, send, drain, value } = await eventStage(t, { config: CONFIG });
  for (const username of ["101", "102"]) app.pool.addUser({ username });
  const changed = (objectId: number, propertyName: string, propertyValue: string, after = 0) => {
    return {
      subscriptionType: "contact.propertyChange",
      objectId,
      propertyName,
      propertyValue,
      occurredAt: AT + after,
    };
  };
  const events = [
    changed(101, "firstname", "Anna", 2),
    changed(102, "firstname", "Bo"),
    changed(101, "firstname", "Ana", 1),
    changed(101, "lastname", "Roe", 1),
  ];
  assert.equal(await send("hubspot", events, { scheme: "hubspot" }), "accepted");
  await drain();
  assert.deepEqual([value("101"), value("101", "family_name"), value("102")], ["Anna", "Roe", "Bo"]);
  await send("hubspot", [changed(101, "firstname", "late", 1)], { scheme: "hubspot" });
  await drain();
  assert.equal(value("101"), "Anna");
});

test("a change event of Salesforce reaches each of its users, and one that lost what changed asks for the feed", async (t) => {
  const { app, engine, send, drain, value, parked, logged } = await eventStage(t, { config: CONFIG });
  for (const username of ["003A", "003B"]) app.pool.addUser({ username, attributes: { nickname: "Old" } });
  await placeSchedules(engine.queues, new Map([["crm", { everyMs: 86_400_000 }]]));
  const change = (header: object, fields: object) => ({
    payload: {
      ChangeEventHeader: {
        entityName: "Contact",
        recordIds: ["003A", "003B"],
        changeType: "UPDATE",
        changedFields: ["Title"],
        nulledFields: [],
        commitTimestamp: AT,
        ...header,
      },
      ...fields,
    },
  });
  await send("crm", change({}, { Title: "VP" }), { scheme: "bearer" });
  const cleared = { recordIds: ["003B"], nulledFields: ["Title"], commitTimestamp: AT + 1 };
  await send("crm", change(cleared, { Title: null }), { scheme: "bearer" });
  await drain();
  assert.deepEqual([value("003A", "nickname"), value("003B", "nickname")], ["VP", undefined]);
  assert.doesNotMatch(logged(), /after a gap/);

  for (const changeType of ["GAP_UPDATE", "GAP_OVERFLOW", "GAP_DELETE"]) {
    await send("crm", [change({ changeType }, {}), change({}, { Title: "VP" })], { scheme: "bearer" });
    await drain();
  }
  assert.deepEqual(await parked(), ["crm gap", "crm gap", "crm gap"]);
  const orders = await engine.queues.queue("directory").getJobs();
  assert.deepEqual(
    orders
      .filter(({ name }) => name === "asked")
      .toSorted((one, other) => one.delay - other.delay)
      .map(({ data, delay }) => [data, delay]),
    [
      [{ feed: "crm" }, 0],
      [{ feed: "crm" }, 3_600_000],
    ],
  );
  assert.match(logged(), /plan asked for after a gap/);
  assert.equal(value("003A", "nickname"), "VP");
});

test("a feed without a schedule has its gaps parked, and a CloudEvent reaches its user by its time", async (t) => {
  const { app, engine, send, drain, value, parked } = await eventStage(t, { config: CONFIG });
  app.pool.addUser({ username: "ana" });
  const type = { contentType: "application/cloudevents+json", scheme: "bearer" } as const;
  const event = (time: number, data: object) => {
    return { specversion: "1.0", id: String(time), source: "s", type: "t", time: new Date(time).toISOString(), data };
  };
  await send("people", event(AT + 1, { user: "ana", first: "Ana" }), type);
  await send("people", event(AT, { user: "ana", first: "late" }), type);
  const header = { entityName: "Contact", recordIds: ["003A"], changeType: "GAP_CREATE", commitTimestamp: AT };
  await send("people", event(AT, { ChangeEventHeader: header }), type);
  await drain();
  assert.equal(value("ana", "name"), "Ana");
  assert.deepEqual(await parked(), ["people gap"]);
  assert.deepEqual(await engine.queues.queue("directory").getJobs(), []);
});
