import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { AdminUpdateUserAttributesCommand, ListUsersCommand } from "@aws-sdk/client-cognito-identity-provider";
import { z } from "zod";
import { createClient } from "../emulator/sdk-client.ts";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { runCommand } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("the emulator says where it listens, and ends with the first signal", async () => {
  const words = ["emulator", "--port", "0", "--users", "3", "--rate", "UserUpdate=100", "--latency", "1-2"];
  const emulator = runFile("bin/poolsync.js", [...words, "--json"], {});
  await until("it listens", () => emulator.stdout().endsWith("}\n"));
  const { endpoint, userPoolId } = z
    .object({ endpoint: z.string(), userPoolId: z.string(), users: z.literal(3) })
    .parse(JSON.parse(emulator.stdout()));
  const user = await fetch(`${endpoint}/_emulator/users?pool=${userPoolId}&username=user00003`);
  assert.match(await user.text(), /user00003@example\.com/);

  const { port } = new URL(endpoint);
  const second = await runCommand(["emulator", "--port", port]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /is taken by another process: give another one with --port/);

  await emulator.kill("SIGTERM");
  assert.equal(await emulator.ended(), 0);
});

test("the emulator's burst is a setting", async () => {
  const words = ["emulator", "--port", "0", "--users", "1", "--rate", "UserUpdate=0.01", "--burst", "300", "--json"];
  const emulator = runFile("bin/poolsync.js", words, {});
  try {
    await until("it listens", () => emulator.stdout().endsWith("}\n"));
    const { endpoint } = z.object({ endpoint: z.string() }).parse(JSON.parse(emulator.stdout()));
    const client = createClient(endpoint);
    const rename = { UserPoolId: "eu-west-1_Example", Username: "user00001" };
    const UserAttributes = [{ Name: "given_name", Value: "Jane" }];
    const write = (): Promise<unknown> =>
      client.send(new AdminUpdateUserAttributesCommand({ ...rename, UserAttributes }));
    for (let call = 0; call < 3; call += 1) await write();
    await assert.rejects(write, { name: "TooManyRequestsException" });
    client.destroy();
  } finally {
    await emulator.kill("SIGTERM");
  }
});

test("the emulator's list lags where it is told to, and shows at once whom the pool begins with", async () => {
  const words = ["emulator", "--port", "0", "--users", "1", "--list-lag", "1h", "--json"];
  const emulator = runFile("bin/poolsync.js", words, {});
  try {
    await until("it listens", () => emulator.stdout().endsWith("}\n"));
    const { endpoint } = z.object({ endpoint: z.string() }).parse(JSON.parse(emulator.stdout()));
    const client = createClient(endpoint);
    const pool = { UserPoolId: "eu-west-1_Example" };
    const UserAttributes = [{ Name: "given_name", Value: "Jane" }];
    await client.send(new AdminUpdateUserAttributesCommand({ ...pool, Username: "user00001", UserAttributes }));
    const { Users } = await client.send(new ListUsersCommand({ ...pool, Filter: 'username = "user00001"' }));
    assert.equal(Users?.[0]?.Attributes?.find(({ Name }) => Name === "given_name")?.Value, "Given");
    client.destroy();
  } finally {
    await emulator.kill("SIGTERM");
  }
});

test("a seed file, a rate, a burst, a latency or a lag that cannot be is refused", async () => {
  const directory = await temporaryDirectory();
  try {
    const seed = join(directory.path, "seed.json");
    await writeFile(seed, '{ "users": [{ "username": "" }] }');
    for (const [words, message] of [
      [["--seed-file", seed], /is no seed file, at users\.0\.username/],
      [["--seed-file", "none.json"], /can be read/],
      [["--rate", "Update=5"], /UserUpdate=100/],
      [["--burst", "0"], /such as 0\.2/],
      [["--latency", "9-1"], /such as 20 or 10-40/],
      [["--list-lag", "2"], /such as 500ms, 2s or 5m/],
      [["--pool-id", "nothing"], /id/],
    ] as const) {
      const { code, stderr } = await runCommand(["emulator", "--port", "0", ...words]);
      assert.equal(code, 64, stderr);
      assert.match(stderr, message);
    }
  } finally {
    await directory.remove();
  }
});
