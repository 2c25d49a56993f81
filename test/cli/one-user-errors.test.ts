import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import { POOL, runCommand, setStage, type Said, type Stage } from "./command-run.ts";

describe("one user, refused", () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage(2);
  });
  after(() => stage.clear());

  // The errors of AdminUpdateUserAttributes in Cognito's reference, and what AWS answers to bad credentials.
  const errors = [
    "AliasExistsException",
    "InternalErrorException",
    "InvalidEmailRoleAccessPolicyException",
    "InvalidLambdaResponseException",
    "InvalidParameterException",
    "InvalidSmsRoleAccessPolicyException",
    "InvalidSmsRoleTrustRelationshipException",
    "NotAuthorizedException",
    "OperationNotEnabledException",
    "ResourceNotFoundException",
    "TooManyRequestsException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
    "UserNotFoundException",
    "AccessDeniedException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ThrottlingException",
  ];
  for (const error of errors) {
    test(`with ${error} is told so at once with --now, what to do, and nothing of the value`, async () => {
      stage.emulator.faults.clear();
      const operation = "AdminUpdateUserAttributes";
      stage.emulator.faults.add({ operation, error, message: "About Secretive of u1", times: 1 });
      const said: Said = await runCommand([
        "admin-update-user-attributes",
        "--data-dir",
        `${stage.directory}/none`,
        "--user-pool-id",
        POOL,
        "--username",
        "u1",
        "--user-attributes",
        "Name=nickname,Value=Secretive",
        "--now",
      ]);
      stage.emulator.faults.clear();
      assert.equal(said.code, EXIT.failed);
      const [first, advice = ""] = said.stderr.split("\n");
      assert.equal(first, `An error occurred (${error}) when calling the ${operation} operation: About *** of ***`);
      assert.ok(advice.length > 20);
      assert.doesNotMatch(said.stderr, /Secretive|replay|dead/);
    });
  }

  test("comes many at a time: several under way, one user's in order, answers in the order of the input", async () => {
    stage.emulator.faults.clear();
    stage.emulator.faults.add({
      operation: "AdminUpdateUserAttributes",
      username: "u0",
      error: "TooManyRequestsException",
      times: 1,
    });
    const line = (username: string, value: string): string =>
      JSON.stringify({ UserPoolId: POOL, username, UserAttributes: [{ Name: "nickname", Value: value }] });
    const lines = [
      line("u0", "first"),
      line("u1", "a"),
      "{ no JSON",
      line("u0", "second"),
      line("nobody", "x"),
      line("U1 ", "y"),
    ];
    const words = ["admin-update-user-attributes", "-", "--data-dir", `${stage.directory}/data`, "--json"];
    const said = await runCommand([...words, "--select", "^Username"], { stdin: lines.join("\n") });
    assert.equal(said.code, EXIT.partial);
    assert.deepEqual(
      said.stderr
        .split("\n")
        .filter((item) => item.startsWith("Line"))
        .map((item) => item.slice(0, 26)),
      ["Line 3: Expected one whole", "Line 5: An error occurred ", "Line 6: Parameter validati"],
    );
    const nicknames = stage.emulator.log.writes
      .filter(({ username }) => username === "u0")
      .map(({ attributes }) => attributes["nickname"]);
    assert.deepEqual(nicknames, ["first", "second"]);
    const inOrder = await runCommand(
      ["admin-update-user-attributes", "-", "--data-dir", `${stage.directory}/data`, "--select", "^Username"],
      {
        stdin: Array.from({ length: 12 }, (_, item) => line(`u${item % 2}`, `${item}`)).join("\n"),
      },
    );
    assert.equal(inOrder.code, EXIT.done, inOrder.stderr);
    assert.equal(inOrder.stdout, Array.from({ length: 12 }, (_, item) => `"u${item % 2}"\n`).join(""));
    assert.deepEqual(
      [0, 1].map((number) => stage.emulator.pools.get(POOL)?.user(`u${number}`)?.attributes["nickname"]),
      ["10", "11"],
    );
  });
});
