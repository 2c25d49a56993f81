import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { readConfigFile } from "../../src/config/config-file.ts";
import { eventSecrets } from "../../src/config/config.ts";
import { SCHEMES } from "../../src/config/events.ts";
import type { Acceptance } from "../../src/ingest/ingest-server.ts";
import { startIngest } from "../ingest/ingest-stage.ts";
import { outboundMessage } from "../ingest/outbound-sample.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runCommand } from "./command-run.ts";

const SECRETS = { S: "the-secret", STANDARD: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
const HMAC = "scheme: hmac, secret: S, header: X-Sig";
const EVENTS: Readonly<Record<string, string>> = {
  standard: "scheme: standard-webhooks, secret: STANDARD",
  bamboo: "scheme: bamboohr, secret: S",
  hubspot: "scheme: hubspot, secret: S, publicUrl: 'https://hooks.example.com/a%40b'",
  hubspot2: "scheme: hubspot, secret: S, publicUrl: 'https://hooks.example.com/a%40b', signatureVersion: v2",
  hubspot1: "scheme: hubspot, secret: S, signatureVersion: v1",
  salesforce: "scheme: salesforce-outbound, secret: S, organization: 00D5g000008AbcD",
  plain: `${HMAC}, version: at, prefix: "sha256=", encoding: base64`,
  stripe: `${HMAC}, id: id, part: v1, timestampPart: t, signed: "{timestamp}.{body}", algorithm: sha512`,
  named: `${HMAC}, idHeader: X-Id, timestampHeader: X-Time, signed: "{id}.{timestamp}.{body}"`,
  token: "scheme: bearer, secret: S, version: at",
  clouds: "scheme: bearer, secret: S, format: cloudevents",
  open: "scheme: none",
  unset: "scheme: bamboohr, secret: NOT_SET",
};

const Sent = z.object({
  feed: z.string(),
  scheme: z.string(),
  url: z.string(),
  bytes: z.number(),
  status: z.number(),
  answer: z.string(),
  retryAfter: z.number().optional(),
  ms: z.number(),
});

describe("event send", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory();
    const feeds = Object.entries(EVENTS).map(
      ([name, events]) =>
        `  ${name}: { pool: eu-west-1_${name}, username: user, attributes: { given_name: first }, events: { ${events} } }\n`,
    );
    await writeFile(join(directory.path, "poolsync.yaml"), `feeds:\n${feeds.join("")}`);
    await writeFile(join(directory.path, "sample.json"), '{"user":"ana","first":"Ana"}');
    await writeFile(join(directory.path, "sample.xml"), outboundMessage());
    await writeFile(join(directory.path, "cloud.json"), '[{"specversion":"1.0","id":"1","source":"s","data":{}}]');
  });
  after(() => directory.remove());

  const send = (words: readonly string[], stdin?: string) =>
    runCommand(["event", "send", "--config", join(directory.path, "poolsync.yaml"), ...words], {
      environment: SECRETS,
      ...(stdin === undefined ? {} : { stdin }),
    });
  const file = (name: string) => join(directory.path, name);

  async function serve(t: Parameters<typeof startIngest>[0], acceptance: Acceptance = "accepted") {
    const { file: read } = await readConfigFile(file("poolsync.yaml"), { needed: true });
    const feeds = Object.entries(read?.feeds ?? {}).flatMap(([name, { events }]) =>
      events?.scheme === undefined ? [] : [{ name, events, secrets: eventSecrets(events, SECRETS) }],
    );
    assert.deepEqual(new Set(feeds.map(({ events }) => events.scheme)), new Set(SCHEMES));
    const accept = () => Promise.resolve(acceptance);
    const stage = await startIngest(t, feeds, { now: () => Date.now(), accept });
    return { stage, url: `http://127.0.0.1:${stage.port}` };
  }

  test("signs a sample as its feed's sender does, whichever that is", async (t) => {
    const { stage, url } = await serve(t);
    const samples: Readonly<Record<string, string>> = { salesforce: "sample.xml", clouds: "cloud.json" };
    const feeds = Object.keys(EVENTS).filter((name) => name !== "unset");
    for (const feed of feeds) {
      const said = await send(["--feed", feed, "--url", url, file(samples[feed] ?? "sample.json")]);
      assert.equal(said.code, 0, `${feed}: ${said.stdout}${said.stderr}`);
      assert.match(
        said.stdout,
        /^Sent \d+ bytes to http:.*\/events\/\w+ \([a-z-]+\)\.\nAnswered 200 (accepted: |<.*<Ack>true<)/,
      );
    }
    assert.deepEqual(
      stage.events.map((event) => event.feed),
      feeds,
    );
  });

  test("says with --json what it was answered, and nothing of the token in the address", async (t) => {
    const { stage, url } = await serve(t);
    const { code, stdout } = await send(["--feed", "token", "--url", `${url}/events/token?a=b`, "-", "--json"], "{}");
    const { ms, ...sent } = Sent.parse(JSON.parse(stdout));
    assert.ok(ms >= 0);
    assert.deepEqual(
      [code, sent],
      [
        0,
        {
          feed: "token",
          scheme: "bearer",
          url: `${url}/events/token`,
          bytes: 2,
          status: 200,
          answer: "accepted: the event is kept",
        },
      ],
    );
    assert.equal(stage.events[0]?.event.body.toString(), "{}");
  });

  test("ends with 1 where it was refused, and says when to send again", async (t) => {
    const { url } = await serve(t, "full");
    const full = await send(["--feed", "bamboo", "--url", url, file("sample.json")]);
    assert.deepEqual(
      [full.code, full.stdout.split("\n")[1]],
      [1, "Answered 503 full: the inbox is full (send again after 30 seconds)"],
    );
    const other = await send(["--feed", "bamboo", "--url", `${url}/events/plain`, file("sample.json")]);
    assert.deepEqual([other.code, other.stdout.split("\n")[1]?.slice(0, 22)], [1, "Answered 401 unsigned:"]);
    const long = await send(["--feed", "salesforce", "--url", url, file("sample.xml")]);
    assert.match(long.stdout, /^Answered 503 <\?xml.*<Ack>false<\/Ack>/m);
    assert.ok(!`${long.stdout}${long.stderr}`.includes(SECRETS.S));
  });

  const refused: [what: string, words: readonly string[], code: number, message: RegExp][] = [
    [
      "a feed without events",
      ["--feed", "nobody"],
      64,
      /a feed of poolsync\.yaml with `events` \(there are: standard, .*got `nobody`/,
    ],
    [
      "another scheme than the feed's",
      ["--feed", "bamboo", "--scheme", "hubspot"],
      64,
      /`bamboohr`, which is the scheme of feed bamboo/,
    ],
    ["a scheme that is none", ["--feed", "bamboo", "--scheme", "md5"], 64, /--scheme to be one of standard-webhooks/],
    ["an address that is none", ["--feed", "bamboo", "--url", "hooks.example.com"], 64, /an address such as https:/],
    [
      "an address with a password",
      ["--feed", "bamboo", "--url", "https://a:b@example.com"],
      64,
      /without a user or password/,
    ],
    ["a secret that is not set", ["--feed", "unset"], 64, /secret in NOT_SET: set that variable/],
    [
      "a token that would go in clear",
      ["--feed", "token", "--url", "http://hooks.example.com"],
      64,
      /an https address: the token of `bearer`/,
    ],
    [
      "an address where nobody is",
      ["--feed", "open", "--url", "http://127.0.0.1:1"],
      1,
      /Nobody answers at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\): see that/,
    ],
  ];
  for (const [what, words, code, message] of refused) {
    test(`sends nothing with ${what}, and says why`, async () => {
      const said = await send([...words, file("sample.json")]);
      assert.deepEqual([said.code, said.stdout], [code, ""]);
      assert.match(said.stderr, message);
    });
  }

  test("says which file cannot be read", async () => {
    const missing = await send(["--feed", "open", file("none.json")]);
    assert.deepEqual([missing.code, missing.stderr.includes("cannot be read (ENOENT)")], [1, true]);
    assert.equal((await send(["--feed", "open", directory.path])).code, 1);
  });
});
