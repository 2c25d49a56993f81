/** Drift as the command shows it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { testRedis } from "../support/redis.ts";
import { byHand, POOL, runCommand, setStage, type Stage } from "./command-run.ts";

const drift = z.object({
  compared: z.number(),
  unknown: z.number(),
  drifted: z.number(),
  missingColumns: z.array(z.object({ attribute: z.string(), column: z.string() })),
  changed: z.array(
    z.object({ username: z.string(), attribute: z.string(), now: z.string().nullable(), feed: z.string() }),
  ),
});

describe("drift", () => {
  const { url, namespace } = testRedis();
  const environment = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
  const run = (words: readonly string[]) => runCommand([...words, "--data-dir", stage.at("data")], { environment });
  let stage: Stage;
  before(async () => {
    stage = await setStage(6, {}, false);
  });
  after(() => stage.clear());

  test("is what others changed since poolsync wrote it, and nothing else", async () => {
    const change = (username: string, attributes: Readonly<Record<string, string>>) =>
      byHand(stage.emulator, username, attributes);
    const at = (name: string) => stage.at(name);
    const of = async (command: string, path: string, ...more: readonly string[]) => {
      return run([command, path, "--user-pool-id", POOL, "--verified", "mark", ...more]);
    };
    const rows = Array.from({ length: 5 }, (_, number) => `u${number},Name${number},new${number}@example.com`);
    await writeFile(at("staff.csv"), `username,given_name,email\n${rows.join("\n")}\n`);
    const first = await of("sync", at("staff.csv"), "--json");
    assert.equal(first.code, EXIT.done, first.stderr);
    const none = await of("drift", at("staff.csv"), "--json");
    assert.equal(none.code, EXIT.done, none.stderr);
    assert.deepEqual(drift.parse(JSON.parse(none.stdout)), {
      compared: 10,
      unknown: 0,
      drifted: 0,
      missingColumns: [],
      changed: [],
    });

    await change("u0", { given_name: "Somebody" });
    await change("u1", { given_name: "" });
    await change("u2", { email: "other@example.com", email_verified: "true" });
    await change("u3", { email_verified: "false" });
    // The feed has moved on, and poolsync has not written it yet: that is no drift. Of u5 poolsync wrote nothing.
    rows[4] = "u4,Later,new4@example.com";
    await writeFile(at("staff.csv"), `username,given_name,email\n${[...rows, "u5,Old,x@example.com"].join("\n")}\n`);
    const writes = stage.emulator.log.writes.length;
    const found = await of("drift", at("staff.csv"), "--json");
    assert.equal(found.code, EXIT.partial, found.stderr);
    assert.deepEqual(drift.parse(JSON.parse(found.stdout)), {
      compared: 10,
      unknown: 2,
      drifted: 4,
      missingColumns: [],
      changed: [
        { username: "u0", attribute: "given_name", now: "S***", feed: "N***" },
        { username: "u1", attribute: "given_name", now: null, feed: "N***" },
        { username: "u2", attribute: "email", now: "o***@e***.com", feed: "n***@e***.com" },
        { username: "u3", attribute: "email", now: "n***@e***.com", feed: "n***@e***.com" },
      ],
    });
    const shown = await of("drift", at("staff.csv"));
    assert.equal(shown.code, EXIT.partial);
    assert.match(shown.stdout, /Of 10 values 4 were changed by others.*Of 2 more it is\snot known/s);
    assert.ok(!shown.stdout.includes("Somebody"));

    const mapping = "attributes: { given_name: First, email: { column: email, verified: mark } }, username: username";
    await writeFile(at("hr.yaml"), `feeds: { hr: { pool: ${POOL}, ${mapping} } }\n`);
    const renamed = await of("drift", at("staff.csv"), "--feed", "hr", "--config", at("hr.yaml"));
    assert.match(renamed.stdout, /Of 5 values 2 were.*`given_name` was not compared: the feed has no column `First`/s);
    assert.equal(stage.emulator.log.writes.length, writes);
  });

  test("shows the value of an attribute that is only called as a flag is, masked", async () => {
    const other = "eu-west-1_Other";
    const pool = stage.emulator.pools.add({ id: other, schema: [{ name: "home_verified" }] });
    const attributes = { "custom:home_verified": "7 Elm Row", email: "u0@example.com", email_verified: "false" };
    pool.addUser({ username: "u0", attributes });
    const path = stage.at("home.csv");
    const where = [path, "--user-pool-id", other, "--json"];
    await writeFile(path, "username,custom:home_verified,email_verified\nu0,9 Oak Lane,true\n");
    const first = await run(["sync", ...where]);
    assert.equal(first.code, EXIT.done, first.stdout);
    await byHand(stage.emulator, "u0", attributes, other);
    const { code, stdout } = await run(["drift", ...where]);
    assert.equal(code, EXIT.partial, stdout);
    assert.deepEqual(
      drift.parse(JSON.parse(stdout)).changed.map(({ attribute, now }) => [attribute, now]),
      [
        ["custom:home_verified", "7***"],
        ["email_verified", "false"],
      ],
    );
  });
});
