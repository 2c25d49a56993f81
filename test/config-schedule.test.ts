import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { authorizationOf } from "../src/config/config.ts";
import { readConfigFile } from "../src/config/config-file.ts";
import { ConfigError } from "../src/config/config-error.ts";

describe("a feed that runs by itself", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-schedule-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  async function read(feed: string, top = "") {
    const path = join(directory, "poolsync.yaml");
    const rest = "pool: eu-west-1_A, username: id, attributes: { given_name: n }";
    await writeFile(path, `${top}\nfeeds: { hr: { ${rest}, ${feed} } }\n`);
    return readConfigFile(path, { needed: true });
  }

  test("has a cron expression with a time zone, which is UTC unless it is said, or an interval", async () => {
    for (const [said, schedule] of [
      ['{ cron: "30 2 * * 1-5", timezone: Europe/Berlin }', { cron: "30 2 * * 1-5", timezone: "Europe/Berlin" }],
      ['{ cron: "0 */6 * * *" }', { cron: "0 */6 * * *", timezone: "UTC" }],
      ["{ every: 6h }", { everyMs: 21_600_000 }],
    ] as const) {
      const { file, problems } = await read(`file: a.csv, schedule: ${said}`);
      assert.deepEqual(problems, []);
      assert.deepEqual(file?.feeds["hr"]?.schedule, schedule);
    }
    assert.equal((await read("file: a.csv", "keepRuns: 30d")).file?.keepRuns, 30 * 86_400_000);
  });

  test("is refused with its path and the form that was expected where the schedule cannot be parsed", async () => {
    for (const [said, path, message] of [
      ['{ cron: "61 2 * * *" }', "schedule.cron", /Expected a cron expression of five fields .*got `61 2 \* \* \*`/],
      ['{ cron: "2 *" }', "schedule.cron", /five fields/],
      ['{ cron: "0 0 31 2 *" }', "schedule.cron", /five fields/],
      ["{ cron: 5 }", "schedule.cron", /five fields/],
      [
        '{ cron: "0 2 * * *", timezone: Berlin }',
        "schedule.timezone",
        /a time zone such as Europe\/Berlin, got `Berlin`/,
      ],
      ["{ every: sometimes }", "schedule.every", /a span of time such as .*got `sometimes`/],
      ["{ every: 10s }", "schedule.every", /of a minute at least/],
      ['{ every: 1h, cron: "0 2 * * *" }', "schedule", /one of `cron` and `every`/],
      ["{}", "schedule", /one of `cron` and `every`/],
      ["daily", "schedule", /Expected `\{ cron: /],
    ] as const) {
      const { file, problems } = await read(`file: a.csv, schedule: ${said}`);
      assert.equal(file, undefined);
      assert.deepEqual(
        problems.map((problem) => problem.path),
        [`poolsync.yaml: feeds.hr.${path}`],
        said,
      );
      assert.match(problems[0]?.message ?? "", message);
    }
    const { problems } = await read("schedule: { every: 1h }");
    assert.match(problems[0]?.message ?? "", /Expected the feed's file: it has a `schedule`/);
    assert.equal((await read("file: a.csv", "keepRuns: 3h")).problems[0]?.path, "poolsync.yaml: keepRuns");
  });

  test("says where its file is without a credential, over https or to this machine", async () => {
    for (const file of ["http://hr.example.com/a.csv", "https://u:p@hr.example.com/a", "ftp://a/b", "s3://bucket"]) {
      const { problems } = await read(`file: "${file}"`);
      assert.deepEqual(
        problems.map(({ path }) => path),
        ["poolsync.yaml: feeds.hr.file"],
        file,
      );
      assert.doesNotMatch(problems[0]?.message ?? "", /u:p/);
    }
    for (const file of [
      "https://hr.example.com/a.csv?x=1",
      "http://127.0.0.1:8080/a",
      "s3://bucket/a/b.csv",
      "a/*.csv",
    ]) {
      assert.deepEqual((await read(`file: "${file}"`)).problems, [], file);
    }
  });

  test("names the variables of its credential, and never says the credential itself", async () => {
    const { problems } = await read('file: "https://a.example/b", fetch: { bearer: "eyJhbGci.secret-token" }');
    assert.equal(problems[0]?.path, "poolsync.yaml: feeds.hr.fetch.bearer");
    assert.doesNotMatch(problems[0].message, /eyJ/);
    assert.equal((await read('file: "https://a.example/b", fetch: { user: HR_USER }')).problems.length, 1);
    const environment = { TOKEN: " abc ", USER: "jane", PASSWORD: "s:p" };
    assert.equal(authorizationOf("hr", { bearer: "TOKEN" }, environment), "Bearer abc");
    const basic = `Basic ${Buffer.from("jane:s:p").toString("base64")}`;
    assert.equal(authorizationOf("hr", { user: "USER", password: "PASSWORD" }, environment), basic);
    assert.equal(authorizationOf("hr", {}, environment), undefined);
    assert.throws(
      () => authorizationOf("hr", { bearer: "MISSING" }, environment),
      (error) => error instanceof ConfigError && /feeds\.hr\.fetch\.bearer: Expected .* in MISSING/.test(error.message),
    );
  });
});
