import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { runFile } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";
import { emulatorWith, POOL } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const USERS = 48;
const document = z.object({
  run: z.string(),
  resumed: z.boolean(),
  balanced: z.literal(true),
  books: z.object({
    received: z.number(),
    applied: z.number(),
    unchanged: z.number(),
    pending: z.literal(0),
    dead: z.literal(0),
  }),
});
const failure = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });

/** The same on either engine; the environment says which. */
for (const engine of ["embedded", "Redis"] as const) {
  describe(`an interrupted sync on ${engine}`, () => {
    let emulator: Emulator;
    let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
    const commands = (): { words: readonly string[]; environment: Record<string, string> } => ({
      words: [
        "sync",
        join(directory.path, "users.csv"),
        "--user-pool-id",
        POOL,
        "--rate",
        "1000",
        "--concurrency",
        "2",
        "--json",
      ],
      environment: {
        ...AWS_ENVIRONMENT,
        AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
        POOLSYNC_DATA_DIR: join(directory.path, "data"),
        POOLSYNC_LOG_LEVEL: "silent",
      },
    });
    const redis = engine === "Redis" ? testRedis() : undefined;

    before(async () => {
      emulator = await emulatorWith(USERS, { latencyMs: 60 });
      directory = await temporaryDirectory();
      if (!redis) putMadeDirectory(join(directory.path, "data"));
      const rows = Array.from({ length: USERS }, (_, number) => `u${number},New`);
      await writeFile(join(directory.path, "users.csv"), `username,given_name\n${rows.join("\n")}\n`);
    });
    after(async () => {
      await emulator.close();
      await directory.remove();
    });

    test("finishes its calls, says what stays queued, and the same command goes on", async () => {
      const { words, environment } = commands();
      const settings = {
        ...environment,
        ...(redis ? { REDIS_URL: redis.url, POOLSYNC_NAMESPACE: redis.namespace } : {}),
      };
      const first = runFile("bin/poolsync.js", words, settings);
      await until("some updates have been made", () => emulator.counters.categories.UserUpdate.calls >= 5);
      await first.kill("SIGINT");
      assert.equal(await first.ended(), 130);
      const { error } = failure.parse(JSON.parse(first.stdout()));
      assert.equal(error.kind, "interrupted");
      assert.match(
        error.message,
        /[1-9]\d* changes stay queued, in run r-.*the same command goes on.*runs cancel r-.* discards them/,
      );
      assert.equal(first.stderr(), "");
      const made = emulator.log.since(0).length;
      assert.ok(made < USERS, `${made} of ${USERS} were written before the signal`);

      const second = runFile("bin/poolsync.js", words, settings);
      assert.equal(await second.ended(), 0, second.stderr());
      const { resumed, books, run } = document.parse(JSON.parse(second.stdout()));
      assert.equal(resumed, true);
      assert.match(error.message, new RegExp(run));
      assert.equal(books.received, USERS);
      assert.equal(books.applied, USERS);
      // What was in flight was finished and not made again.
      assert.equal(emulator.log.since(0).length, USERS);
    });
  });
}
