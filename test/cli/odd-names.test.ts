import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, directoryWithData } from "./command-run.ts";

/** What every plain object of JavaScript has a property of, and names at the limits. */
const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "ü".repeat(128), "🦉".repeat(64)];
const ATTRIBUTES = ["custom:__proto__", "custom:constructor", "custom:toString"];
/** At the limits of a value: characters, and bytes in UTF-8. */
const LONG = ["x".repeat(2048), "🦉".repeat(512), "e\u0301".repeat(682)] as const;

function oddNames(engine: string, environment: () => Record<string, string>): void {
  test(`users, attributes, columns and files may be called anything: ${engine}`, async () => {
    const emulator = await startEmulator({ quotas: "unmetered" });
    const restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    const directory = await directoryWithData();
    try {
      const pool = emulator.pools.add({ id: POOL, schema: ATTRIBUTES.map((name) => ({ name, maxLength: 2048 })) });
      for (const username of NAMES) pool.addUser({ username, attributes: {} });
      const rows = [["username", ...ATTRIBUTES, "valueOf"], ...NAMES.map((name) => [name, ...LONG, "x"])];
      // One row is a character too long in each way, and one has a name that no pool takes.
      rows.push(["u".repeat(129), ...LONG, "x"], [NAMES[0] ?? "", "x".repeat(2049), "🦉".repeat(513), "\u0301", "x"]);
      const file = join(directory.path, "__proto__");
      await writeFile(file, rows.map((row) => row.join()).join("\n"));
      const words = ["sync", "--user-pool-id", POOL, file, "--ignore-unknown", "--duplicates", "last", "--json"];
      const places = ["--data-dir", join(directory.path, "data"), "--report", join(directory.path, "report")];
      const said = await runCommand([...words, ...places], { environment: environment() });
      assert.equal(said.code, 2, said.stdout + said.stderr);
      const last = NAMES[0];
      for (const username of NAMES) {
        const attributes = new Map(Object.entries(pool.user(username)?.attributes ?? {}));
        for (const [at, name] of ATTRIBUTES.entries()) {
          const wanted = username === last && at === 2 ? "\u0301" : LONG[at];
          assert.equal(attributes.get(name), wanted, `${name} of ${username}`);
        }
      }
    } finally {
      await emulator.close();
      restore();
      await directory.remove();
    }
  });
}

describe("odd names", () => {
  oddNames("embedded", () => ({}));
  oddNames("Redis", () => {
    const { url, namespace } = testRedis();
    return { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
  });
});
