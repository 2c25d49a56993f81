import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { eventSecrets } from "../../src/config/config.ts";
import { readConfigFile } from "../../src/config/config-file.ts";
import { ALGORITHMS, ENCODINGS, SCHEMES } from "../../src/config/events.ts";
import { ANSWERS, RETRY_AFTER, WHILE_FULL } from "../../src/ingest/answers.ts";
import type { IngestFeed } from "../../src/ingest/ingest-server.ts";
import { marked, only, section, table } from "../support/markdown-page.ts";
import { NOW, startIngest } from "./ingest-stage.ts";
import { outboundMessage } from "./outbound-sample.ts";

// docs/events.md, held against the code, and its examples signed as their senders sign.

const docs = join(dirname(dirname(import.meta.dirname)), "docs");
const page = readFileSync(join(docs, "events.md"), "utf8");
const ENVIRONMENT = {
  BAMBOO_SECRET: "123b929362d51613054f71e5e5d4bf2c",
  CRM_SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  STRIPE_SECRET: "stripe's",
  GITHUB_SECRET: "github's",
  DEEL_SECRET: "deel's",
  GREENHOUSE_SECRET: "greenhouse's",
  HUBSPOT_SECRET: "hubspot's",
  SALESFORCE_TOKEN: "salesforce's",
  PEOPLE_TOKEN: "people's",
};

