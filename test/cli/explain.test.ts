import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { onePool, POOL, runCommand, type Said } from "./command-run.ts";

const LISTED = z.object({ listed: z.object({ attributes: z.record(z.string(), z.string()) }) });
const DOCUMENT = z.object({
  pending: z.array(z.object({ attribute: z.string(), would: z.string() })),
  ledger: z.array(z.object({ attribute: z.string() })),
  letters: z.array(z.object({ attribute: z.string() })),
});

/** A pool, and the words that name it and a directory for the embedded store, but for the user. */
async function setStage(t: TestContext, options: Omit<PoolDefinition, "id"> = {}) {
  const { emulator, pool, directory } = await onePool(t, options);
  const tail = ["--data-dir", join(directory, "data"), "--user-pool-id", POOL, "--username"];
  return { emulator, pool, directory, tail };
}

describe("explain", () => {
  test("tells of one user's pool, mailbox, ledger, letters and aliases, and masks every value", async (t) => {
    const { pool, directory, tail } = await setStage(t, { aliasAttributes: ["email"] });
    pool.addUser({
      username: "jane",
      attributes: { given_name: "Original", email: "first@example.com", email_verified: "true" },
    });
    pool.addUser({ username: "joe", attributes: { email: "wanted@example.com", email_verified: "true" } });
    const admin = (username: string, ...words: string[]): Promise<Said> =>
      runCommand(["admin-update-user-attributes", ...tail, username, "--user-attributes", ...words]);
    const file = join(directory, "poolsync.yaml");
    await writeFile(file, `pools: { staff: { id: ${POOL} } }\n`);
    const only = ["--config", file, "--data-dir", join(directory, "data"), "--username", "jane"];
    assert.equal((await runCommand(["explain", ...only])).code, EXIT.done);
    const fresh = await runCommand(["explain", ...tail, "jane"]);
    assert.equal(fresh.code, EXIT.done, fresh.stderr);
    assert.match(fresh.stdout, /poolsync was never asked to change this user\.\n$/);

    assert.equal((await admin("jane", "Name=given_name,Value=Changed")).code, EXIT.done);
    await admin("jane", "Name=email,Value=wanted@example.com", "Name=nickname,Value=Secretive", "--queue");
    const said = await runCommand(["explain", ...tail, "jane"]);
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.match(said.stdout, /^jane in eu-west-1_Example \(eu-west-1\), known as [0-9a-f]{32}\n/);
    assert.match(said.stdout, /email +w\*\*\*@e\*\*\*\.com +joe/);
    // Asked for without its flag the address is not yet hers, and takes nothing from him.
    assert.match(
      said.stdout,
      /The next delivery would send\n  AdminUpdateUserAttributes: (?:email=w\*\*\*@e\*\*\*\.com, nickname=S\*\*\*|nickname=S\*\*\*, email=w\*\*\*@e\*\*\*\.com)\n/,
    );
    assert.doesNotMatch(said.stdout, /Original|Changed|Secretive|wanted@|first@/);
    const json = await runCommand(["explain", ...tail, "jane", "--json"]);
    const { pending, ledger } = DOCUMENT.parse(JSON.parse(json.stdout));
    assert.deepEqual(pending.map(({ attribute, would }) => `${attribute} ${would}`).toSorted(), [
      "email change",
      "nickname set",
    ]);
    assert.deepEqual(ledger, [{ attribute: "given_name" }]);

    await admin(
      "jane",
      "Name=email,Value=wanted@example.com",
      "Name=email_verified,Value=true",
      "--client-metadata",
      "reason=secretive",
      "--queue",
    );
    const taking = await runCommand(["explain", ...tail, "jane"]);
    assert.match(taking.stdout, /letter\s+\(alias-exists\)/);
    assert.match(taking.stdout, /would send\n  AdminUpdateUserAttributes: nickname=S\*\*\*\n/);
    assert.match(taking.stdout, /Another user has what `email` is to be/);
    await admin("jane", "Name=email,Value=free@example.com", "--client-metadata", "reason=secretive", "--queue");
    const free = await runCommand(["explain", ...tail, "jane"]);
    assert.match(free.stdout, /email=f\*\*\*@e\*\*\*\.com, with metadata reason=s\*\*\*/);
    assert.match(free.stdout, /email +f\*\*\*@e\*\*\*\.com +nobody/);
    assert.doesNotMatch(free.stdout, /secretive|free@/);

    await admin("gone", "Name=nickname,Value=Secretive");
    const gone = await runCommand(["explain", ...tail, "gone"]);
    assert.match(gone.stdout, /The pool does not list this user/);
    assert.match(gone.stdout, /`nickname` is a dead letter, [0-9a-f]{32} \(user-not-found\)\.\sCreate/);
  });

  test("masks an attribute that is only named like a flag", async (t) => {
    const { pool, tail } = await setStage(t, { schema: [{ name: "home_verified" }] });
    const attributes = { email: "ann@example.com", email_verified: "true", "custom:home_verified": "Elm Street 1" };
    pool.addUser({ username: "ann", attributes });
    const words = [...tail, "ann"];
    const { listed } = LISTED.parse(JSON.parse((await runCommand(["explain", ...words, "--json"])).stdout));
    assert.deepEqual(
      [listed.attributes["custom:home_verified"], listed.attributes["email_verified"]],
      ["E***", "true"],
    );
    assert.doesNotMatch((await runCommand(["explain", ...words])).stdout, /Elm Street/);
  });

  test("knows an alias in every spelling of a pool that ignores case", async (t) => {
    const { pool, tail } = await setStage(t, { aliasAttributes: ["email"], caseSensitive: false });
    pool.addUser({ username: "ann", attributes: { email: "shared@example.com", email_verified: "true" } });
    pool.addUser({ username: "bob" });
    const words = [...tail, "bob"];
    const wants = (email: string, ...rest: string[]): Promise<Said> => {
      const attributes = [`Name=email,Value=${email}`, "Name=email_verified,Value=true"];
      return runCommand(["admin-update-user-attributes", ...words, "--user-attributes", ...attributes, ...rest]);
    };
    assert.equal((await wants("Shared@example.com")).code, EXIT.failed);
    assert.equal((await wants("shared@Example.com", "--queue")).code, EXIT.done);
    const said = await runCommand(["explain", ...words, "--json"]);
    const { pending, letters } = DOCUMENT.parse(JSON.parse(said.stdout));
    assert.deepEqual(letters, [{ attribute: "email" }]);
    assert.deepEqual(pending, [{ attribute: "email", would: "letter (alias-exists)" }]);
  });

  test("says of a value whose call was given up that it may have been written", async (t) => {
    const { emulator, pool, tail } = await setStage(t);
    pool.addUser({ username: "jane" });
    const operation = "AdminUpdateUserAttributes";
    emulator.faults.add({ operation, attributes: ["nickname"], times: 1, error: { kind: "reset" } });
    emulator.faults.add({ operation, attributes: ["nickname"], error: "InvalidParameterException" });
    const words = [...tail, "jane"];
    const sets = async (name: string): Promise<number> => {
      const attributes = ["--user-attributes", `Name=${name},Value=Secretive`];
      return (await runCommand(["admin-update-user-attributes", ...words, ...attributes])).code;
    };
    assert.deepEqual([await sets("given_name"), await sets("nickname")], [EXIT.done, EXIT.failed]);
    const said = await runCommand(["explain", ...words]);
    assert.match(said.stdout, /given_name +\S+Z\n/);
    assert.match(said.stdout, /nickname +\S+Z +may have been written, or was found there\n/);
    assert.doesNotMatch(said.stdout, /given_name +\S+Z +may/);
  });

  test("asks for the pool and the user", async () => {
    assert.equal((await runCommand(["explain", "--username", "jane"])).code, EXIT.usage);
  });
});
