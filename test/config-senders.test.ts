import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readConfigFile } from "../src/config/config-file.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

async function read(said: string, feed = "") {
  const directory = await temporaryDirectory();
  try {
    const path = join(directory.path, "poolsync.yaml");
    const mapped = `pool: eu-west-1_A, username: id, attributes: { given_name: n }${feed}`;
    await writeFile(path, `feeds: { crm: { ${mapped}, events: { ${said} } } }\n`);
    const { file, problems } = await readConfigFile(path, { needed: true });
    return { setting: file?.feeds["crm"]?.events, problems };
  } finally {
    await directory.remove();
  }
}

const HUBSPOT = "scheme: hubspot, secret: S, publicUrl: https://hooks.example.com/events/crm";
const SALESFORCE = "scheme: salesforce-outbound, secret: S, organization: 00D5g000008AbcDEAW";

describe("a sender with a form of its own", () => {
  test("has its own version where none is said, and HubSpot's newest signature", async () => {
    const { setting: hubspot, problems } = await read(HUBSPOT, ", version: updated");
    assert.deepEqual(problems, []);
    assert.equal(hubspot?.signatureVersion, "v3");
    assert.equal(hubspot.mapping.versionColumn, "occurredAt");
    assert.equal(hubspot.portal, undefined);
    assert.equal((await read(`${HUBSPOT}, portal: 62515`)).setting?.portal, 62515);
    assert.equal((await read(`${HUBSPOT}, version: at`)).setting?.mapping.versionColumn, "at");
    const { setting: salesforce } = await read(SALESFORCE);
    assert.equal(salesforce?.organization, "00D5g000008AbcD");
    assert.equal(salesforce.mapping.versionColumn, "SystemModstamp");
    const { setting: ofFile } = await read(SALESFORCE, ", version: LastModifiedDate");
    assert.equal(ofFile?.mapping.versionColumn, "LastModifiedDate");
  });

  test("needs no public address for HubSpot's oldest signature, which has none", async () => {
    const { setting, problems } = await read("scheme: hubspot, secret: S, signatureVersion: v1");
    assert.deepEqual(problems, []);
    assert.equal(setting?.signatureVersion, "v1");
  });

  test("may send CloudEvents with any signature, which have ids", async () => {
    const hmac = 'hmac, secret: S, header: X-Sig, idHeader: X-Id, signed: "{id}.{body}"';
    const timed = 'hmac, secret: S, header: X-Sig, timestampHeader: X-T, signed: "{timestamp}.{body}"';
    const versioned = "hmac, secret: S, header: X-Sig, version: at";
    for (const scheme of ["standard-webhooks, secret: S", "bearer, secret: S", "none", hmac, timed, versioned]) {
      const { setting, problems } = await read(`scheme: ${scheme}, format: cloudevents`);
      assert.deepEqual(problems, [], scheme);
      assert.equal(setting?.format, "cloudevents");
    }
  });

  const refused: [said: string, key: string, message: RegExp][] = [
    ["scheme: hubspot, secret: S", "publicUrl", /address that HubSpot calls.*got nothing/],
    ["scheme: hubspot, secret: S, signatureVersion: v2", "publicUrl", /a part of what HubSpot signs/],
    ["scheme: hubspot, secret: S, publicUrl: hooks.example.com", "publicUrl", /such as https:/],
    ["scheme: hubspot, secret: S, publicUrl: 'https://hooks.example.com/ä'", "publicUrl", /such as https:/],
    [`${HUBSPOT}, signatureVersion: v4`, "signatureVersion", /one of v3, v2, v1, got `v4`/],
    [`${HUBSPOT}, signatureVersion: v1, tolerance: 1h`, "tolerance", /older ones have no time/],
    [`${HUBSPOT}, id: eventId`, "id", /says itself which event it is/],
    [`${HUBSPOT}, portal: acme`, "portal", /number of a HubSpot account.*got `acme`/],
    [`${SALESFORCE}, portal: 62515`, "portal", /it is for `hubspot`/],
    [`${HUBSPOT}, organization: 00D5g000008AbcD`, "organization", /it is for `salesforce-outbound`/],
    [`${HUBSPOT}, format: cloudevents`, "format", /a form of its own/],
    ["scheme: salesforce-outbound, organization: 00D5g000008AbcD", "secret", /name of a variable/],
    ["scheme: salesforce-outbound, secret: S", "organization", /id of a Salesforce organization.*got nothing/],
    [`${SALESFORCE}, records: a`, "records", /each object is a record/],
    [`${SALESFORCE}, tolerance: 5m`, "tolerance", /no time of signing/],
    ["scheme: salesforce-outbound, secret: S, organization: acme", "organization", /beginning with 00D/],
    ["scheme: bearer, secret: S, version: at, publicUrl: https://a.example", "publicUrl", /it is for `hubspot`/],
    ["scheme: hmac, secret: S, header: X-Sig, format: cloudevents", "version", /a signed id .* or a signed time/],
    ["scheme: none, format: avro", "format", /one of cloudevents, got `avro`/],
    ["scheme: none, format: cloudevents, id: id", "id", /ids of their own/],
    ["scheme: none, format: cloudevents, idHeader: X-Id", "idHeader", /ids of their own/],
  ];
  for (const [said, key, message] of refused) {
    test(`is refused with { ${said} }`, async () => {
      const { setting, problems } = await read(said);
      assert.equal(setting, undefined);
      const found = problems.find(({ path }) => path === `poolsync.yaml: feeds.crm.events.${key}`);
      assert.match(found?.message ?? JSON.stringify(problems), message);
    });
  }
});
