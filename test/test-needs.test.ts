import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { needsOf } from "./support/test-needs.ts";

const root = dirname(import.meta.dirname);
const all = globSync("test/**/*.test.ts", { cwd: root }).map((file) => ({ file, ...needsOf(join(root, file)) }));

describe("what a test file needs", () => {
  const known: [file: string, needs: { redis: boolean; dataDirectory: boolean; isUnit: boolean }][] = [
    ["test/core/mailbox.test.ts", { redis: false, dataDirectory: false, isUnit: true }],
    ["test/feeds/format.test.ts", { redis: false, dataDirectory: false, isUnit: true }],
    // A search of random cases.
    ["test/feeds/fuzz.test.ts", { redis: false, dataDirectory: false, isUnit: false }],
    ["test/emulator/quota.test.ts", { redis: false, dataDirectory: false, isUnit: false }],
    ["test/store/redis-error.test.ts", { redis: false, dataDirectory: false, isUnit: false }],
    ["test/store/redis.test.ts", { redis: true, dataDirectory: false, isUnit: false }],
    ["test/queues/delivery-embedded.test.ts", { redis: false, dataDirectory: true, isUnit: false }],
    ["test/library.test.ts", { redis: true, dataDirectory: true, isUnit: false }],
    // The import that it holds in a string is not its own.
    ["test/rooms.test.ts", { redis: false, dataDirectory: false, isUnit: false }],
  ];
  for (const [file, needs] of known) {
    test(`is read from what it imports: ${file}`, () => assert.deepEqual(needsOf(join(root, file)), needs));
  }

  test("is nothing but its process where it is about core, and no simulation", () => {
    const others = all.filter(({ file, isUnit }) => file.startsWith(join("test", "core")) && !isUnit);
    assert.deepEqual(
      others.map(({ file }) => file),
      [join("test", "core", "pace-simulation.test.ts")],
    );
  });

  test("is a Redis for some, and for most none", () => {
    const redis = all.filter((needs) => needs.redis).length;
    assert.ok(redis > 0 && redis < all.length / 2, `${redis} of ${all.length} need a Redis`);
  });
});
