import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createCognitoClient } from "../../src/cognito/client.ts";
import type { CognitoClient } from "../../src/cognito/client.ts";
import { createUserDirectory } from "../../src/cognito/user-directory.ts";
import { contactsIn } from "../../src/core/comparison.ts";
import type { UserDirectory } from "../../src/cognito/user-directory.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";
const ODD = 'o"dd\\name" or sub = "x';

describe("the user directory", () => {
  let emulator: Emulator;
  let client: CognitoClient;
  let directory: UserDirectory;
  let restore: () => void;
  before(async () => {
    restore = exampleAws();
    // Every page is cut short, so that whoever stops at the first finds nothing.
    emulator = await startEmulator({ quotas: "unmetered", shortPages: 1 });
    const pool = emulator.pools.add({ id: POOL, aliasAttributes: ["email"] });
    pool.addUser({
      username: "ada",
      sub: "sub-of-ada",
      attributes: { email: "ada@example.com", email_verified: "true", phone_number: "+14325551212" },
    });
    pool.addUser({ username: "Ada" });
    pool.addUser({ username: ODD, attributes: { email: "odd@example.com" } });
    pool.addUser({ username: "one", attributes: { email: "shared@example.com", email_verified: "false" } });
    pool.addUser({ username: "two", attributes: { email: "shared@example.com", email_verified: "true" } });
    pool.addUser({ username: "three", attributes: { email: "both@example.com" } });
    pool.addUser({ username: "four", attributes: { email: "both@example.com" } });
    pool.addUser({ username: "five", attributes: { email: "Five@Example.com" } });
    client = createCognitoClient({ endpoint: emulator.url, concurrency: 2, requestTimeoutMs: 2000 });
    directory = createUserDirectory(client);
  });
  after(async () => {
    client.close();
    await emulator.close();
    restore();
  });

  test("names nobody by an address of more users than are listed, and asks no further", async () => {
    const many = emulator.pools.add({ id: "eu-west-1_Many", aliasAttributes: ["email"] });
    for (let number = 0; number < 7_000; number += 1) {
      const verified = number === 0 ? "true" : "false";
      many.addUser({ username: `u${number}`, attributes: { email: "all@example.com", email_verified: verified } });
    }
    const said = await directory.resolve("eu-west-1_Many", "email", "all@example.com");
    assert.ok(said.ok && said.is === "many");
    assert.ok(said.usernames.length < 7_000);
  });

  for (const [title, username, contacts] of [
    [
      "both, with their flags",
      "ada",
      { email: { value: "ada@example.com", verified: true }, phone_number: { value: "+14325551212", verified: false } },
    ],
    ["none", "Ada", {}],
    ["those of a username with quotes and backslashes", ODD, { email: { value: "odd@example.com", verified: false } }],
    ["nothing of a user who is not listed", "nobody", undefined],
  ] as const) {
    test(`reads a user's contacts: ${title}`, async () => {
      const read = await directory.readUser(POOL, { username });
      assert.ok(read.ok);
      assert.deepEqual(contactsIn(read.user), contacts);
    });
  }

  for (const [title, attribute, value, answer] of [
    ["an e-mail address", "email", "ada@example.com", { is: "one", username: "ada" }],
    ["a phone number", "phone_number", "+14325551212", { is: "one", username: "ada" }],
    ["a sub", "sub", "sub-of-ada", { is: "one", username: "ada" }],
    [
      "an address of several users, by who has verified it",
      "email",
      "shared@example.com",
      { is: "one", username: "two" },
    ],
    ["an address that nobody of several has verified", "email", "both@example.com", { is: "many" }],
    ["an address that nobody has", "email", "nobody@example.com", { is: "none" }],
    ["an address in another case, which is another", "email", "five@example.com", { is: "none" }],
  ] as const) {
    test(`resolves ${title}`, async () => {
      const said = await directory.resolve(POOL, attribute, value);
      assert.ok(said.ok);
      assert.deepEqual(said.is === "one" ? { is: "one", username: said.user.username } : { is: said.is }, answer);
    });
  }

  test("resolves an address in another case where the pool ignores it", async () => {
    const answer = await directory.resolve(POOL, "email", "five@example.com", { ignoresCase: true });
    assert.equal(answer.ok && answer.is === "one" && answer.user.username, "five");
  });

  for (const [title, value, look, usernames] of [
    ["who has verified it, of several who have it", "shared@example.com", { verified: true }, ["two"]],
    ["everybody who has it", "shared@example.com", { verified: false }, ["one", "two"]],
    ["nobody by another case", "five@example.com", { verified: false }, []],
    [
      "somebody by another case, where the pool ignores it",
      "five@example.com",
      { verified: false, ignoresCase: true },
      ["five"],
    ],
    ["nobody by a value that would end the filter", 'x" or email = "shared@example.com', { verified: false }, []],
  ] as const) {
    test(`finds the owners of an address: ${title}`, async () => {
      const answer = await directory.owners(POOL, { attribute: "email", value }, look);
      assert.ok(answer.ok);
      assert.deepEqual(answer.owners.map(({ username }) => username).toSorted(), usernames);
    });
  }

  test("answers a failure instead of throwing it", async () => {
    emulator.faults.add({ operation: "ListUsers", times: 1, error: "TooManyRequestsException" });
    const read = await directory.readUser(POOL, { username: "ada" });
    assert.ok(!read.ok && read.failure.kind === "throttled");
    emulator.faults.add({ operation: "ListUsers", times: 1, error: "AccessDeniedException" });
    const resolved = await directory.resolve(POOL, "sub", "x");
    assert.ok(!resolved.ok && resolved.failure.kind === "access-denied");
    emulator.faults.add({ operation: "ListUsers", times: 1, error: "TooManyRequestsException" });
    const owners = await directory.owners(POOL, { attribute: "email", value: "x" }, { verified: true });
    assert.ok(!owners.ok && owners.failure.kind === "throttled");
  });

  test("stops when its signal ends", async () => {
    emulator.faults.add({ operation: "ListUsers", times: 1, error: { kind: "hang" } });
    const read = await directory.readUser(POOL, { username: "ada" }, { signal: AbortSignal.timeout(20) });
    assert.ok(!read.ok && read.failure.kind === "timed-out");
  });
});
