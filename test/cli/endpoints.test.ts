import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { createCognitoClients } from "../../src/cognito/client.ts";
import { choosePool, readConfig } from "../../src/config/config.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { openPoolsync, type PoolsyncOptions } from "../../src/index.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { runFile } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";
import { emulatorWith, POOL, runCommand } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const OWN = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";
const IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
const STATUS = z.object({ pools: z.array(z.object({ pool: z.string(), endpoint: z.string() })) });

/** Every way to say an endpoint: a call that is meant for an emulator must not reach AWS. */
describe("calls go where it is said", () => {
  let emulator: Emulator;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let host = "";
  let files: Record<string, string> = {};
  const at = (name: string) => `${directory.path}/${name}`;

  before(async () => {
    emulator = await emulatorWith(1);
    directory = await temporaryDirectory();
    host = new URL(emulator.url).host;
    await writeFile(
      at("config"),
      [
        `[profile all]\nendpoint_url = ${emulator.url}\nregion = us-east-1`,
        `[profile own]\nservices = local\nendpoint_url = http://127.0.0.1:1`,
        `[services local]\ncognito_identity_provider =\n  endpoint_url = ${emulator.url}\n  ignored = x`,
        `[profile other]\nendpoint_url = http://127.0.0.1:1`,
        `[profile deaf]\nendpoint_url = ${emulator.url}\nignore_configured_endpoint_urls = true`,
        `[profile lost]\nservices = gone`,
      ].join("\n"),
    );
    const keys =
      "aws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
    const profiles = ["all", "own", "other", "deaf", "lost"].map((name) => `[${name}]\n${keys}`);
    await writeFile(at("credentials"), profiles.join("\n"));
    const pool = (keysOfPool: string) => `pools: { staff: { id: ${POOL}, ${keysOfPool} } }`;
    await writeFile(at("endpoint.yaml"), pool(`endpoint: "${emulator.url}"`));
    await writeFile(at("all.yaml"), pool("profile: all"));
    await writeFile(at("own.yaml"), pool("profile: own"));
    await writeFile(at("nope.yaml"), pool("profile: nope"));
    files = { AWS_CONFIG_FILE: at("config"), AWS_SHARED_CREDENTIALS_FILE: at("credentials") };
  });
  after(async () => {
    await emulator.close();
    await directory.remove();
  });

  const ways: readonly (readonly [string, () => readonly string[], (() => Record<string, string>)?])[] = [
    ["--endpoint-url", () => ["--endpoint-url", emulator.url]],
    [
      "--endpoint-url before the environment's",
      () => ["--endpoint-url", emulator.url],
      () => ({ [OWN]: "http://127.0.0.1:1" }),
    ],
    [
      "--endpoint-url, also where configured ones are ignored",
      () => ["--endpoint-url", emulator.url],
      () => ({ [IGNORE]: "true" }),
    ],
    ["endpoint of poolsync.yaml", () => ["--config", at("endpoint.yaml")]],
    ["endpoint of poolsync.yaml before the profile's", () => ["--config", at("endpoint.yaml"), "--profile", "other"]],
    [OWN, () => [], () => ({ [OWN]: emulator.url })],
    ["AWS_ENDPOINT_URL", () => [], () => ({ AWS_ENDPOINT_URL: emulator.url })],
    ["AWS_ENDPOINT_URL before the profile's", () => ["--profile", "other"], () => ({ AWS_ENDPOINT_URL: emulator.url })],
    ["endpoint_url, via --profile", () => ["--profile", "all"]],
    ["endpoint_url, via --profile before AWS_PROFILE", () => ["--profile", "all"], () => ({ AWS_PROFILE: "other" })],
    ["endpoint_url, via AWS_PROFILE", () => [], () => ({ AWS_PROFILE: "all" })],
    ["endpoint_url, via AWS_DEFAULT_PROFILE", () => [], () => ({ AWS_DEFAULT_PROFILE: "all" })],
    ["endpoint_url, via profile of poolsync.yaml", () => ["--config", at("all.yaml")]],
    ["services, via --profile", () => ["--profile", "own"]],
    ["services, via AWS_PROFILE", () => [], () => ({ AWS_PROFILE: "own" })],
    ["services, via AWS_DEFAULT_PROFILE", () => [], () => ({ AWS_DEFAULT_PROFILE: "own" })],
    ["services, via profile of poolsync.yaml", () => ["--config", at("own.yaml")]],
    [
      "the profile's, where the variable says that it is not ignored",
      () => ["--profile", "deaf"],
      () => ({ [IGNORE]: "False" }),
    ],
  ];
  for (const [title, words, variables = () => ({})] of ways) {
    test(`by ${title}`, async () => {
      const { url, namespace } = testRedis();
      const said = { ...variables(), ...files };
      const restore = exampleAws(said);
      try {
        const environment = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
        const calls = emulator.log.writes.length;
        const nickname = title.replaceAll(/[',]/g, "");
        const one = [
          "--user-pool-id",
          POOL,
          "--username",
          "u0",
          "--user-attributes",
          `Name=nickname,Value=${nickname}`,
        ];
        const written = await runCommand(["admin-update-user-attributes", ...one, ...words()], { environment });
        assert.equal(written.code, 0, written.stderr);
        assert.deepEqual(
          emulator.log.writes.slice(calls).map(({ attributes }) => attributes["nickname"]),
          [nickname],
        );
        const status = await runCommand(["status", "--json"], { environment });
        const { pools } = STATUS.parse(JSON.parse(status.stdout));
        assert.deepEqual(
          pools.map(({ pool, endpoint }) => [pool, endpoint]),
          [[POOL, host]],
        );
        const now = await runCommand([
          "admin-update-user-attributes",
          ...one,
          ...words(),
          "--now",
          "--data-dir",
          at("none"),
        ]);
        assert.equal(now.code, 0, now.stderr);
        const token = emulator.mintAccessToken(POOL, "u0");
        const own = [
          "--access-token",
          token,
          "--user-attributes",
          "Name=nickname,Value=mine",
          "--data-dir",
          at("none"),
        ];
        const changed = await runCommand(["update-user-attributes", ...own, ...words()]);
        assert.equal(changed.code, 0, changed.stderr);
        assert.equal(emulator.log.writes.length, calls + 3);
      } finally {
        restore();
      }
    });
  }

  const library: readonly (readonly [string, () => PoolsyncOptions, (() => Record<string, string>)?])[] = [
    ["endpoint", () => ({ endpoint: emulator.url, profile: "other" })],
    ["profile with endpoint_url", () => ({ profile: "all" }), () => ({ AWS_PROFILE: "other" })],
    ["profile with services", () => ({ profile: "own" })],
    ["AWS_PROFILE", () => ({}), () => ({ AWS_PROFILE: "own" })],
    [OWN, () => ({}), () => ({ [OWN]: emulator.url })],
  ];
  for (const [title, options, variables = () => ({})] of library) {
    test(`by an application's ${title}`, async (t) => {
      t.after(exampleAws({ ...variables(), ...files }));
      const { url, namespace } = testRedis();
      const poolsync = await openPoolsync({ redisUrl: url, namespace, logLevel: "silent", ...options() });
      t.after(() => poolsync.close());
      const calls = emulator.log.writes.length;
      const updated = await poolsync.update({ pool: POOL, username: "u0", attributes: { nickname: `${title}!` } });
      assert.deepEqual(updated.attributes, { nickname: { is: "applied" } });
      assert.equal(emulator.log.writes.length, calls + 1);
      const status = await runCommand(["status", "--json"], {
        environment: { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace },
      });
      assert.deepEqual(
        STATUS.parse(JSON.parse(status.stdout)).pools.map(({ endpoint }) => endpoint),
        [host],
      );
    });
  }

  for (const [title, variables, profile] of [
    ["by variable", { [IGNORE]: "TRUE", AWS_ENDPOINT_URL: "http://127.0.0.1:1" }, "all"],
    ["by the profile", { AWS_ENDPOINT_URL: "http://127.0.0.1:1" }, "deaf"],
  ] as const) {
    test(`are AWS's own where configured endpoints are ignored ${title}`, async () => {
      const restore = exampleAws();
      const config = await readConfig({}, { ...variables, ...files }, directory.path);
      const clients = createCognitoClients({ concurrency: 1 });
      try {
        const chosen = choosePool(config, POOL, { profile });
        assert.equal(await clients.of(chosen).endpointHost(), "cognito-idp.eu-west-1.amazonaws.com");
      } finally {
        clients.close();
        restore();
      }
    });
  }

  test("nowhere by a profile or a services section that is not there: both are named", async () => {
    const one = ["--user-pool-id", POOL, "--username", "u0", "--user-attributes", "Name=nickname,Value=x"];
    const words = ["admin-update-user-attributes", ...one, "--data-dir", at("none")];
    for (const [more, variables, message] of [
      [["--profile", "nope"], {}, /^--profile: .*got `nope`: look in ~\/\.aws\/config/],
      [[], { AWS_PROFILE: "nope" }, /^AWS_PROFILE: .*got `nope`/],
      [["--config", at("nope.yaml")], {}, /^nope\.yaml: pools\.staff\.profile: .*got `nope`/],
      [["--profile", "lost"], {}, /^profile lost: .*\[services gone\]/],
    ] as const) {
      const restore = exampleAws({ [OWN]: undefined, ...variables, ...files });
      try {
        const { code, stderr } = await runCommand([...words, ...more]);
        assert.match(stderr, message);
        assert.equal(code, 64);
      } finally {
        restore();
      }
    }
    const restore = exampleAws(files);
    try {
      const options = { dataDir: at("never"), profile: "nope" };
      await assert.rejects(openPoolsync(options), { name: "TypeError", message: /^profile: .*got `nope`: look in/ });
    } finally {
      restore();
    }
  });

  test("in the Region of the pool's id, and whoever says another one is told of once", async () => {
    const words = ["admin-update-user-attributes", "-", "--now", "--profile", "all", "--data-dir", at("none")];
    const line = (value: string) =>
      JSON.stringify({ UserPoolId: POOL, Username: "u0", UserAttributes: [{ Name: "nickname", Value: value }] });
    const restore = exampleAws({ AWS_REGION: undefined, ...files });
    try {
      const { code, stderr } = await runCommand(words, {
        stdin: `${line("a")}\n${line("b")}\n`,
        environment: { AWS_REGION: "" },
        columns: 100,
      });
      assert.equal(code, 0, stderr);
      const told = stderr.replaceAll(/\s+/g, " ");
      assert.equal(
        told.split("names the Region eu-west-1, and profile all says us-east-1: eu-west-1 is used").length,
        2,
      );
    } finally {
      restore();
    }
    const one = ["--user-pool-id", POOL, "--username", "u0", "--user-attributes", "Name=nickname,Value=c"];
    const child = runFile(
      "src/cli/main.ts",
      ["admin-update-user-attributes", ...one, "--profile", "all", "--now", "--data-dir", at("none")],
      { ...files, AWS_EC2_METADATA_DISABLED: "true", AWS_DEFAULT_REGION: "eu-north-1" },
    );
    assert.equal(await child.ended(), 0, child.stderr());
    const logged = child
      .stderr()
      .split("\n")
      .filter((item) => item.includes("region of the pool's id used"));
    assert.equal(logged.length, 1);
    assert.match(String(logged[0]), /"region":"eu-west-1","other":"eu-north-1","saidBy":"AWS_DEFAULT_REGION"/);
  });

  test("in the profile's Region where the pool's id names none", async () => {
    const config = await readConfig({}, files, directory.path);
    assert.equal(choosePool(config, "local_abc", { profile: "all" }).region, "us-east-1");
    const variable = await readConfig({}, { ...files, AWS_DEFAULT_REGION: "eu-north-1" }, directory.path);
    assert.equal(choosePool(variable, "local_abc", { profile: "own" }).region, "eu-north-1");
  });
});
