import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { testRedis } from "../support/redis.ts";
import { emulatorWith, POOL, runCommand } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const failure = z.strictObject({ error: z.strictObject({ kind: z.string(), message: z.string() }) });

describe("what cannot be done is said in one sentence with the next step", () => {
  let emulator: Emulator;
  let restore: () => void;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  const at = (name: string) => join(directory.path, name);

  before(async () => {
    emulator = await emulatorWith(1);
    restore = exampleAws({ AWS_REGION: undefined, AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    directory = await temporaryDirectory();
    await writeFile(at("users.csv"), "username,given_name\nu0,Ana\n");
    await writeFile(at("email.csv"), "username,email\nu0,ana@example.com\n");
    await writeFile(at("empty.csv"), "");
    await writeFile(at("binary.csv"), Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 8]));
    await writeFile(at("wrong.yaml"), "pools: { a: { id: 7 } }\nfeeds: []");
  });
  after(async () => {
    await emulator.close();
    restore();
    await directory.remove();
  });

  /** Both forms of the answer: one document on stdout, or one sentence on stderr, and no stack in either. */
  async function refused(
    words: readonly string[],
    code: number,
    message: RegExp,
    options: { readonly environment?: Record<string, string>; readonly readsWithinMs?: number } = {},
  ) {
    const all = [...words, "--data-dir", at("data")];
    const plain = await runCommand(all, options);
    assert.equal(plain.code, code, plain.stderr);
    assert.match(plain.stderr, message);
    assert.equal(plain.stdout, "");
    const json = await runCommand([...all, "--json"], options);
    assert.equal(json.code, code);
    const { error } = failure.parse(JSON.parse(json.stdout));
    assert.match(error.message, message);
    assert.equal(json.stderr, "");
    for (const text of [plain.stderr, json.stdout]) assert.doesNotMatch(text, /^\s+at .*:\d+/m);
    return error.kind;
  }
  const { url, namespace } = testRedis();
  /** For what opens an engine: one in a directory takes ten times the CPU. */
  const redis = { environment: { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } };
  const sync = (...words: readonly string[]) => ["sync", "--user-pool-id", POOL, ...words];

  test("a feed that is missing, a directory, empty or no text", async () => {
    assert.equal(await refused(sync(at("none.csv")), 1, /does not exist; check the path/), "missing");
    assert.equal(await refused(sync(directory.path), 1, /is a directory/), "directory");
    assert.equal(await refused(sync(at("empty.csv")), 1, /is empty/), "empty");
    assert.equal(await refused(sync(at("binary.csv")), 1, /binary\.csv/), "binary");
    assert.deepEqual((await readdir(directory.path)).includes("data"), false, "nothing was opened for it");
  });

  test("an e-mail column without a word on its flag", async () => {
    assert.equal(await refused(sync(at("email.csv")), 1, /--verified mark .* ask .* keep/, redis), "columns");
  });

  test("wrong usage", async () => {
    await refused(["sync", at("users.csv")], 64, /--user-pool-id/);
    await refused(sync(), 64, /at least one file/);
    await refused(sync("-", "-"), 64, /only once/);
    await refused(sync(at("users.csv"), "--nonsense"), 64, /unknown option '--nonsense'/);
    await refused(sync(at("users.csv"), "--verified", "yes"), 64, /mark, ask, keep/);
    await refused(sync(at("users.csv"), "--rate", "0"), 64, /--rate: Expected a number above 0, got `0`/);
    await refused(sync(at("users.csv"), "--as-of", "yesterday"), 64, /--as-of: Expected a time with its zone/);
    await refused(sync(at("users.csv"), "--detach"), 64, /REDIS_URL/);
    await refused(["sync", at("users.csv"), "--user-pool-id", "nobody"], 64, /id of a user pool/);
    await refused(["sync", at("users.csv"), "--user-pool-id", "local_1"], 64, /--region.*AWS_REGION/);
    await refused(sync("a.csv", "b.csv", "--report", "report.ndjson"), 64, /--report: Expected one file/);
    await refused(["dead", "discard"], 64, /--all/);
    await refused(
      ["dead", "list", "--pool", "nobody"],
      64,
      /^(?:\{[^]*")?--pool: Expected the id of a user pool/,
      redis,
    );
  });

  test("a configuration file with several problems, all of them told", async () => {
    const kind = await refused(
      sync(at("users.csv"), "--config", at("wrong.yaml")),
      64,
      /pools\.a\.id[^]*feeds: Expected a map/,
    );
    assert.equal(kind, "configuration");
  });

  test("a pool that is not there, and an endpoint that nobody answers at", async () => {
    assert.equal(
      await refused(["sync", at("users.csv"), "--user-pool-id", "eu-west-1_None"], 1, /eu-west-1_None/, redis),
      "pool-not-found",
    );
    assert.equal(
      await refused(
        ["sync", at("users.csv"), "--user-pool-id", "eu-west-1_None", "--endpoint-url", "http://127.0.0.1:1"],
        1,
        /ECONNREFUSED/,
        { readsWithinMs: 300, ...redis },
      ),
      "network",
    );
    assert.equal(
      await refused(
        sync(at("users.csv"), "--endpoint-url", "http://127.0.0.1:1"),
        64,
        /knows pool .*--endpoint-url/,
        redis,
      ),
      "foreign-target",
    );
  });

  test("a pool in another Region than AWS_REGION says", async () => {
    const environment = { AWS_REGION: "us-east-1", ...redis.environment };
    const words = ["sync", at("users.csv"), "--user-pool-id", "eu-west-1_None"];
    await refused(words, 1, /Region is us-east-1 .*AWS_REGION.* begins with eu-west-1: name that one/, { environment });
    const named = await runCommand([...words, "--region", "eu-west-1", "--data-dir", at("data")], { environment });
    assert.doesNotMatch(named.stderr, /us-east-1/);
  });

  test("standard input that cannot be spooled", async () => {
    const words = ["sync", "-", "--user-pool-id", POOL, "--data-dir", at("users.csv")];
    const { code, stderr } = await runCommand(words, { stdin: "username,given_name\nu0,Ana\n" });
    assert.equal(code, 1);
    assert.match(stderr, /cannot be spooled to .*--data-dir.*--stream/);
  });

  test("no credentials", async () => {
    const putBack = exampleAws({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    });
    try {
      assert.equal(await refused(sync(at("users.csv")), 1, /AWS credentials/, redis), "credentials-missing");
    } finally {
      putBack();
    }
  });

  test("a Redis that is down", async () => {
    const environment = { REDIS_URL: "redis://127.0.0.1:1" };
    assert.equal(await refused(sync(at("users.csv")), 1, /127\.0\.0\.1:1.*start it/, { environment }), "unreachable");
  });

  test("letters and runs that are not there", async () => {
    assert.equal(await refused(["dead", "show", "none"], 1, /poolsync dead list/, redis), "no-letter");
    assert.equal(await refused(["runs", "show", "none"], 1, /poolsync runs list/, redis), "no-run");
  });

  test("a word that is no command, also where one of several is the usual", async () => {
    assert.equal(await refused(["dead", "shwo"], 64, /unknown command 'shwo'\n\(Did you mean show\?\)/), "usage");
    assert.equal(await refused(["runs", "shwo"], 64, /unknown command 'shwo'\n\(Did you mean show\?\)/), "usage");
    assert.equal(await refused(["runs", "xyzzy"], 64, /unknown command 'xyzzy'(\n\(--help|$)/), "usage");
    assert.equal(await refused(["runs", "list", "x"], 64, /too many arguments for 'list'/), "usage");
    assert.equal((await runCommand(["runs"], redis)).stdout, "No runs yet.\n");
    const { stdout } = await runCommand(["runs", "--json", "--limit", "5"], redis);
    assert.deepEqual(JSON.parse(stdout), { runs: [] });
  });

  test("nothing was put by any of it", async () => {
    const { stdout } = await runCommand(["runs", "list", "--json"], redis);
    assert.deepEqual(JSON.parse(stdout), { runs: [] });
    assert.equal(emulator.counters.categories.UserUpdate.calls, 0);
  });
});
