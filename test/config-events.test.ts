import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventSecrets } from "../src/config/config.ts";
import { readConfigFile } from "../src/config/config-file.ts";
import { queueTarget, sharedQueueFaults, type SqsSetting } from "../src/config/sqs.ts";
import { awsSettings } from "../src/core/call-target.ts";

describe("a feed with events", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-events-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  async function readAll(yaml: string) {
    const path = join(directory, "poolsync.yaml");
    await writeFile(path, yaml);
    return readConfigFile(path, { needed: true });
  }
  const POOL = "pool: eu-west-1_A";
  const MAPPED = "username: id, attributes: { given_name: n }";
  const read = (feed: string, name = "hr") => readAll(`feeds: { ${name}: { ${feed} } }\n`);
  const events = async (said: string, feed = `${POOL}, ${MAPPED}`) => {
    const { file, problems } = await read(`${feed}, events: { ${said} }`);
    return { setting: file?.feeds["hr"]?.events, problems };
  };

  test("may have a file too, and what events do not say for themselves is the feed's", async () => {
    const { file, problems } = await readAll(`
feeds:
  hr:
    file: https://hr.example.com/export.csv.gz
    schedule: { cron: 30 2 * * *, timezone: Europe/Berlin }
    snapshotAge: 1h
    pool: eu-west-1_Staff
    username: Employee ID
    match: custom:employee_id
    attributes: { given_name: First Name }
    events:
      scheme: bamboohr
      secret: [BAMBOO_SECRET, BAMBOO_SECRET_OLD]
      records: "employees[*]"
      username: "fields.Employee #.value"
      attributes: { given_name: "fields.First name.value" }
  crm:
    pool: eu-west-1_Partners
    username: user
    version: at
    attributes: { given_name: first }
    events: { scheme: standard-webhooks, secret: CRM_SECRET, tolerance: 1h, maxMegabytes: 2 }
`);
    assert.deepEqual(problems, []);
    const { hr, crm } = file?.feeds ?? {};
    assert.equal(hr?.snapshotAge, 3_600_000);
    assert.equal(hr.mapping.usernameColumn, "Employee ID");
    const { mapping, ...bamboo } = hr.events ?? {};
    assert.deepEqual(bamboo, {
      scheme: "bamboohr",
      secret: ["BAMBOO_SECRET", "BAMBOO_SECRET_OLD"],
      hmac: undefined,
      toleranceMs: 300_000,
      maxBytes: 1_048_576,
      id: undefined,
      idHeader: undefined,
      records: "employees[*]",
      rescanMs: undefined,
    });
    assert.equal(mapping?.usernameColumn, "fields.Employee #.value");
    assert.equal(mapping.match, "custom:employee_id");
    assert.equal(mapping.unknown, "ignore");
    assert.deepEqual(
      mapping.attributes.map(({ name, column }) => [name, column]),
      [["given_name", "fields.First name.value"]],
    );
    assert.equal(crm?.file, undefined);
    assert.deepEqual(crm?.events?.secret, ["CRM_SECRET"]);
    assert.equal(crm.events.toleranceMs, 3_600_000);
    assert.equal(crm.events.maxBytes, 2_097_152);
    assert.deepEqual(crm.events.mapping, { ...crm.mapping, unknown: "ignore" });
  });

  test("does not look for what a column holds that says it itself in the attribute of `match`", async () => {
    const { setting } = await events(
      "scheme: none, username: { column: mail, is: email }",
      `${POOL}, match: custom:employee_id, ${MAPPED}`,
    );
    assert.equal(setting?.mapping.match, undefined);
    assert.equal(setting?.mapping.identifier, "email");
  });

  test("has its pool scanned each hour where it matches by what nobody can be asked for, and has no file", async () => {
    const rescanOf = async (said: string, feed = "") => {
      const { setting, problems } = await events(`scheme: none${said}`, `${POOL}, ${MAPPED}${feed}`);
      return problems[0]?.message ?? setting?.rescanMs;
    };
    const WITH_FILE = ", file: a.csv, snapshotAge: 1h";
    assert.equal(await rescanOf(""), undefined);
    assert.equal(await rescanOf(", match: email"), undefined);
    assert.equal(await rescanOf(", match: custom:id"), 3_600_000);
    assert.equal(await rescanOf("", ", match: custom:id"), 3_600_000);
    assert.equal(await rescanOf(", match: custom:id, rescan: 2h"), 7_200_000);
    assert.equal(await rescanOf(", match: custom:id", WITH_FILE), undefined);
    assert.equal(await rescanOf(", match: custom:id, rescan: 30m", WITH_FILE), 1_800_000);
    assert.equal(await rescanOf(", rescan: 30m", `${WITH_FILE}, match: custom:id`), 1_800_000);
  });

  test("takes the forms in which senders sign by `hmac`", async () => {
    const { setting, problems } = await events(
      'scheme: hmac, secret: S, id: id, header: Stripe-Signature, part: v1, timestampPart: t, signed: "{timestamp}.{body}"',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(setting?.hmac, {
      header: "Stripe-Signature",
      part: "v1",
      prefix: undefined,
      algorithm: "sha256",
      encoding: "hex",
      signed: "{timestamp}.{body}",
      timestampHeader: undefined,
      timestampPart: "t",
    });
  });

  const HMAC = "scheme: hmac, secret: S, version: at, header: X-Sig";
  const refused: [said: string, path: string, message: RegExp][] = [
    [
      "scheme: md5",
      "scheme",
      /one of standard-webhooks, bamboohr, hubspot, salesforce-outbound, hmac, bearer, none, got `md5`/,
    ],
    ["scheme: bamboohr", "secret", /name of a variable .*got nothing/],
    ["scheme: bamboohr, secret: s3cr3t/+", "secret", /not the secret itself/],
    ["scheme: bamboohr, secret: [A, B, C]", "secret", /a list of two/],
    ["scheme: bamboohr, secret: []", "secret", /a list of two/],
    ["scheme: none, secret: A", "secret", /no secret beside `scheme: none`/],
    ["scheme: bearer, secret: A", "version", /a `version`, or an `id`, beside `scheme: bearer`/],
    ["scheme: hmac, secret: A, header: X-Sig", "version", /a `version`, or an `id`, beside `scheme: hmac`/],
    ["scheme: hmac, secret: A, version: at", "header", /name of a header such as X-Signature, got nothing/],
    ["scheme: hmac, secret: A, version: at, header: 'a b'", "header", /name of a header/],
    ["scheme: hmac, secret: A, header: X-Sig, idHeader: X-Id", "idHeader", /`\{id\}` in what is `signed`/],
    [`${HMAC}, idHeader: X-Id`, "idHeader", /not signed\. Leave `idHeader` out/],
    [`${HMAC}, idHeader: X-Id, timestampHeader: X-T, signed: "{timestamp}.{body}"`, "idHeader", /not signed/],
    [`${HMAC}, signed: "{timestamp}.{body}"`, "signed", /`timestampHeader` or `timestampPart`/],
    [`${HMAC}, timestampHeader: X-T`, "signed", /a time that is not signed/],
    [`${HMAC}, signed: "POST"`, "signed", /`\{body\}` once/],
    [`${HMAC}, signed: "{body}{url}"`, "signed", /`\{body\}` once/],
    [`${HMAC}, signed: "{id}.{body}"`, "idHeader", /header of the `\{id\}`/],
    ...["{id}{timestamp}.{body}", "{timestamp}0{body}", "{body}.{timestamp}{id}", "{id}-{timestamp}.{body}"].map(
      (signed): [string, string, RegExp] => [
        `${HMAC}, idHeader: X-Id, timestampHeader: X-T, signed: "${signed}"`,
        "signed",
        /between `\{(id|timestamp)\}` and what follows on the side of `\{body\}`/,
      ],
    ),
    [`${HMAC}, timestampPart: t, signed: "{timestamp}{body}"`, "part", /`timestampPart` is another one/],
    [
      `${HMAC}, part: v1, timestampPart: t, timestampHeader: X-T, signed: "{timestamp}{body}"`,
      "timestampPart",
      /one of `timestampHeader` and `timestampPart`/,
    ],
    [`${HMAC}, tolerance: 5m`, "tolerance", /beside `tolerance`/],
    [`${HMAC}, id: a, idHeader: X-Id`, "idHeader", /one of `id` and `idHeader`/],
    ["scheme: bearer, secret: A, version: at, tolerance: 5m", "tolerance", /no time of signing/],
    ["scheme: bearer, secret: A, version: at, header: X-Sig", "header", /it is for `hmac`/],
    ["scheme: bamboohr, secret: A, id: id", "id", /says itself which event it is/],
    ["scheme: bamboohr, secret: A, tolerance: 2d", "tolerance", /a day at most/],
    ["scheme: none, match: custom:id, rescan: 9m", "rescan", /from 10m to 30d/],
    ["scheme: none, match: custom:id, rescan: 31d", "rescan", /from 10m to 30d/],
    ["scheme: none, rescan: 1h", "rescan", /a `match` by another attribute than email/],
    ["scheme: none, match: sub, rescan: 1h", "rescan", /a `match` by another attribute than email/],
    ["scheme: none, username: { column: m, is: email }, rescan: 1h", "rescan", /a `match` by another attribute/],
    ["scheme: bamboohr, secret: A, maxMegabytes: 0", "maxMegabytes", /from 1 to 64/],
    ['scheme: none, records: "employees[*"', "records", /a JMESPath expression .*got `employees\[\*`/],
    ["scheme: none, records: constructor", "records", /a JMESPath expression/],
    ["scheme: none, id: nothing()", "id", /a JMESPath expression/],
    ["scheme: none, attributes: {}", "attributes", /at least one attribute/],
    ["scheme: none, attributes: { email: mail }", "attributes.email", /`verified` to be mark/],
    ["scheme: none, secert: A", "", /did you mean secret\?/],
  ];
  for (const [said, path, message] of refused) {
    test(`is refused with { ${said} }`, async () => {
      const { setting, problems } = await events(said);
      assert.equal(setting, undefined);
      const found = problems.find((problem) => problem.path === `poolsync.yaml: feeds.hr.events${path && `.${path}`}`);
      assert.match(found?.message ?? JSON.stringify(problems), message);
      assert.ok(!JSON.stringify(problems).includes("s3cr3t"));
    });
  }

  const URL_OF_QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/crm";
  test("may have a queue in the place of a scheme", async () => {
    const said = `sqs: ${URL_OF_QUEUE}, records: "people[*]", id: key, username: user, profile: hr`;
    const { setting, problems } = await events(said);
    assert.deepEqual(problems, []);
    assert.ok(setting !== undefined && setting.scheme === undefined);
    assert.deepEqual(setting.sqs, { url: URL_OF_QUEUE, region: undefined, profile: "hr", endpoint: undefined });
    assert.deepEqual(
      [setting.scheme, setting.records, setting.id, setting.mapping.usernameColumn],
      [undefined, "people[*]", "key", "user"],
    );
  });

  const queues: [said: string, path: string, message: RegExp][] = [
    ["sqs: crm", "sqs", /URL of a queue such as .*got `crm`/],
    ["sqs: https://sqs.eu-west-1.amazonaws.com", "sqs", /URL of a queue/],
    [`sqs: ${URL_OF_QUEUE}, scheme: none`, "scheme", /no `scheme` beside `sqs`: it is for webhooks/],
    [`sqs: ${URL_OF_QUEUE}, secret: A`, "secret", /no `secret` beside `sqs`/],
    [`sqs: ${URL_OF_QUEUE}, idHeader: X-Id`, "idHeader", /no `idHeader` beside `sqs`/],
    [`sqs: ${URL_OF_QUEUE}, maxMegabytes: 2`, "maxMegabytes", /no `maxMegabytes` beside `sqs`/],
    [`sqs: ${URL_OF_QUEUE}, endpoint: localhost`, "endpoint", /a URL such as/],
    ["scheme: none, region: eu-west-1", "region", /no `region` without `sqs`/],
    ["records: '[*]'", "scheme", /one of standard-webhooks, .*, or `sqs` with the URL of a queue .*, got nothing/],
  ];
  for (const [said, path, message] of queues) {
    test(`is refused with { ${said} }`, async () => {
      const { problems } = await events(said);
      const found = problems.find((problem) => problem.path === `poolsync.yaml: feeds.hr.events.${path}`);
      assert.match(found?.message ?? JSON.stringify(problems), message);
    });
  }

  test("has a queue of its own", async () => {
    const feed = `${POOL}, username: id, events: { sqs: ${URL_OF_QUEUE} }`;
    const { problems } = await readAll(
      `feeds: { a: { ${feed}, attributes: { given_name: n } }, b: { ${feed}, attributes: { nickname: n } } }\n`,
    );
    assert.deepEqual(
      problems.map(({ path, message }) => [path, /feed a has the same/.test(message)]),
      [["poolsync.yaml: feeds.b.events.sqs", true]],
    );
  });

  const spellings: [one: string, other: string, isOne: boolean][] = [
    [URL_OF_QUEUE, "https://sqs.eu-west-1.amazonaws.com:443/123456789012/crm", true],
    [URL_OF_QUEUE, "https://SQS.eu-west-1.amazonaws.com/123456789012/crm", true],
    [URL_OF_QUEUE, `${URL_OF_QUEUE}/`, true],
    [URL_OF_QUEUE, "https://eu-west-1.queue.amazonaws.com/123456789012/crm", true],
    [URL_OF_QUEUE, "https://vpce-0a1b2c-abc.sqs.eu-west-1.vpce.amazonaws.com/123456789012/crm", true],
    ["https://queue.amazonaws.com/123456789012/crm", "https://sqs.us-east-1.amazonaws.com/123456789012/crm", true],
    [URL_OF_QUEUE, "https://sqs.eu-west-3.amazonaws.com/123456789012/crm", false],
    [URL_OF_QUEUE, "https://sqs.eu-west-1.amazonaws.com/123456789012/CRM", false],
    ["http://127.0.0.1:4566/000000000000/crm", "http://127.0.0.1:4567/000000000000/crm", false],
  ];
  for (const [one, other, isOne] of spellings) {
    test(`${isOne ? "is one queue" : "are two queues"}: ${one} and ${other}`, () => {
      const feeds = { a: { events: { sqs: one } }, b: { events: { sqs: other } } };
      assert.equal(sharedQueueFaults({ feeds }).length, isOne ? 1 : 0);
    });
  }

  test("has its queue asked in the Region, and at the endpoint, of its URL, unless others are said", () => {
    const aws = awsSettings({ AWS_REGION: "us-east-1" }, { profiles: { hr: { region: "eu-north-1" } }, services: {} });
    const asked = (setting: Partial<SqsSetting>, settings = aws) => {
      const { region, endpoint, profile } = queueTarget(settings, "hr", { url: URL_OF_QUEUE, ...setting });
      return [region, endpoint, profile];
    };
    const origin = "https://sqs.eu-west-1.amazonaws.com";
    assert.deepEqual(asked({}), ["eu-west-1", origin, undefined]);
    assert.deepEqual(asked({ profile: "hr" }), ["eu-west-1", origin, "hr"]);
    assert.deepEqual(asked({ region: "eu-west-2", endpoint: "http://127.0.0.1:1" }), [
      "eu-west-2",
      "http://127.0.0.1:1",
      undefined,
    ]);
    const local = "http://localhost:4566/000000000000/crm";
    assert.deepEqual(asked({ url: local }), ["us-east-1", "http://localhost:4566", undefined]);
    const vpc = "https://vpce-0a1b2c-abc.sqs.eu-west-3.vpce.amazonaws.com/123456789012/crm";
    assert.equal(asked({ url: vpc })[0], "eu-west-3");
    const atEndpoint = awsSettings({ AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:2" }, { profiles: {}, services: {} });
    assert.equal(asked({}, atEndpoint)[1], "http://127.0.0.1:2");
    const nowhere = awsSettings({}, { profiles: {}, services: {} });
    assert.throws(() => asked({ url: local }, nowhere), /feeds\.hr\.events\.region: Expected the Region of the queue/);
    assert.throws(() => asked({ profile: "nobody" }), /feeds\.hr\.events\.profile: Expected a profile/);
  });

  test("takes a function that wants something to work on, and a version of the feed for a version of its own", async () => {
    assert.deepEqual((await events('scheme: none, records: "values(people)"')).problems, []);
    const feed = `${POOL}, version: at, ${MAPPED}`;
    assert.deepEqual((await events("scheme: bearer, secret: A", feed)).problems, []);
  });

  test("has a pool, and a name that can be a part of an address", async () => {
    const { problems } = await read(`${MAPPED}, events: { scheme: none }`, "'h r'");
    assert.deepEqual(
      problems.map(({ path }) => path),
      ["poolsync.yaml: feeds.h r.events", "poolsync.yaml: feeds.h r.pool"],
    );
  });

  test("says beside its file how old an export may be, or which column has the version", async () => {
    const feed = `file: a.csv, ${POOL}, ${MAPPED}`;
    const { problems } = await events("scheme: none", feed);
    assert.deepEqual(
      problems.map(({ path }) => path),
      ["poolsync.yaml: feeds.hr.snapshotAge"],
    );
    assert.match(problems[0]?.message ?? "", /a `version` column, or `snapshotAge: 1h`.*old values would go over/);
    assert.deepEqual((await events("scheme: none", `${feed}, version: at`)).problems, []);
    assert.deepEqual((await events("scheme: none", `${feed}, snapshotAge: 90m`)).problems, []);
    assert.match(
      (await events("scheme: none", `${feed}, snapshotAge: 0`)).problems[0]?.message ?? "",
      /a span of time/,
    );
  });

  test("is told everything that is wrong with it at once", async () => {
    const { problems } = await read(`file: a.csv, ${MAPPED}, events: { scheme: hmac, records: "a[" }`);
    assert.deepEqual(problems.map(({ path }) => path.replace("poolsync.yaml: feeds.hr.", "")).toSorted(), [
      "events.header",
      "events.records",
      "events.secret",
      "events.version",
      "pool",
      "snapshotAge",
    ]);
  });

  test("maps only what the feed owns, in its events too", async () => {
    const feeds = (owner: string) => `
pools: { p: { id: eu-west-1_A, owner: ${owner} } }
feeds:
  hr: { pool: p, username: id, attributes: { given_name: n }, events: { scheme: none, attributes: { given_name: n, nickname: k } } }
  crm: { pool: p, username: id, attributes: { nickname: k, family_name: f } }
`;
    const { file, problems } = await readAll(feeds("{ nickname: crm }"));
    assert.deepEqual(problems, []);
    const hr = file?.feeds["hr"];
    assert.deepEqual(hr?.notOwned, []);
    assert.deepEqual(
      hr.events?.mapping.attributes.map(({ name }) => name),
      ["given_name"],
    );
    const unsaid = await readAll(feeds("{}"));
    assert.match(unsaid.problems[0]?.message ?? "", /one feed to map `nickname`/);
    const none = await readAll(feeds("{ nickname: crm }").replace("given_name: n, nickname: k", "nickname: k"));
    assert.deepEqual(
      none.problems.map(({ path }) => path),
      ["poolsync.yaml: feeds.hr.events.attributes"],
    );
  });

  test("has a guard of its own, which says over that of all what it says", async () => {
    const guarded = async (all: string, own: string) => {
      const { file, problems } = await readAll(
        `guards: { events: ${all} }\nfeeds: { hr: { ${MAPPED}, guards: { events: ${own} } } }\n`,
      );
      return problems.map(({ path, message }) => `${path}: ${message}`).join() || file?.feeds["hr"]?.guards.events;
    };
    const unset = (await read(MAPPED)).file;
    assert.deepEqual(unset?.feeds["hr"]?.guards.events, { people: 500, withinMs: 600_000, sameValue: 150 });
    assert.deepEqual(await guarded("{ people: 100, within: 1h }", "{ people: 7 }"), {
      people: 7,
      withinMs: 3_600_000,
      sameValue: 10,
    });
    for (const [all, own, sameValue] of [
      ["{ people: 5000 }", "{}", 1_500],
      ["{ people: 5000 }", "{ within: 1h }", 1_500],
      ["{ people: 5000, sameValue: 40 }", "{ people: 2500 }", 20],
      ["{ sameValue: 5 }", "{ people: 50 }", 5],
      ["{ sameValue: off }", "{ people: 50 }", undefined],
    ] as const) {
      const limits = await guarded(all, own);
      assert.ok(typeof limits === "object");
      assert.equal(limits.sameValue, sameValue, `${all} ${own}`);
    }
    assert.deepEqual(await guarded("off", "{ sameValue: off }"), {
      people: 500,
      withinMs: 600_000,
      sameValue: undefined,
    });
    assert.equal(await guarded("{ people: 100 }", "off"), undefined);
    const at = "poolsync.yaml: feeds.hr.guards.events";
    assert.equal(
      await guarded("off", "on"),
      `${at}: Expected a map such as \`{ people: 500, within: 10m }\`, or \`off\`, got \`on\``,
    );
    assert.equal(
      await guarded("off", "{ people: 0 }"),
      `${at}.people: Expected a whole number from 1 to 10000, got \`0\``,
    );
    assert.match(
      JSON.stringify(await guarded("off", "{ within: 10s }")),
      /within: Expected .*, from a minute to a day, got/,
    );
    assert.match(
      JSON.stringify(await guarded("off", "{ poeple: 9 }")),
      /events: Unknown key `poeple` \(did you mean people\?\)/,
    );
  });

  test("has its secrets in the environment, and one that is not set or blank is none", () => {
    const secret = ["A", "B", "C"];
    assert.deepEqual(eventSecrets({ secret }, { A: " s3cr3t\n", B: " " }), ["s3cr3t", undefined, undefined]);
  });
});
