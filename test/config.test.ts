import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ConfigError } from "../src/config/config-error.ts";
import { calledAs, choosePool, readConfig, workerPools, type Flags } from "../src/config/config.ts";

describe("the configuration", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-config-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const read = (flags: Flags = {}, environment: Record<string, string> = {}) =>
    readConfig(flags, { HOME: "/home/jane", ...environment }, directory);

  async function withFile(text: string, flags: Flags = {}, environment: Record<string, string> = {}) {
    const path = join(directory, "some.yaml");
    await writeFile(path, text);
    return read({ ...flags, config: path }, environment);
  }

  async function problemsOf(reading: Promise<unknown>): Promise<string[]> {
    try {
      await reading;
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.problems.map(({ path, message }) => `${path}: ${message}`);
    }
    return [];
  }

  test("a flag beats the environment, which beats the file, which beats the default", async () => {
    assert.equal(choosePool(await read(), "eu-west-1_A").ratePerSecond, 20);
    assert.equal((await read()).concurrency, 10);
    const file = "rate: 5\nconcurrency: 3\npools: { a: { id: eu-west-1_A, rate: 7 } }";
    const fromFile = await withFile(file);
    assert.equal(fromFile.concurrency, 3);
    assert.equal(choosePool(fromFile, "a").ratePerSecond, 7);
    assert.equal(choosePool(fromFile, "eu-west-1_B").ratePerSecond, 5);
    const environment = { POOLSYNC_RATE: "9", POOLSYNC_CONCURRENCY: "4" };
    const fromEnvironment = await withFile(file, {}, environment);
    assert.equal(fromEnvironment.concurrency, 4);
    assert.equal(choosePool(fromEnvironment, "a").ratePerSecond, 9);
    const fromFlags = await withFile(file, { rate: "11.5", concurrency: "6" }, environment);
    assert.equal(fromFlags.concurrency, 6);
    assert.equal(choosePool(fromFlags, "a").ratePerSecond, 11.5);
  });

  test("a reserve is taken off the rate that is said, or off Cognito's own", async () => {
    const rateOf = async (text: string, flags = {}, environment = {}, pool = "a"): Promise<number> =>
      choosePool(await withFile(text, flags, environment), pool).ratePerSecond;
    const file = "reserve: 20%\npools: { a: { id: eu-west-1_A, rate: 10, reserve: 4 }, b: { id: eu-west-1_B } }";
    assert.equal(await rateOf(file), 6);
    assert.equal(await rateOf(file, {}, {}, "b"), 20);
    assert.equal(await rateOf(file, {}, { POOLSYNC_RESERVE: "50%" }), 5);
    assert.equal(await rateOf(file, { reserve: "1" }, { POOLSYNC_RESERVE: "50%" }), 9);
    assert.equal(await rateOf(file, { reserve: "0", rate: "25" }), 25);
    assert.equal(await rateOf("pools: { a: { id: eu-west-1_A } }", { reserve: "10" }), 15);
    assert.deepEqual(await problemsOf(withFile("reserve: a lot", { reserve: "100%" })), [
      "--reserve: Expected calls a second such as `5`, or a share of the rate such as `20%`, got `100%`",
      "some.yaml: reserve: Expected calls a second such as `5`, or a share of the rate such as `20%`, got `a lot`",
    ]);
    assert.deepEqual(await problemsOf(rateOf(file, { reserve: "10" }).then(() => read())), [
      "--reserve (POOLSYNC_RESERVE): Expected `reserve` to be from 0 up to, not including, the rate of 10 calls a second, got `10`: lower `reserve`, or raise `rate`",
    ]);
  });

  test("UserList has a rate and a reserve of its own, said in the same places", async () => {
    const rateOf = async (text: string, flags = {}, environment = {}, pool = "a"): Promise<number> =>
      choosePool(await withFile(text, flags, environment), pool).listsPerSecond;
    const file = `
      rate: 5
      lists: { rate: 12, reserve: 25% }
      pools: { a: { id: eu-west-1_A, lists: { rate: 8 } }, b: { id: eu-west-1_B, lists: { reserve: 2 } } }
    `;
    assert.equal(choosePool(await read({ rate: "1", reserve: "0" }), "eu-west-1_A").listsPerSecond, 20);
    assert.equal(await rateOf(file), 6);
    assert.equal(await rateOf(file, {}, {}, "b"), 10);
    assert.equal(await rateOf(file, {}, {}, "eu-west-1_C"), 9);
    assert.equal(await rateOf(file, {}, { POOLSYNC_LIST_RATE: "16" }), 12);
    assert.equal(await rateOf(file, { listRate: "10" }, { POOLSYNC_LIST_RATE: "16" }, "b"), 8);
    assert.equal(await rateOf(file, { listReserve: "1" }, { POOLSYNC_LIST_RESERVE: "50%" }), 7);
    assert.equal(await rateOf("lists: { rate: 30 }", {}, {}, "eu-west-1_A"), 30);
    assert.equal(choosePool(await withFile(file, { listRate: "1" }), "a").ratePerSecond, 5);
    assert.deepEqual(await problemsOf(withFile("lists: { rat: 1 }", { listRate: "0", listReserve: "all" })), [
      "--list-rate: Expected a number above 0, got `0`",
      "--list-reserve: Expected calls a second such as `5`, or a share of the rate such as `20%`, got `all`",
      "some.yaml: lists: Unknown key `rat` (did you mean rate?)",
    ]);
    assert.deepEqual(await problemsOf(rateOf("lists: { rate: 10 }", { listReserve: "10" }, {}, "eu-west-1_A")), [
      "--list-reserve (POOLSYNC_LIST_RESERVE): Expected `reserve` to be from 0 up to, not including, the rate of 10 calls a second, got `10`: lower `lists.reserve`, or raise `lists.rate`",
    ]);
  });

  test("jobs are taken where there is no key, unless somebody says so", async () => {
    const POOLSYNC_KEY = Buffer.alloc(32, 7).toString("base64");
    const takes = async (environment: Record<string, string>): Promise<boolean> =>
      (await read({}, environment)).takesJobs;
    assert.deepEqual([await takes({}), await takes({ POOLSYNC_KEY })], [true, false]);
    const said = (POOLSYNC_JOBS: string) => [takes({ POOLSYNC_JOBS }), takes({ POOLSYNC_JOBS, POOLSYNC_KEY })];
    assert.deepEqual(await Promise.all([...said("on"), ...said("off")]), [true, true, false, false]);
    assert.deepEqual(await problemsOf(read({}, { POOLSYNC_JOBS: "yes" })), [
      "POOLSYNC_JOBS: Expected `on` or `off`, got `yes`",
    ]);
  });

  test("what is blank is not said", async () => {
    const config = await read({}, { POOLSYNC_RATE: "", REDIS_URL: " ", POOLSYNC_NAMESPACE: "" });
    assert.equal(config.redisUrl, undefined);
    assert.equal(config.namespace, "poolsync");
  });

  test("data lies in the state directory of the user", async () => {
    assert.equal((await read()).dataDir, "/home/jane/.local/state/poolsync");
    assert.equal((await read({}, { XDG_STATE_HOME: "/var/state" })).dataDir, "/var/state/poolsync");
    assert.equal((await read({ dataDir: "here" }, { POOLSYNC_DATA_DIR: "/there" })).dataDir, join(directory, "here"));
  });

  test("every problem is told in one error, with its place and the form that is expected", async () => {
    const problems = await problemsOf(
      withFile(
        "pool: 1\nfeeds: { hr: { username: id, attributes: { email: { column: E, verifed: mark } } } }",
        { rate: "-1" },
        { REDIS_URL: "http://x", POOLSYNC_KEY: "short", POOLSYNC_LOG_LEVEL: "loud" },
      ),
    );
    assert.deepEqual(problems, [
      "REDIS_URL: Expected a URL such as redis://127.0.0.1:6379 or rediss://user:password@host:6379",
      "POOLSYNC_KEY: Expected 32 bytes in base64, as `openssl rand -base64 32` prints them",
      "--rate: Expected a number above 0, got `-1`",
      "POOLSYNC_LOG_LEVEL: Expected one of fatal, error, warn, info, debug, trace, silent, got `loud`",
      "some.yaml: feeds.hr.attributes.email: Unknown key `verifed` (did you mean verified?)",
      "some.yaml: Unknown key `pool` (did you mean pools?)",
    ]);
  });

  test("a wrong form hides no problem of an attribute elsewhere", async () => {
    const problems = await problemsOf(
      withFile(`
        pools: { a: { id: nonsense } }
        feeds:
          hr: { username: 5, attributes: { email: E, name: { column: A, constant: b } } }
          crm: { username: id, attributes: {} }
      `),
    );
    assert.deepEqual(
      problems.map((problem) => problem.split(": ")[1]),
      [
        "pools.a.id",
        "feeds.hr.username",
        "feeds.hr.attributes.email",
        "feeds.hr.attributes.name",
        "feeds.crm.attributes",
      ],
    );
  });

  test("a problem of an attribute is told with its path", async () => {
    const feed = (attributes: string) => withFile(`feeds: { hr: { username: id, attributes: ${attributes} } }`);
    assert.deepEqual(await problemsOf(feed("{ email: { column: E, verifed: mark } }")), [
      "some.yaml: feeds.hr.attributes.email: Unknown key `verifed` (did you mean verified?)",
    ]);
    assert.match(String(await problemsOf(feed("{ email: E }"))), /attributes\.email: Expected `verified` to be mark/);
    assert.match(String(await problemsOf(feed("{ name: { column: A, constant: b } }"))), /exactly one of/);
    assert.match(
      String(await problemsOf(feed("{ name: { column: A, verified: ask } }"))),
      /for email and phone_number/,
    );
    assert.match(String(await problemsOf(feed("{ name: { column: A, transforms: [shout] } }"))), /transforms\.0: /);
    assert.match(String(await problemsOf(feed("{ name: { column: A, transforms: [{ e164: ZZ }] } }"))), /country code/);
    assert.match(String(await problemsOf(feed("{}"))), /at least one attribute/);
  });

  test("a feed becomes the mapping of the feeds room", async () => {
    const { feeds } = await withFile(`
      feeds:
        hr:
          file: hr.csv
          pool: staff
          username: Id
          version: { column: Changed }
          ignoreUnknown: true
          attributes:
            given_name: First
            phone_number: { column: Phone, transforms: [trim, { e164: DE }], verified: keep, onBlank: clear }
            custom:source: { constant: 7 }`);
    assert.deepEqual(feeds["hr"]?.mapping, {
      usernameColumn: "Id",
      versionColumn: "Changed",
      ignored: [],
      unknown: "ignore",
      attributes: [
        { name: "given_name", column: "First", transforms: [{ kind: "trim" }], onBlank: "skip" },
        {
          name: "phone_number",
          column: "Phone",
          transforms: [{ kind: "trim" }, { kind: "e164", region: "DE" }],
          onBlank: "clear",
          verified: "keep",
        },
        { name: "custom:source", constant: "7", transforms: [{ kind: "trim" }], onBlank: "skip" },
      ],
    });
  });

  test("a file that is named must be there, and the usual one need not", async () => {
    assert.equal((await read()).file, undefined);
    assert.match(String(await problemsOf(read({ config: "none.yaml" }))), /--config: .*no such file/);
    assert.match(String(await problemsOf(withFile("a: [1"))), /some\.yaml: line 1: Expected YAML/);
  });

  test("nothing in it can be changed", async () => {
    const config = await withFile("pools: { a: { id: eu-west-1_A } }");
    assert.ok(Object.isFrozen(config));
    assert.ok(Object.isFrozen(config.poolSettings["a"]));
  });

  test("a pool's Region is the flag's, the file's, AWS_REGION's, or the one that its id begins with", async () => {
    const file = "pools: { a: { id: eu-west-1_A, region: eu-north-1 } }";
    assert.equal(choosePool(await withFile(file), "a", { region: "eu-south-1" }).region, "eu-south-1");
    assert.equal(choosePool(await withFile(file), "a").region, "eu-north-1");
    assert.equal(choosePool(await withFile(file, {}, { AWS_REGION: "us-east-1" }), "eu-west-1_B").region, "us-east-1");
    assert.equal(choosePool(await read(), "eu-west-1_B").region, "eu-west-1");
    assert.match(
      String(await problemsOf(read().then((config) => choosePool(config, "local_B")))),
      /--region.*AWS_REGION/,
    );
  });

  test("the program is called as npm or the user called it", () => {
    const cases = [
      ["/usr/local/bin/poolsync", {}, "poolsync"],
      ["/srv/poolsync/bin/poolsync.js", {}, "node poolsync/bin/poolsync.js"],
      ["/srv/a", { npm_lifecycle_event: "poolsync", npm_package_name: "poolsync" }, "npm run -s poolsync --"],
      ["/srv/a", { npm_lifecycle_event: "demo", npm_package_name: "poolsync" }, "npm run -s poolsync --"],
      ["/srv/a", { npm_lifecycle_event: "nightly", npm_package_name: "hr" }, "npx poolsync"],
      ["/srv/a", { npm_lifecycle_event: "npx", npm_package_name: "poolsync" }, "npx poolsync"],
    ] as const;
    for (const [script, environment, line] of cases) assert.equal(calledAs(script, environment, "/srv"), line);
  });

  test("a worker's pools are those that are named, else all of the file, each once", async () => {
    const file = "pools: { a: { id: eu-west-1_A }, b: { id: eu-west-1_B } }";
    const ids = (pools: readonly { readonly id: string }[]) => pools.map(({ id }) => id);
    assert.deepEqual(ids(workerPools(await withFile(file))), ["eu-west-1_A", "eu-west-1_B"]);
    assert.deepEqual(ids(workerPools(await withFile(file, { pools: "b, eu-west-1_B,eu-west-1_C" }))), [
      "eu-west-1_B",
      "eu-west-1_C",
    ]);
    assert.match(String(await problemsOf(read().then(workerPools))), /POOLSYNC_POOLS/);
  });
});
