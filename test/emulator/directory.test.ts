import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startEmulator } from "../../src/emulator/emulator.ts";

describe("a pool in process", () => {
  test("takes many users and finds each by its names", async () => {
    const emulator = await startEmulator();
    try {
      const pool = emulator.pools.add({ aliasAttributes: ["email"] });
      for (let index = 0; index < 20_000; index++) {
        const email = `user-${index}@example.com`;
        pool.addUser({ username: `user-${index}`, attributes: { email, email_verified: "true", name: `N ${index}` } });
      }
      assert.equal(pool.size, 20_000);
      const user = pool.user("user-19999@example.com");
      assert.equal(user?.username, "user-19999");
      assert.equal(pool.user(user?.sub ?? "")?.username, "user-19999");
      assert.throws(() => pool.addUser({ username: "user-7" }), { name: "UsernameExistsException" });
    } finally {
      await emulator.close();
    }
  });

  test("hands out the same ids for the same seed", async () => {
    const subs: (string | undefined)[] = [];
    for (const seed of [3, 3, 4]) {
      const emulator = await startEmulator({ seed });
      subs.push(emulator.pools.add().addUser({ username: "anna" }).sub);
      await emulator.close();
    }
    assert.equal(subs[0], subs[1]);
    assert.notEqual(subs[1], subs[2]);
    assert.match(subs[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
