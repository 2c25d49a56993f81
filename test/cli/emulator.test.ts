import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { z } from "zod";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { runCommand, temporaryDirectory } from "./command-run.ts";

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

test("a seed file, a rate or a latency that cannot be is refused", async () => {
  const directory = await temporaryDirectory();
  try {
    const seed = join(directory.path, "seed.json");
    await writeFile(seed, '{ "users": [{ "username": "" }] }');
    for (const [words, message] of [
      [["--seed-file", seed], /is no seed file, at users\.0\.username/],
      [["--seed-file", "none.json"], /can be read/],
      [["--rate", "Update=5"], /UserUpdate=100/],
      [["--latency", "9-1"], /such as 20 or 10-40/],
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
