import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { POOL, runCommand, setStage, type Said, type Stage } from "./command-run.ts";

const COMMAND = "admin-update-user-attributes";

describe("one user, in the AWS CLI's words", () => {
  let stage: Stage;
  before(async () => {
    // What is sent at once wants to be alone: no data directory is there before something is queued.
    stage = await setStage(6, {}, false);
  });
  after(() => stage.clear());

  const admin = (words: readonly string[], stdin?: string): Promise<Said> =>
    runCommand([COMMAND, "--data-dir", `${stage.directory}/data`, ...words], stdin === undefined ? {} : { stdin });
  const change = (username: string, ...attributes: string[]): string[] => [
    "--user-pool-id",
    POOL,
    "--username",
    username,
    "--user-attributes",
    ...attributes,
  ];
  const attributesOf = (username: string): Readonly<Record<string, string>> =>
    stage.emulator.pools.get(POOL)?.user(username)?.attributes ?? {};

  test("is changed at once with --now, where no engine is", async () => {
    const said = await admin([...change("u0", "Name=nickname,Value=Dan", "Name=custom:team,Value=a"), "--now"]);
    assert.deepEqual(said, { code: EXIT.done, stdout: "", stderr: "" });
    assert.deepEqual([attributesOf("u0")["nickname"], attributesOf("u0")["custom:team"]], ["Dan", "a"]);
  });

  test("carries metadata with --now", async () => {
    const words = [...change("u0", "Name=nickname,Value=Dan"), "--client-metadata", "reason=test"];
    assert.equal((await admin([...words, "--now"])).code, EXIT.done);
    assert.deepEqual(stage.emulator.log.writes.at(-1)?.clientMetadata, { reason: "test" });
  });

  test("is not found with --now, and the username that was meant is named", async () => {
    const said = await admin([...change("U1", "Name=nickname,Value=Dan"), "--now"]);
    assert.equal(said.code, EXIT.failed);
    const [first, , suggestion] = said.stderr.split("\n");
    assert.equal(
      first,
      "An error occurred (UserNotFoundException) when calling the AdminUpdateUserAttributes operation: User does not exist.",
    );
    assert.equal(suggestion, "Did you mean `u1`?");
  });

  test("is only looked at with --dry-run", async () => {
    const words = [
      "Name=given_name,Value=New",
      "Name=nickname,Value=Dan",
      "Name=email,Value=u0@example.com",
      "Name=custom:team,Value=",
    ];
    const said = await admin([...change("u0", ...words), "--dry-run", "--json"]);
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.deepEqual(JSON.parse(said.stdout), {
      changes: [
        { attribute: "given_name", would: "change", message: false },
        { attribute: "nickname", would: "rewrite", message: false },
        { attribute: "email", would: "unchanged", message: false },
        { attribute: "custom:team", would: "clear", message: false },
      ],
    });
    assert.equal(attributesOf("u0")["given_name"], "Old");
  });

  test("is changed through the engine, and again, but for an address that is there", async () => {
    putMadeDirectory(stage.at("data"));
    const words = change(
      "u2",
      "Name=given_name,Value=New",
      "Name=email,Value=n@e.com",
      "Name=email_verified,Value=true",
    );
    assert.deepEqual(await admin(words), { code: EXIT.done, stdout: "", stderr: "" });
    const again = await admin([...words, "--json"]);
    assert.deepEqual(JSON.parse(again.stdout), {
      attributes: [
        { name: "given_name", outcome: "applied" },
        { name: "email", outcome: "unchanged" },
      ],
    });
    assert.deepEqual([attributesOf("u2")["email"], attributesOf("u2")["email_verified"]], ["n@e.com", "true"]);
  });

  test("carries metadata through the queue, and a dead letter keeps it, masked", async () => {
    const queued = await admin([
      ...change("u1", "Name=nickname,Value=Dan"),
      "--client-metadata",
      "reason=queued",
      "--queue",
    ]);
    assert.equal(queued.code, EXIT.done, queued.stderr);
    const waited = await admin([...change("u1", "Name=locale,Value=en"), "--client-metadata", "reason=waited"]);
    assert.equal(waited.code, EXIT.done, waited.stderr);
    assert.deepEqual(
      stage.emulator.log.writes.slice(-2).map(({ attributes, clientMetadata }) => [attributes, clientMetadata]),
      [
        [{ nickname: "Dan" }, { reason: "queued" }],
        [{ locale: "en" }, { reason: "waited" }],
      ],
    );
    const died = await admin([...change("u8", "Name=nickname,Value=Dan"), "--client-metadata", "reason=secretive"]);
    const [, letter = ""] = /dead show ([0-9a-f]{32})/.exec(died.stderr) ?? [];
    const dead = (...words: string[]): Promise<Said> =>
      runCommand(["dead", ...words, "--data-dir", `${stage.directory}/data`]);
    assert.match((await dead("show", letter)).stdout, /^metadata +reason=s\*\*\*$/m);
    assert.match((await dead("show", letter, "--show-values")).stdout, /^metadata +reason=secretive$/m);
    assert.match(
      (await dead("export")).stderr,
      /1 of them were sent with client metadata, which a file does not carry/,
    );
    assert.equal((await dead("discard", "--all")).code, EXIT.done);
  });

  test("keeps what was refused as a dead letter", async () => {
    const said = await admin(change("u9", "Name=nickname,Value=Dan"));
    assert.equal(said.code, EXIT.failed);
    assert.match(
      said.stderr,
      /^An error occurred \(UserNotFoundException\)[^]*\n`nickname` was not written \(user-not-found\): poolsync dead show [0-9a-f]{32} /,
    );
    assert.doesNotMatch(said.stderr, /Dan/);
  });

  test("is queued with --queue", async () => {
    const said = await admin([...change("u3", "Name=nickname,Value=Dan"), "--queue"]);
    assert.match(said.stdout, /"User": "[0-9a-f]{32}",\n +"Queued": \[\n +"nickname"/);
    assert.equal(attributesOf("u3")["nickname"], undefined);
  });

  test("is not sent past an engine", async () => {
    const said = await admin([...change("u3", "Name=nickname,Value=New"), "--now"]);
    assert.equal(said.code, EXIT.guarded);
    assert.match(said.stderr, /could overwrite this one\. Leave --now out/);
  });

  test("comes many at a time from standard input, and a faulty one keeps none of the others", async () => {
    const csv = `Username,UserAttribute\nu4,"Name=nickname,Value=A B Name=given_name,Value=C"\nu4 x,"Name=nickname,Value=B"\nu5,"Name=nickname,Value=B"\n`;
    const said = await admin(["-", "--user-pool-id", POOL], csv);
    assert.equal(said.code, EXIT.partial);
    assert.match(said.stderr, /^Line 3: Parameter validation failed:\nExpected `Username`/);
    assert.deepEqual([attributesOf("u4")["nickname"], attributesOf("u4")["given_name"]], ["A B", "C"]);
    const json = `{"user-pool-id":"${POOL}","username":"u5","UserAttributes":[{"Name":"nickname","Value":"C"}]}\n`;
    assert.equal((await admin(["-"], json)).code, EXIT.done);
    assert.equal(attributesOf("u5")["nickname"], "C");
  });

  const refused: [title: string, words: string[], message: RegExp][] = [
    ["no options", [], /^Parameter validation failed:\nExpected `UserPoolId`, which is required\n/],
    ["two modes", ["--wait", "--now"], /got several/],
    ["another argument", ["users.csv"], /Expected `-` for standard input/],
    ["a query that cannot be", ["--query", "["], /^Bad value for --query/],
    ["another output", ["--output", "yaml"], /one of json, text, table/],
  ];
  for (const [title, words, message] of refused) {
    test(`is refused with ${title}`, async () => {
      const said = await admin(words);
      assert.equal(said.code, EXIT.usage);
      assert.match(said.stderr, message);
    });
  }

  test("is told by attributes that the pool does not take, and nothing is written", async () => {
    const said = await admin(change("u0", "Name=given_nam,Value=Secret", "Name=nickname,Value=Other"));
    assert.deepEqual(
      [said.code, said.stderr],
      [EXIT.failed, "Nothing was written:\nThe pool has no attribute `given_nam`: did you mean `given_name`?\n"],
    );
    assert.equal(attributesOf("u0")["nickname"], "Dan");
  });
});
