/** A service that takes no sub for a username: found out by looking, said once, and accounts are told apart as ever. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { runFile } from "../support/process.ts";
import { ANN, setPeople, type People } from "../support/people-stage.ts";
import { POOL } from "../support/pool-stage.ts";

const BOB = "bob@example.com";
const WARNINGS = new Set(["warn", "error", "fatal"]);
const logLine = z.object({ level: z.string(), msg: z.string() });

async function setTwo(t: TestContext, takesSubs: boolean): Promise<People> {
  const people = await setPeople(t, { pool: { aliasAttributes: ["email"] }, emulator: { takesSubs, shortPages: 0 } });
  people.add("ann", { email: ANN });
  people.add("bob", { email: BOB });
  return people;
}

const reads = ({ emulator }: People): number => emulator.counters.operations["AdminGetUser"]?.calls ?? 0;
const APPLIED = { given_name: "applied" };

/** Syncs in a process of its own, and answers its warnings. */
async function warningsOf(people: People, text: string): Promise<string[]> {
  const path = await people.file(text);
  const words = ["--user-pool-id", POOL, "--username-column", "email", "--report", people.at("report.ndjson")];
  const sync = runFile("src/cli/main.ts", ["sync", path, ...words, "--data-dir", people.dataDir, "--json"], {
    ...AWS_ENVIRONMENT,
    ...people.environment,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: people.emulator.url,
    POOLSYNC_LOG_LEVEL: "warn",
    POOLSYNC_CONCURRENCY: "1",
  });
  assert.equal(await sync.ended(), EXIT.done, sync.stderr() + sync.stdout());
  const lines = sync.stderr().split("\n");
  return lines
    .filter((line) => line.startsWith("{"))
    .map((line) => logLine.parse(JSON.parse(line)))
    .filter(({ level }) => WARNINGS.has(level))
    .map(({ msg }) => msg);
}

describe("a service that takes no sub", () => {
  test("is found out by looks at one user and told once, and everybody is written by username", async (t) => {
    const people = await setTwo(t, false);
    const warnings = await warningsOf(people, `email,given_name\n${ANN},Ann\n${BOB},Bob\n`);
    assert.deepEqual(people.have("given_name", "ann", "bob"), ["Ann", "Bob"]);
    assert.equal(warnings.filter((message) => /\bsubs?\b/.test(message)).length, 1, warnings.join("\n"));
    // By username, by sub, and by username again: they may have been deleted meanwhile.
    assert.equal(reads(people), 3);
  });

  test("is asked for the username of a sub", async (t) => {
    const people = await setTwo(t, false);
    const sub = people.pool.user("ann")?.sub ?? "";
    assert.deepEqual(await people.update(sub, { given_name: "Ann" }), APPLIED);
    assert.deepEqual(people.have("given_name", "ann"), ["Ann"]);
    const atOnce = await people.sendNow(sub, "Name=given_name,Value=Anna");
    assert.equal(atOnce.code, EXIT.done, atOnce.stderr);
    assert.deepEqual(people.have("given_name", "ann"), ["Anna"]);
  });

  for (const [title, isThereAgain] of [
    ["gone", false],
    ["gone and its username is another's", true],
  ] as const) {
    test(`is not taken for one where an account is ${title}`, async (t) => {
      const people = await setTwo(t, false);
      await people.queue(ANN, { given_name: "Ann" });
      people.remove("ann");
      if (isThereAgain) people.add("ann");
      await people.deliver();
      assert.deepEqual(people.have("given_name", "ann"), [""]);
      assert.ok(reads(people) > 0, "it was looked who has the username");
      // Nothing was concluded from who is gone: whoever is there is written.
      assert.deepEqual(await people.update(BOB, { given_name: "Bob" }), APPLIED);
      assert.deepEqual(people.have("given_name", "bob"), ["Bob"]);
    });
  }
});

describe("a service that takes subs", () => {
  test("is not taken for an old one because an account is gone", async (t) => {
    const people = await setTwo(t, true);
    for (const [who, name] of [
      ["ann", ANN],
      ["bob", BOB],
    ] as const) {
      await people.queue(name, { given_name: "Former" });
      people.remove(who);
      people.add(who);
      await people.deliver();
    }
    assert.deepEqual(people.have("given_name", "ann", "bob"), ["", ""]);
  });

  test("is not asked by AdminGetUser, which bills the person, where all are there", async (t) => {
    const people = await setTwo(t, true);
    const warnings = await warningsOf(people, `email,given_name\n${ANN},Ann\n${BOB},Bob\n`);
    assert.deepEqual(people.have("given_name", "ann", "bob"), ["Ann", "Bob"]);
    assert.deepEqual([warnings, reads(people)], [[], 0]);
  });
});
