import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readConfig } from "../src/config/config.ts";
import { ConfigError } from "../src/config/config-error.ts";
import { readConfigFile } from "../src/config/config-file.ts";

describe("feeds that share a pool", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-owners-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const HR = "hr: { pool: staff, username: id, attributes: { given_name: First, nickname: Nick } }";
  /** By the pool's id, where `hr` says its name. */
  const CRM =
    "crm: { pool: eu-west-1_A, username: id, attributes: { nickname: { template: '{Nick} ({Team})' }, family_name: Last } }";

  async function write(pool: string, feeds: string): Promise<string> {
    const path = join(directory, "poolsync.yaml");
    await writeFile(path, `pools: { staff: { id: eu-west-1_A, ${pool} } }\nfeeds: { ${feeds} }\n`);
    return path;
  }
  const read = async (pool: string, feeds = `${HR}, ${CRM}`) =>
    readConfigFile(await write(pool, feeds), { needed: true });

  test("are refused where both map an attribute and nobody says whose it is", async () => {
    const path = await write("rate: 5", `${HR}, ${CRM}`);
    await assert.rejects(readConfig({ config: path }, {}, directory), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /feeds\.crm\.attributes\.nickname/);
      assert.match(error.message, /Expected one feed to map `nickname` into pool eu-west-1_A, got hr, crm/);
      assert.match(error.message, /`owner: \{ nickname: hr \}`/);
      return true;
    });
  });

  test("leave an attribute to its owner, and the columns that were for it alone", async () => {
    const { file, problems } = await read("owner: { nickname: hr }");
    assert.deepEqual(problems, []);
    const { hr, crm } = file?.feeds ?? {};
    assert.deepEqual(
      hr?.mapping.attributes.map(({ name }) => name),
      ["given_name", "nickname"],
    );
    assert.deepEqual(hr?.notOwned, []);
    assert.deepEqual(
      crm?.mapping.attributes.map(({ name }) => name),
      ["family_name"],
    );
    assert.deepEqual(crm?.mapping.ignored, ["Nick", "Team"]);
    assert.deepEqual(crm?.notOwned, [{ attribute: "nickname", owner: "hr" }]);
  });

  test("all put an attribute of which the newest value stands", async () => {
    const { file, problems } = await read("owner: { nickname: newest }");
    assert.deepEqual(problems, []);
    assert.deepEqual([file?.feeds["hr"]?.notOwned, file?.feeds["crm"]?.notOwned], [[], []]);
    assert.equal(file?.feeds["crm"]?.mapping.attributes.length, 2);
  });

  for (const [title, pool, feeds, path, message] of [
    [
      "an owner that does not map it",
      "owner: { nickname: hr, family_name: hr }",
      undefined,
      "pools.staff.owner.family_name",
      /\(crm\)/,
    ],
    ["an owner of what nobody maps", "owner: { email: hr }", `${HR}`, "pools.staff.owner.email", /none maps it/],
    ["an owner that is misspelled", "owner: { nickname: hrr }", undefined, "pools.staff.owner.nickname", /got `hrr`/],
    [
      "a feed that owns nothing",
      "owner: { given_name: hr, nickname: hr }",
      `${HR}, crm: { pool: staff, username: id, attributes: { nickname: Nick } }`,
      "feeds.crm.attributes",
      /own at least one/,
    ],
    [
      "an owner that is no name",
      "owner: { nickname: 5 }",
      undefined,
      "pools.staff.owner.nickname",
      /the name of a feed/,
    ],
  ] as const) {
    test(`are refused with ${title}`, async () => {
      const { file, problems } = await read(pool, feeds);
      assert.equal(file, undefined);
      assert.deepEqual(
        problems.map((problem) => problem.path),
        [`poolsync.yaml: ${path}`],
      );
      assert.match(problems[0]?.message ?? "", message);
    });
  }

  test("may map the same into different pools, or into one that only the command line says", async () => {
    const other = "crm: { pool: eu-west-1_B, username: id, attributes: { nickname: Nick } }";
    const open = "crm: { username: id, attributes: { nickname: Nick } }";
    for (const second of [other, open]) {
      assert.deepEqual((await read("rate: 5", `${HR}, ${second}`)).problems, []);
    }
  });
});

describe("a feed's heal and keepBefore", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-keep-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));
  const KEY = Buffer.alloc(32, 7).toString("base64");

  async function read(top: string, feed: string, environment: Readonly<Record<string, string>> = {}) {
    const path = join(directory, "poolsync.yaml");
    await writeFile(path, `${top}\nfeeds: { hr: { username: id, attributes: { nickname: Nick }, ${feed} } }\n`);
    return readConfig({ config: path }, environment, directory);
  }

  test("are the feed's own, else those of the file, else off", async () => {
    const { feeds, heal, keepBefore } = await read("heal: true\nkeepBefore: true", "heal: false", {
      POOLSYNC_KEY: KEY,
    });
    assert.deepEqual([heal, keepBefore, feeds["hr"]?.heal, feeds["hr"]?.keepBefore], [true, true, false, true]);
    const off = await read("", "file: a.csv");
    assert.deepEqual(
      [off.heal, off.keepBefore, off.feeds["hr"]?.heal, off.feeds["hr"]?.keepBefore],
      Array(4).fill(false),
    );
  });

  test("need a key where values are to be kept", async () => {
    for (const [top, feed] of [
      ["keepBefore: true", "file: a.csv"],
      ["", "keepBefore: true"],
    ] as const) {
      await assert.rejects(read(top, feed), /POOLSYNC_KEY.*Expected a key, because `keepBefore`/s);
    }
  });
});
