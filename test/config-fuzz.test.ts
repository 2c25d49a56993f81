/**
 * Whatever flags, environment and file say, reading the configuration ends as a frozen configuration or as one
 * ConfigError, which never says a secret.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { ConfigError } from "../src/config/config-error.ts";
import { choosePool, readConfig, workerPools, type Config, type Flags } from "../src/config/config.ts";
import { SCHEMES } from "../src/config/events.ts";
import { fuzzParameters } from "./support/fuzz.ts";

/** In passwords and keys, and in nothing that is said. */
const SECRET = "s3cr3t";

describe("a configuration", () => {
  let directory = "";
  let path = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-config-"));
    path = join(directory, "poolsync.yaml");
  });
  after(() => rm(directory, { recursive: true, force: true }));

  /** What was read, or undefined where there was one error that says what is wrong. */
  async function outcome(run: () => Promise<Config>): Promise<Config | undefined> {
    try {
      const config = await run();
      assert.ok(Object.isFrozen(config) && Object.isFrozen(config.pools) && Object.isFrozen(config.feeds));
      for (const name of [...Object.keys(config.poolSettings), "eu-west-1_Abc", "__proto__", "constructor"]) {
        chosen(() => choosePool(config, name));
      }
      chosen(() => workerPools(config));
      return config;
    } catch (error) {
      assertProblems(error);
      return undefined;
    }
  }

  function chosen(choose: () => unknown): void {
    try {
      choose();
    } catch (error) {
      assertProblems(error);
    }
  }

  function assertProblems(error: unknown): void {
    if (!(error instanceof ConfigError)) throw error;
    assert.ok(error.problems.length > 0);
    for (const { path: place, message } of error.problems) {
      assert.ok(!message.includes(SECRET), message);
      assert.ok(place.length + message.length < 5000, `${place.length + message.length} characters`);
    }
  }

  const readFile = async (content: string | Buffer) => {
    await writeFile(path, content);
    return outcome(() => readConfig({ config: path }, { HOME: "/home/jane" }, directory));
  };

  const odd = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom("__proto__", "constructor", "toString", "", " ", "\0", "\ud800", "x".repeat(3000)),
  );

  test("of any flags and environment is read, or refused without a secret", async (t) => {
    const text = fc.oneof(odd, fc.constantFrom("1", "-1", "1e999", "NaN", "0x10", "Infinity", "5", "eu-west-1_A,b"));
    const secret = fc
      .oneof(odd, fc.constantFrom("redis://x", "redis://127.0.0.1:1", "rediss+sentinel://"))
      .map((said) => said + SECRET);
    const flags = fc.record(
      { dataDir: text, rate: text, reserve: text, concurrency: text, pools: text, healthPort: text },
      { requiredKeys: [] },
    ) satisfies fc.Arbitrary<Flags>;
    const environment = fc.record(
      {
        REDIS_URL: secret,
        POOLSYNC_KEY: secret,
        POOLSYNC_NAMESPACE: text,
        POOLSYNC_DATA_DIR: text,
        POOLSYNC_RATE: text,
        POOLSYNC_RESERVE: text,
        POOLSYNC_LIST_RATE: text,
        POOLSYNC_LIST_RESERVE: text,
        POOLSYNC_CONCURRENCY: text,
        POOLSYNC_CONNECT_TIMEOUT: text,
        POOLSYNC_REQUEST_TIMEOUT: text,
        POOLSYNC_LOG_LEVEL: text,
        POOLSYNC_HEALTH_HOST: text,
        POOLSYNC_HEALTH_PORT: text,
        POOLSYNC_POOLS: text,
        POOLSYNC_CONFIG: text,
        AWS_REGION: text,
        XDG_STATE_HOME: text,
      },
      { requiredKeys: [] },
    );
    const property = fc.asyncProperty(flags, environment, async (said, env) => {
      await outcome(() => readConfig(said, { HOME: "/home/jane", ...env }, directory));
    });
    await fc.assert(property, fuzzParameters(t, 500));
  });

  const anything = fc.oneof(
    odd,
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(Infinity, -0, NaN, 1n, true, null, [], {}, new Date(0)),
  );
  /** Mostly what belongs there, sometimes anything. */
  const mostly = (good: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: anything });
  const name = fc.oneof(fc.constantFrom("a", "hr"), odd);
  const column = mostly(fc.constantFrom("First Name", "email", "__proto__"));
  const transform = mostly(
    fc.constantFrom("trim", "date", { e164: "DE" }, { date: "MM/DD/YYYY" }, { e164: "constructor" }, { date: "((((" }),
  );
  const attribute = mostly(
    fc.oneof(
      column,
      fc.record(
        {
          column,
          constant: anything,
          template: mostly(fc.constant("{a} {b}")),
          transforms: mostly(fc.array(transform, { maxLength: 3 })),
          onBlank: mostly(fc.constantFrom("skip", "clear")),
          verified: mostly(fc.constantFrom("mark", "ask")),
          verifiedColumn: column,
        },
        { requiredKeys: ["column"] },
      ),
    ),
  );
  const attributeName = fc.oneof(fc.constantFrom("email", "email_verified", "given_name", "custom:x"), odd);
  const header = mostly(fc.constantFrom("X-Signature", "a b"));
  const events = fc.record(
    {
      scheme: mostly(fc.constantFrom(...SCHEMES)),
      secret: mostly(fc.constantFrom("A", ["A", "B"], SECRET + "+", [SECRET + "/", "A"])),
      tolerance: mostly(fc.constantFrom("5m", "0s")),
      maxMegabytes: mostly(fc.constantFrom(1, 0.5)),
      id: mostly(fc.constantFrom("id", "a[", "constructor", "length(@)")),
      idHeader: header,
      header,
      part: mostly(fc.constantFrom("v1", "=")),
      signed: mostly(fc.constantFrom("{body}", "{timestamp}.{body}", "{id}{body}{body}", "{")),
      timestampHeader: header,
      timestampPart: mostly(fc.constantFrom("t")),
      records: mostly(fc.constantFrom("employees[*]", "[?", "__proto__")),
      username: column,
      attributes: mostly(fc.dictionary(attributeName, attribute, { maxKeys: 2 })),
      version: column,
      sqs: mostly(fc.constantFrom("https://sqs.eu-west-1.amazonaws.com/123456789012/crm", "crm")),
      endpoint: mostly(fc.constantFrom("http://127.0.0.1:4566", "localhost")),
    },
    { requiredKeys: [] },
  );
  const feed = fc.record(
    {
      file: column,
      events: mostly(events),
      snapshotAge: mostly(fc.constantFrom("1h", "1y")),
      pool: name,
      username: mostly(fc.oneof(column, fc.record({ column, is: mostly(fc.constantFrom("email", "sub")) }))),
      attributes: mostly(fc.dictionary(attributeName, attribute, { maxKeys: 4 })),
      version: column,
      asOf: anything,
      ignore: mostly(fc.array(column, { maxLength: 3 })),
      ignoreUnknown: mostly(fc.boolean()),
    },
    { requiredKeys: ["username", "attributes"] },
  );
  const pool = fc.record(
    {
      id: mostly(fc.constantFrom("eu-west-1_Abc", "a_b")),
      region: anything,
      rate: mostly(fc.constant(5)),
      endpoint: anything,
    },
    { requiredKeys: ["id"] },
  );
  const file = mostly(
    fc.record(
      {
        rate: mostly(fc.double()),
        concurrency: mostly(fc.integer()),
        pools: mostly(fc.dictionary(name, mostly(pool), { maxKeys: 3 })),
        feeds: mostly(fc.dictionary(name, mostly(feed), { maxKeys: 3 })),
        surplus: anything,
      },
      { requiredKeys: [] },
    ),
  );

  test("of any file that is YAML is read with all that is in it, or refused", async (t) => {
    const property = fc.asyncProperty(file, async (content) => {
      const config = await readFile(stringify(content) ?? "");
      if (config === undefined || typeof content !== "object" || content === null) return;
      for (const [part, read] of [
        ["pools", config.poolSettings],
        ["feeds", config.feeds],
      ] as const) {
        const said: unknown = Reflect.get(content, part);
        assert.deepEqual(new Set(Object.keys(read)), new Set(Object.keys(said ?? {})), `all of ${part}`);
      }
      for (const { mapping } of Object.values(config.feeds)) {
        for (const { name: unit } of mapping.attributes) assert.ok(unit.length > 0);
      }
    });
    await fc.assert(property, fuzzParameters(t, 500));
  });

  test("of any bytes is read or refused", async (t) => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 10 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          "pools:",
          "\n",
          "  ",
          "a: ",
          "&a ",
          "*a",
          "<<: *a",
          "- ",
          "{",
          "}",
          "[",
          "!!js/function x",
          "!!binary =",
        )
        .map((text) => Buffer.from(text)),
      fc
        .constantFrom("? ", "|\n", ">\n", "---\n", "...\n", "%YAML 9\n", "'", '"', "\0", "__proto__: {}", "# ")
        .map((text) => Buffer.from(text)),
    );
    const property = fc.asyncProperty(fc.array(piece, { maxLength: 15 }), async (pieces) => {
      await readFile(Buffer.concat(pieces));
    });
    await fc.assert(property, fuzzParameters(t, 500));
  });

  const refused: readonly (readonly [what: string, content: string | Buffer])[] = [
    ["that names a pool __proto__", "pools: { __proto__: { id: eu-west-1_A } }"],
    ["that names a feed __proto__", "feeds: { __proto__: { username: u, attributes: { name: n } } }"],
    ["that names an attribute __proto__", "feeds: { hr: { username: u, attributes: { __proto__: n } } }"],
    ["with a key __proto__ at the top", "__proto__: { rate: 5 }"],
    ["with aliases that would grow", `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]`],
    ["that is nested deeply", `pools: ${"[".repeat(20_000)}${"]".repeat(20_000)}`],
    ["that is nested more deeply", `pools: ${"[".repeat(300_000)}`],
    ["whose lists are nested deeply", `${"- ".repeat(50_000)}x`],
    ["with a key of a megabyte", `${"x".repeat(1_000_000)}: 1`],
    ["with five thousand unknown keys", Array.from({ length: 5000 }, (_, at) => `key${at}: 1`).join("\n")],
    ["of more than a megabyte", `rate: 5\n${"#".repeat(2_000_000)}`],
    ["that is not UTF-8", Buffer.from("feeds: { hr: { username: Pr\xe9nom, attributes: { name: n } } }", "latin1")],
  ];
  for (const [what, content] of refused) {
    test(`${what} is refused`, async () => {
      assert.equal(await readFile(content), undefined);
    });
  }
});
