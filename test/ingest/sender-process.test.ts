import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import { runCommand } from "../cli/command-run.ts";
import { until } from "../support/condition.ts";
import { POOL } from "../support/pool-stage.ts";
import { outboundMessage, SESSION } from "./outbound-sample.ts";
import { linesOf, portIn, SECRETS, setIngestStage } from "./process-stage.ts";

const AT = Date.parse("2026-01-31T18:42:00Z");
const FEEDS = `feeds:
  hubspot:
    pool: ${POOL}
    username: objectId
    attributes: { given_name: firstname }
    events: { scheme: hubspot, secret: HMAC_SECRET, publicUrl: "https://hooks.example.com/events/hubspot" }
  salesforce:
    pool: ${POOL}
    username: Alias__c
    attributes: { family_name: LastName }
    events: { scheme: salesforce-outbound, secret: TOKEN, organization: 00D5g000008AbcD }
  clouds:
    pool: ${POOL}
    username: user
    attributes: { nickname: nick }
    events: { scheme: bearer, secret: TOKEN, format: cloudevents }
  changes:
    pool: ${POOL}
    username: Alias__c
    attributes: { middle_name: MiddleName }
    events: { scheme: standard-webhooks, secret: CRM_SECRET }
`;

test("each sender's own form reaches its user by the process that takes events and a worker, and a gap is parked", async (t) => {
  const stage = await setIngestStage(t, "redis");
  await writeFile(join(stage.directory, "poolsync.yaml"), FEEDS);
  const ingest = stage.ingestHere();
  const worker = stage.deliverHere();
  const port = await portIn(ingest.log);
  const url = `http://127.0.0.1:${port}`;
  const { environment } = stage;
  const send = async (feed: string, body: unknown, ...words: readonly string[]) => {
    const stdin = typeof body === "string" ? body : JSON.stringify(body);
    return (await runCommand(["event", "send", "--feed", feed, "--url", url, "-", ...words], { environment, stdin }))
      .code;
  };

  const changed = { subscriptionType: "contact.propertyChange", propertyName: "firstname", occurredAt: AT };
  const object = (user: string, name: string) =>
    `<sf:Alias__c>${user}</sf:Alias__c><sf:LastName>${name}</sf:LastName><sf:SystemModstamp>2026-01-31T18:42:00Z</sf:SystemModstamp>`;
  const message = outboundMessage([
    { id: "04l5g00000AAAAAAA0", fields: object("u1", "Roe") },
    { id: "04l5g00000AAAABAA0", fields: object("u2", "Poe") },
  ]);
  const cloud = (user: string, nick: string) =>
    new CloudEvent({ source: "s", type: "t", time: new Date(AT).toISOString(), data: { user, nick } });
  const header = { entityName: "Contact", recordIds: ["003A"], changeType: "UPDATE", commitTimestamp: AT };
  const change = { payload: { ChangeEventHeader: header, Alias__c: "u5", MiddleName: "Lee" } };
  const gap = { payload: { ChangeEventHeader: { ...header, changeType: "GAP_UPDATE" } } };
  const codes = [
    await send("hubspot", [{ ...changed, objectId: "u0", propertyValue: "Ana" }]),
    await send("salesforce", message),
    await send("clouds", [cloud("u3", "Bo"), cloud("u4", "Cy")]),
    await send("changes", change),
    await send("changes", gap),
  ];
  assert.deepEqual(codes, [0, 0, 0, 0, 0]);
  const { headers, body } = HTTP.binary(cloud("u6", "Di"));
  const authorization = `Bearer ${SECRETS.TOKEN}`;
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  const binary = await fetch(`${url}/events/clouds`, {
    method: "POST",
    headers: { ...given, authorization },
    body: String(body),
  });
  assert.equal(binary.status, 200);

  const wanted: readonly (readonly [user: string, attribute: string, value: string])[] = [
    ["u0", "given_name", "Ana"],
    ["u1", "family_name", "Roe"],
    ["u2", "family_name", "Poe"],
    ["u3", "nickname", "Bo"],
    ["u4", "nickname", "Cy"],
    ["u5", "middle_name", "Lee"],
    ["u6", "nickname", "Di"],
  ];
  await until("all of them are written", () =>
    wanted.every(([user, attribute, value]) => stage.nameOf(user, attribute) === value),
  );
  await until("the gap is parked", () => linesOf(ingest.log()).some(({ reason }) => reason === "gap"));
  const listed = await runCommand(["dead", "list", "--json"], { environment });
  assert.match(listed.stdout, /"reason": "gap"[\s\S]*Plan the feed's whole export/);
  await ingest.stop();
  const log = ingest.log() + worker.log();
  assert.ok(!log.includes(SESSION) && !log.includes(SECRETS.TOKEN));
  assert.doesNotMatch(log, /Ana|Roe|u\d"/);
});
