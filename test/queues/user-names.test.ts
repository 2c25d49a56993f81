import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { openPoolsync } from "../../src/index.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";

test("a person who is named by address, by number and by sub has one mailbox, looked up once each", async (t) => {
  t.after(exampleAws());
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0 });
  t.after(() => emulator.close());
  const pool = emulator.pools.add({ id: "eu-west-1_Emails", usernameAttributes: ["email"], caseSensitive: false });
  pool.addUser({
    username: "jane@example.com",
    attributes: { phone_number: "+14255550123", phone_number_verified: "true" },
  });
  const { sub } = pool.user("jane@example.com") ?? assert.fail("Expected the user to be there");
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-links-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  putMadeDirectory(dataDir);
  const poolsync = await openPoolsync({ dataDir, endpoint: emulator.url, region: "eu-west-1", ratePerSecond: 500 });
  t.after(() => poolsync.close());

  const named = async (username: string, attributes: Readonly<Record<string, string>>) =>
    (await poolsync.enqueue({ pool: pool.id, username, attributes })).user;
  const users = [
    await named("jane@example.com", { given_name: "Jane" }),
    await named("Jane@Example.com", { family_name: "Doe" }),
    await named(sub, { nickname: "jd" }),
  ];
  assert.equal(new Set(users).size, 1, "one user key");
  assert.equal(
    emulator.counters.operations["ListUsers"]?.calls,
    1,
    "one look-up: the second was a link, the sub is the username",
  );
  await assert.rejects(named("nobody@example.com", { given_name: "No" }), /nobody has this address/);

  await poolsync.deliver(pool.id);
  await until("all is applied", async () => (await poolsync.books()).applied === 3);
  assert.equal(emulator.log.writes.length, 1, "one call carries all three");
});
