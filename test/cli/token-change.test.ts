import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { emulatorWith, POOL, runCommand, directoryWithData, type Said } from "./command-run.ts";

describe("a user's own change", () => {
  let emulator: Emulator;
  let directory: Awaited<ReturnType<typeof directoryWithData>>;
  before(async () => {
    emulator = await emulatorWith(4);
    directory = await directoryWithData();
  });
  after(async () => {
    await emulator.close();
    await directory.remove();
  });

  const token = (username: string, expiresInSeconds?: number): string =>
    emulator.mintAccessToken(POOL, username, expiresInSeconds === undefined ? {} : { expiresInSeconds });
  const own = (data: string, words: readonly string[], stdin?: string): Promise<Said> =>
    runCommand(
      ["update-user-attributes", "--data-dir", join(directory.path, data), "--endpoint-url", emulator.url, ...words],
      stdin === undefined ? {} : { stdin },
    );
  const attributesOf = (username: string): Readonly<Record<string, string>> =>
    emulator.pools.get(POOL)?.user(username)?.attributes ?? {};

  test("is made with the token alone, and where codes were sent is printed", async () => {
    const file = join(directory.path, "token.txt");
    await writeFile(file, token("u0"));
    const said = await own("none", [
      "--access-token",
      `file://${file}`,
      "--user-attributes",
      "Name=nickname,Value=Dan",
      "--client-metadata",
      "a=b",
    ]);
    assert.deepEqual(said, { code: EXIT.done, stdout: "", stderr: "" });
    assert.equal(attributesOf("u0")["nickname"], "Dan");
    assert.equal(emulator.counters.operations["DescribeUserPool"]?.calls ?? 0, 0);
  });

  // The errors of UpdateUserAttributes in Cognito's reference.
  const errors = [
    "AliasExistsException",
    "CodeDeliveryFailureException",
    "CodeMismatchException",
    "ExpiredCodeException",
    "ForbiddenException",
    "InternalErrorException",
    "InvalidEmailRoleAccessPolicyException",
    "InvalidLambdaResponseException",
    "InvalidParameterException",
    "InvalidSmsRoleAccessPolicyException",
    "InvalidSmsRoleTrustRelationshipException",
    "NotAuthorizedException",
    "OperationNotEnabledException",
    "PasswordResetRequiredException",
    "ResourceNotFoundException",
    "TooManyRequestsException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
    "UserNotConfirmedException",
    "UserNotFoundException",
  ];
  for (const name of errors) {
    test(`that ends with ${name} says so, what to do, and nothing of the token or the value`, async () => {
      emulator.faults.clear();
      emulator.faults.add({
        operation: "UpdateUserAttributes",
        error: name,
        message: `About Secretive ${token("u1")}`,
        times: 1,
      });
      const said = await own("none", [
        "--access-token",
        token("u1"),
        "--user-attributes",
        "Name=nickname,Value=Secretive",
      ]);
      assert.equal(said.code, EXIT.failed);
      const [first, advice = ""] = said.stderr.split("\n");
      assert.equal(
        first?.startsWith(`An error occurred (${name}) when calling the UpdateUserAttributes operation: About *** `),
        true,
        first,
      );
      assert.ok(advice.length > 20);
      assert.doesNotMatch(said.stderr, /Secretive|eyJ/);
      emulator.faults.clear();
    });
  }

  test("with a token that has ended is refused in Cognito's words", async () => {
    const said = await own("none", [
      "--access-token",
      token("u1", -10),
      "--user-attributes",
      "Name=nickname,Value=Dan",
    ]);
    assert.match(
      said.stderr,
      /^An error occurred \(NotAuthorizedException\) when calling the UpdateUserAttributes operation: Access Token has expired\nThe token has ended/,
    );
  });

  test("goes before an older value that waits in the engine, and that one never comes after it", async () => {
    const restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    try {
      const data = ["--data-dir", join(directory.path, "data")];
      const admin = (...words: string[]): Promise<Said> =>
        runCommand(["admin-update-user-attributes", ...data, "--user-pool-id", POOL, "--username", "u3", ...words]);
      const queued = await admin("--queue", "--user-attributes", "Name=nickname,Value=Old", "Name=custom:team,Value=a");
      assert.equal(queued.code, EXIT.done, queued.stderr);
      const said = await own("data", ["--access-token", token("u3"), "--user-attributes", "Name=nickname,Value=New"]);
      assert.equal(said.code, EXIT.done, said.stderr);
      assert.deepEqual([attributesOf("u3")["nickname"], attributesOf("u3")["custom:team"]], ["New", undefined]);
      assert.equal((await admin("--user-attributes", "Name=given_name,Value=Other")).code, EXIT.done);
      assert.deepEqual([attributesOf("u3")["nickname"], attributesOf("u3")["custom:team"]], ["New", "a"]);
      const status = await runCommand(["status", "--verify", "--json", ...data]);
      assert.equal(status.code, EXIT.done, status.stdout);
    } finally {
      restore();
    }
  });

  test("comes many at a time", async () => {
    const lines = ["u1", "u2"].map((user) =>
      JSON.stringify({ AccessToken: token(user), "user-attributes": "Name=nickname,Value=Many" }),
    );
    const said = await own("none", ["-"], `${lines.join("\n")}\n`);
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.equal(attributesOf("u2")["nickname"], "Many");
  });

  const refused: [title: string, words: string[], message: RegExp][] = [
    ["--queue and no key to seal the token", ["--queue"], /^Expected POOLSYNC_KEY with --queue: .* stored in clear/],
    [
      "--dry-run and a token that says no user",
      ["--dry-run", "--region", "eu-west-1", "--access-token", "a.b.c", "--user-attributes", "Name=a,Value=b"],
      /^--dry-run: Expected a token that says its pool and its user/,
    ],
    ["no token", ["--user-attributes", "Name=a,Value=b"], /Expected `AccessToken`, which is required/],
    [
      "a flag",
      ["--access-token", "a.b.c", "--user-attributes", "Name=email_verified,Value=true"],
      /administrators only/,
    ],
    ["a token that says no Region", ["--access-token", "a.b.c", "--user-attributes", "Name=a,Value=b"], /--region/],
  ];
  for (const [title, words, message] of refused) {
    test(`is refused with ${title}`, async () => {
      const said = await own("none", words);
      assert.equal(said.code, EXIT.usage, said.stderr);
      assert.match(said.stderr, message);
    });
  }
});