/** The feeds with events of a YAML, and their secrets. */
async function feedsOf(yaml: string): Promise<IngestFeed[]> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-senders-"));
  try {
    const path = join(directory, "poolsync.yaml");
    await writeFile(path, yaml);
    const { file, problems } = await readConfigFile(path, { needed: true });
    assert.deepEqual(problems, []);
    return Object.entries(file?.feeds ?? {}).flatMap(([name, { events }]) =>
      events?.scheme === undefined ? [] : [{ name, events, secrets: eventSecrets(events, ENVIRONMENT) }],
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The feeds of the page's first example, and one of each form of `hmac` by the name of its sender. */
async function exampleFeeds(): Promise<IngestFeed[]> {
  const [, first = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const forms = Array.from(section(page, "Forms of hmac").matchAll(/^(\w+): [^\n]*\n\n```yaml\n([\s\S]*?)```/gm));
  assert.equal(forms.length, 4);
  const feeds = forms.map(([, sender = "", yaml = ""]) => {
    const indented = yaml.replaceAll(/^(?=.)/gm, "    ");
    return `  ${sender}:\n    pool: eu-west-1_${sender}\n    username: id\n    attributes: { given_name: n }\n${indented}`;
  });
  return feedsOf(first + feeds.join(""));
}

/** The feed of a section that has one of its own. */
async function exampleOf(title: string): Promise<readonly IngestFeed[]> {
  const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(section(page, title)) ?? [];
  return feedsOf(yaml);
}

const SECONDS = String(NOW / 1000);
const hex = (key: string, text: string) => createHmac("sha256", key).update(text).digest("hex");
const BODY = '{"id":"evt_1","action":"hired","payload":{"id":7,"name":"Zoë"}}';

interface Sender {
  readonly feed: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string | undefined;
  readonly signedAtMs?: number;
}

const bamboo = hex(ENVIRONMENT.BAMBOO_SECRET, BODY + SECONDS);
const standard = new Webhook(ENVIRONMENT.CRM_SECRET).sign("msg_1", new Date(NOW), BODY);
const svix = { "svix-id": "msg_1", "svix-timestamp": SECONDS, "svix-signature": standard };
const SENDERS: Readonly<Record<string, Sender>> = {
  BambooHR: {
    feed: "hr",
    headers: { "X-BambooHR-Timestamp": SECONDS, "X-BambooHR-Signature": bamboo },
    id: bamboo,
    signedAtMs: NOW,
  },
  "Standard Webhooks": {
    feed: "crm",
    headers: { "webhook-id": "msg_1", "webhook-timestamp": SECONDS, "webhook-signature": standard },
    id: "msg_1",
    signedAtMs: NOW,
  },
  Svix: { feed: "crm", headers: svix, id: "msg_1", signedAtMs: NOW },
  Stripe: {
    feed: "Stripe",
    headers: { "Stripe-Signature": `t=${SECONDS},v1=${hex(ENVIRONMENT.STRIPE_SECRET, `${SECONDS}.${BODY}`)},v0=00` },
    id: "evt_1",
    signedAtMs: NOW,
  },
  GitHub: {
    feed: "GitHub",
    headers: { "X-Hub-Signature-256": `sha256=${hex(ENVIRONMENT.GITHUB_SECRET, BODY)}`, "X-GitHub-Delivery": "d" },
    id: undefined,
  },
  Deel: { feed: "Deel", headers: { "x-deel-signature": hex(ENVIRONMENT.DEEL_SECRET, `POST${BODY}`) }, id: undefined },
  Greenhouse: {
    feed: "Greenhouse",
    headers: { Signature: `sha256 ${hex(ENVIRONMENT.GREENHOUSE_SECRET, BODY)}` },
    id: undefined,
  },
};

describe("a sender", () => {
  for (const [sender, { feed, headers, id, signedAtMs }] of Object.entries(SENDERS)) {
    test(`such as ${sender} is let in with the settings of the page, and nobody else is`, async (t) => {
      const stage = await startIngest(t, await exampleFeeds());
      const path = `/events/${feed}`;
      assert.equal((await stage.send({ path, headers, body: BODY })).status, 200);
      const [{ event } = assert.fail()] = stage.events;
      assert.deepEqual([event.id, event.signedAtMs, event.body.toString()], [id, signedAtMs, BODY]);
      assert.equal((await stage.send({ path, headers, body: `${BODY} ` })).status, 401);
      assert.equal((await stage.send({ path, body: BODY })).status, 401);
      assert.equal(stage.events.length, 1);
    });
  }
});

describe("a sender with a form of its own", () => {
  test("such as HubSpot is let in with the settings of the page, and nobody else is", async (t) => {
    const stage = await startIngest(t, await exampleOf("HubSpot"));
    const signed = createHmac("sha256", ENVIRONMENT.HUBSPOT_SECRET)
      .update(`POSThttps://hooks.example.com/events/hubspot${BODY}${NOW}`)
      .digest("base64");
    const headers = { "X-HubSpot-Request-Timestamp": String(NOW), "X-HubSpot-Signature-v3": signed };
    const path = "/events/hubspot";
    assert.equal((await stage.send({ path, headers, body: BODY })).status, 200);
    assert.equal((await stage.send({ path, headers, body: `${BODY} ` })).status, 401);
    assert.equal(stage.events.length, 1);
  });

  test("such as Salesforce is let in with the settings of the page, and nobody else is", async (t) => {
    const stage = await startIngest(t, await exampleOf("Outbound messages of Salesforce"));
    const request = { headers: { "content-type": "text/xml" }, body: outboundMessage() };
    const path = "/events/salesforce";
    assert.equal((await stage.send({ path: `${path}?token=salesforce%27s`, ...request })).status, 200);
    assert.equal((await stage.send({ path: `${path}?token=mallory`, ...request })).status, 401);
    assert.equal((await stage.send({ path, ...request })).status, 401);
    assert.equal(stage.events.length, 1);
  });

  test("such as a source of CloudEvents is let in with the settings of the page, and nobody else is", async (t) => {
    const stage = await startIngest(t, await exampleOf("CloudEvents"));
    const body = '{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"user":"ana","first":"Ana"}}';
    const headers = { "content-type": "application/cloudevents+json" };
    const path = "/events/people";
    const authorization = `Bearer ${ENVIRONMENT.PEOPLE_TOKEN}`;
    assert.equal((await stage.send({ path, headers: { ...headers, authorization }, body })).status, 200);
    assert.equal((await stage.send({ path, headers, body })).status, 401);
    assert.deepEqual(
      stage.events.map(({ event }) => event.id),
      ['["s","1"]'],
    );
  });
});

describe("the page on events", () => {
  test("has every reason with its status", () => {
    const rows = table(section(page, "What a sender is answered"), "reason");
    const said = Object.fromEntries(rows.map((row) => [only(row["reason"]), row["status"]]));
    const real = Object.entries(ANSWERS).map(([reason, { status = "–" }]) => [reason, String(status)]);
    const full = Array.from(new Set(Object.values(WHILE_FULL)), String)
      .toSorted()
      .join(", ");
    assert.deepEqual(said, { ...Object.fromEntries(real), full });
    assert.ok(page.includes(`\`Retry-After: ${RETRY_AFTER}\``));
  });

  test("has what each scheme is told while the inbox is full, and every scheme", () => {
    const rows = table(section(page, "What a sender is answered"), "scheme");
    assert.deepEqual(Object.fromEntries(rows.map((row) => [only(row["scheme"]), Number(row["answer"])])), WHILE_FULL);
    assert.deepEqual(
      table(section(page, "Schemes"), "scheme").map((row) => only(row["scheme"])),
      [...SCHEMES],
    );
  });

  test("and the one on operations have the same schemes, and the forms of a signature", () => {
    const operations = readFileSync(join(docs, "operations.md"), "utf8");
    const rows = table(section(operations, "poolsync.yaml"), "key");
    const form = (key: string) =>
      marked(rows.find((row) => only(row["key"]) === `feeds.<name>.events.${key}`)?.["form"]);
    assert.deepEqual([form("scheme"), form("algorithm"), form("encoding")], [SCHEMES, ALGORITHMS, ENCODINGS]);
  });
});
