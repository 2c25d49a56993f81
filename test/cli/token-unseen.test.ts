import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { runFile } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { assertNoToken, madeUpToken } from "../support/token.ts";
import { POOL, runCommand, setStage, type RunOptions, type Stage } from "./command-run.ts";

const COMMANDS: readonly (readonly string[])[] = [
  ["sync"],
  ["plan"],
  ["apply"],
  ["drift"],
  ["undo"],
  ["admin-update-user-attributes"],
  ["update-user-attributes"],
  ["dead"],
  ["dead", "list"],
  ["dead", "show"],
  ["dead", "replay"],
  ["dead", "export"],
  ["dead", "discard"],
  ["explain"],
  ["runs"],
  ["runs", "list"],
  ["runs", "show"],
  ["runs", "approve"],
  ["runs", "cancel"],
  ["status"],
  ["worker"],
  ["emulator"],
  ["demo"],
];

/** A token is given in every place where it may be given, meant or not, on every command. */
describe("no part of a token shows", () => {
  let stage: Stage;
  let environment: Record<string, string>;
  let cwd = "";
  const token = madeUpToken();
  const [head = "", payload = "", signature = ""] = token.split(".");

  before(async () => {
    stage = await setStage(2);
    const { url, namespace } = testRedis();
    environment = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace, POOLSYNC_LOG_LEVEL: "debug" };
    // What a command writes into a file that is named by the token belongs here.
    cwd = process.cwd();
    await mkdir(stage.at("cwd"));
    process.chdir(stage.at("cwd"));
    await writeFile(stage.at("token.txt"), `${token}\n`);
    await writeFile(stage.at("tokens.csv"), `${token},${token}\n${token},${token}\n`);
    await writeFile(stage.at("row.csv"), `username,given_name,${token}\nu0,Ana,${token}\n${token},${token},${token}\n`);
    await writeFile(stage.at("long.csv"), `username,given_name\n${token},Ana\nu0,"${token}\n`);
    await writeFile(stage.at("broken.json"), `{"AccessToken": ${token}`);
    await writeFile(stage.at("list.json"), `["${token}"]`);
  });
  after(async () => {
    process.chdir(cwd);
    await stage.clear();
  });

  /** As people see it, and as `--json` has it. */
  async function unseen(words: readonly string[], options: RunOptions = {}): Promise<void> {
    const at = words.join(" ").replaceAll(token, "T").replaceAll(signature, "S").replaceAll(payload, "P");
    for (const all of [words, [...words, "--json"]]) {
      const { stdout, stderr } = await runCommand(all, {
        ...options,
        environment: { ...environment, ...options.environment },
      });
      assertNoToken(stdout, token, `stdout of ${at}`);
      assertNoToken(stderr, token, `stderr of ${at}`);
    }
  }
  /** What would run until it is told to end is told so before. */
  const ended = (name = ""): RunOptions => (["emulator", "demo"].includes(name) ? { drain: AbortSignal.abort() } : {});

  for (const command of COMMANDS) {
    test(`given to any option of ${command.join(" ")}, for an argument, or mistyped`, async () => {
      const help = await runCommand([...command, "--help"]);
      const options = [
        ...new Set(Array.from(help.stdout.matchAll(/^\s+(?:-\w, )?(--[a-z-]+)/gm), ([, name = ""]) => name)),
      ];
      assert.ok(options.length > 0, command.join(" "));
      const lines = options.flatMap((option) => [
        [option, token],
        [`${option}=${token}`],
        [option, `file://${token}`],
        [option, signature],
      ]);
      const mistyped = [
        [token],
        [token, token],
        [`--${token}`],
        [`-${token}`],
        [`--acces-token=${token}`],
        [`--x`, token],
        [payload],
      ];
      for (const line of [...lines, ...mistyped]) {
        if (line.includes("--help") || line.includes("--version")) continue;
        await unseen([...command, ...line], ended(command[0]));
      }
    });
  }

  test("given for a command", async () => {
    for (const words of [
      [token],
      [token, "sync"],
      ["help", token],
      [`--${token}`],
      ["--config", token],
      [head, "-x"],
    ]) {
      await unseen(words);
    }
  });

  test("given to update-user-attributes in the wrong place or order", async () => {
    const own = ["update-user-attributes"];
    const value = ["--user-attributes", "Name=nickname,Value=Dan"];
    const taken = ["--access-token", token];
    for (const words of [
      [...taken, "--user-attributes", token],
      [...taken, "--user-attributes", `Name=${token},Value=${token}`],
      [...taken, "--user-attributes", `Name=${token},Value=`],
      [...taken, "--user-attributes", `${token}=a,${token}=b`],
      [...taken, "--user-attributes", `Name=nickname,Value=${token},${token}`],
      [...taken, "--user-attributes", `[{"Name":"nickname","Value":"${token}"`],
      [...taken, "--user-attributes", `[{"Name":"nickname","${token}":"x"}]`],
      [...taken, "--user-attributes", `{${token}}`],
      [...taken, "--client-metadata", token, ...value],
      [...taken, "--client-metadata", `{"a":${token}}`, ...value],
      [...taken, "--cli-input-json", token],
      [...taken, "--cli-input-json", `{"${token}":1}`, ...value],
      [...taken, "--cli-input-json", `file://${stage.at("broken.json")}`],
      [...taken, "--cli-input-json", `file://${stage.at("list.json")}`],
      [...taken, ...value, "--query", token],
      [...taken, ...value, "--query", `'${token}'`],
      [...taken, ...value, "--query", `[?${token}`],
      [...taken, ...value, "--query", `"${token}"`],
      [...taken, ...value, "--query", "`" + token + "`"],
      [...taken, ...value, "--region", token],
      [...taken, ...value, "--profile", token],
      [...taken, ...value, "--endpoint-url", `http://${token}/`],
      [...taken, ...value, "--endpoint-url", `http://127.0.0.1:1/${token}`],
      [...taken, ...value, "--dry-run"],
      [...taken, ...value, "--queue"],
      [...taken, ...value, "--select", `^${token}`],
      [...taken, ...value, "--generate-cli-skeleton", "output"],
      ["--access-token", ...value, token],
      ["--access-token", "--user-attributes", token],
      ["--access-token", `file://${stage.at("none")}/${token}`, ...value],
      ["--access-token", `fileb://${token}`, ...value],
      ["--access-token", `file://${stage.at("token.txt")}`, ...value],
      ["--access-token", `${token} ${token}`, ...value],
      ["--access-token", `${token}`.slice(0, 90), ...value],
      [...value, token],
    ]) {
      await unseen([...own, ...words]);
    }
  });

  test("on standard input, of either one-user command", async () => {
    const member = JSON.stringify({ AccessToken: token, UserAttributes: [{ Name: "nickname", Value: "Dan" }] });
    for (const stdin of [
      `${token}\n${token}\n`,
      `${token}`,
      `"${token}"\n`,
      `AccessToken\n${token}\n`,
      `AccessToken,UserAttributes\n${token},${token}\n`,
      `AccessToken,${token}\n${token},x\n`,
      `AccessToken;UserAttributes\n${token};"Name=nickname,Value=Dan\n`,
      `${member}\n${member.slice(0, -4)}\n{"${token}": 1}\n{"AccessToken": ["${token}"]}\n{${token}}\n`,
      `{"AccessToken":"${token}","UserAttributes":"${token}"}\n`,
      `{"UserPoolId":"${token}","Username":"${token}","UserAttributes":[{"Name":"${token}","Value":"${token}"}]}\n`,
      `[${member}]`,
    ]) {
      await unseen(["update-user-attributes", "-"], { stdin });
      await unseen(["admin-update-user-attributes", "-"], { stdin });
    }
  });

  test("given for a pool, a user, an attribute, a file or a filter", async () => {
    const admin = ["admin-update-user-attributes", "--user-pool-id", POOL];
    const value = ["--user-attributes", "Name=nickname,Value=Dan"];
    for (const words of [
      [...admin, "--username", token, ...value],
      [...admin, "--username", token, ...value, "--now"],
      [...admin, "--username", token, ...value, "--dry-run"],
      [...admin, "--username", "u0", ...value, "--select", "^Username", "--query", `'${token}'`],
      [
        ...admin,
        "--username",
        "u0",
        "--user-attributes",
        `Name=nickname,Value=${token}`,
        "--select",
        "^UserAttributes",
      ],
      [...admin, "--username", "u0", "--user-attributes", `Name=custom:team,Value=${token}`],
      ["admin-update-user-attributes", "--user-pool-id", token, "--username", "u0", ...value],
      [
        "admin-update-user-attributes",
        "--user-pool-id",
        `eu-west-1_${signature}`.slice(0, 55),
        "--username",
        "u0",
        ...value,
      ],
      ["explain", "--user-pool-id", POOL, "--username", token],
      ["explain", "--user-pool-id", POOL, "--username", "u0"],
      ["sync", stage.at("token.txt"), "--user-pool-id", POOL],
      ["sync", stage.at("tokens.csv"), "--user-pool-id", POOL],
      ["sync", stage.at("row.csv"), "--user-pool-id", POOL],
      ["sync", stage.at("long.csv"), "--user-pool-id", POOL],
      ["sync", stage.at("broken.json"), "--user-pool-id", POOL],
      ["plan", stage.at("row.csv"), "--user-pool-id", POOL, "--baseline", token],
      ["plan", `https://127.0.0.1:1/${token}`, "--user-pool-id", POOL],
      ["plan", `s3://${token}/${token}`, "--user-pool-id", POOL],
      ["sync", `${token}*`, "--user-pool-id", POOL],
      ["apply", stage.at("token.txt")],
      ["sync", stage.at("row.csv"), "--config", stage.at("token.txt")],
      ["sync", stage.at("row.csv"), "--config", stage.at("broken.json")],
      ["dead", "list"],
      ["dead", "export"],
      ["drift", stage.at("long.csv"), "--user-pool-id", POOL],
      ["plan", stage.at("long.csv"), "--user-pool-id", POOL],
      ["status"],
      ["runs", "list"],
      ["dead", "show", token],
      ["runs", "show", token],
    ]) {
      await unseen(words);
    }
  });

  test("in the environment", async () => {
    const words = ["sync", stage.at("long.csv"), "--user-pool-id", POOL];
    for (const name of [
      "POOLSYNC_NAMESPACE",
      "POOLSYNC_RATE",
      "POOLSYNC_RESERVE",
      "POOLSYNC_LIST_RATE",
      "POOLSYNC_KEY",
      "POOLSYNC_LOG_LEVEL",
      "POOLSYNC_CONFIG",
      "POOLSYNC_POOLS",
      "POOLSYNC_CONCURRENCY",
      "REDIS_URL",
      "AWS_PROFILE",
      "AWS_REGION",
      "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    ]) {
      await unseen(words, { environment: { [name]: token } });
    }
    await unseen(words, { environment: { REDIS_URL: `redis://:${token}@127.0.0.1:1` } });
    await unseen(["worker"], { environment: { POOLSYNC_POOLS: token } });
  });

  test("in what a process logs on the way, told everything", async () => {
    const value = ["--user-attributes", "Name=nickname,Value=Dan"];
    const lines = [
      ["update-user-attributes", "--access-token", token, ...value],
      ["update-user-attributes", "--access-token", token, ...value, "--queue"],
      ["admin-update-user-attributes", "--user-pool-id", POOL, "--username", token, ...value],
      ["sync", stage.at("row.csv"), "--user-pool-id", POOL],
      ["sync", stage.at("long.csv"), "--user-pool-id", POOL],
      ["status", "--config", stage.at("token.txt")],
      ["sync", token],
    ];
    const { REDIS_URL = "", POOLSYNC_NAMESPACE = "" } = environment;
    const child = runFile("test/support/command-lines.ts", [JSON.stringify(lines)], {
      ...AWS_ENVIRONMENT,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: stage.emulator.url,
      REDIS_URL,
      POOLSYNC_NAMESPACE,
      POOLSYNC_LOG_LEVEL: "trace",
    });
    assert.equal(await child.ended(), 0);
    assert.match(child.stderr(), /exit code 64/);
    assertNoToken(child.stdout() + child.stderr(), token, "the output");
    for (const entry of ["workers/deliver.ts", "workers/directory.ts"]) {
      const worker = runFile(entry, [], { ...AWS_ENVIRONMENT, REDIS_URL, POOLSYNC_RATE: token, POOLSYNC_POOLS: token });
      assert.notEqual(await worker.ended(), 0);
      assertNoToken(worker.stdout() + worker.stderr(), token, entry);
    }
  });
});
