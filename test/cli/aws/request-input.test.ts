import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { recordInput, requestInput, type RequestFlags } from "../../../src/cli/aws/request-input.ts";
import { AppError } from "../../../src/app/app-error.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const NICKNAME = { Name: "nickname", Value: "Dan" };

describe("a request as the command line says it", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  const at = (name: string): string => join(directory.path, name);
  before(async () => {
    directory = await temporaryDirectory();
    await writeFile(at("attributes.json"), JSON.stringify([NICKNAME]));
    await writeFile(at("shorthand.txt"), "Name=nickname,Value=Dan");
    await writeFile(at("whole.json"), JSON.stringify({ UserPoolId: "eu-west-1_A", Username: "jane", More: 1 }));
    await writeFile(at("name.txt"), "jane");
    await writeFile(at("latin1.txt"), Buffer.from([0x4a, 0xe9]));
  });
  after(() => directory.remove());

  const suggestion: [title: string, flags: () => RequestFlags, input: object][] = [
    ["texts", () => ({ userPoolId: "eu-west-1_A", username: "jane" }), { UserPoolId: "eu-west-1_A", Username: "jane" }],
    [
      "structures, a word each",
      () => ({ userAttributes: ["Name=nickname,Value=Dan", "Name=custom:x,Value="] }),
      { UserAttributes: [NICKNAME, { Name: "custom:x", Value: "" }] },
    ],
    [
      "a list in JSON",
      () => ({ userAttributes: [' [{"Name":"nickname","Value":"Dan"}]'] }),
      { UserAttributes: [NICKNAME] },
    ],
    [
      "structures in JSON, a word each",
      () => ({ userAttributes: ['{"Name":"nickname","Value":"Dan"}', '{"Name":"x"}'] }),
      { UserAttributes: [NICKNAME, { Name: "x" }] },
    ],
    [
      "JSON from a file",
      () => ({ userAttributes: [`file://${at("attributes.json")}`] }),
      { UserAttributes: [NICKNAME] },
    ],
    [
      "shorthand from a file",
      () => ({ userAttributes: [`file://${at("shorthand.txt")}`] }),
      { UserAttributes: [NICKNAME] },
    ],
    [
      "a value from a file",
      () => ({ userAttributes: [`Name=nickname,Value@=file://${at("name.txt")}`] }),
      { UserAttributes: [{ Name: "nickname", Value: "jane" }] },
    ],
    ["a text from a file", () => ({ username: `file://${at("name.txt")}` }), { Username: "jane" }],
    ["a map", () => ({ clientMetadata: "a=1,b=2" }), { ClientMetadata: { a: "1", b: "2" } }],
    ["a map in JSON", () => ({ clientMetadata: '{"a":"1"}' }), { ClientMetadata: { a: "1" } }],
    [
      "a whole request in JSON, below the options",
      () => ({ cliInputJson: `file://${at("whole.json")}`, username: "joe" }),
      { UserPoolId: "eu-west-1_A", Username: "joe", More: 1 },
    ],
    ["a whole request as text", () => ({ cliInputJson: '{"Username":"jane"}' }), { Username: "jane" }],
  ];
  for (const [title, flags, input] of suggestion) {
    test(`takes ${title}`, () => assert.deepEqual(requestInput(flags()), input));
  }

  const refused: [title: string, flags: () => RequestFlags, message: RegExp][] = [
    [
      "shorthand that breaks off",
      () => ({ userAttributes: ["Name"] }),
      /^Error parsing parameter '--user-attributes': Expected: '=', received: 'EOF'/,
    ],
    [
      "JSON that breaks off",
      () => ({ userAttributes: ['[{"Name":"secret"'] }),
      /^Error parsing parameter '--user-attributes': Invalid JSON: .*line 1, column \d+$/,
    ],
    [
      "a file that is not there",
      () => ({ username: `file://${at("gone")}` }),
      /^Error parsing parameter '--username': Unable to load paramfile .* \(ENOENT\)$/,
    ],
    [
      "a file that is no UTF-8",
      () => ({ username: `file://${at("latin1.txt")}` }),
      /could not be decoded: save it as UTF-8$/,
    ],
    ["bytes", () => ({ username: `fileb://${at("name.txt")}` }), /Expected text, got bytes/],
    [
      "a whole request that is no object",
      () => ({ cliInputJson: "[]" }),
      /^Error parsing parameter '--cli-input-json': Invalid type: expecting map/,
    ],
  ];
  for (const [title, flags, message] of refused) {
    test(`refuses ${title}, and shows no value`, () => {
      assert.throws(
        () => requestInput(flags()),
        (error) => error instanceof AppError && message.test(error.message) && !/secret/.test(error.message),
      );
    });
  }
});

describe("a request as a record of standard input says it", () => {
  const spellings = ["UserPoolId", "user-pool-id", "userPoolId", "user_pool_id", "USERPOOLID"];
  for (const spelling of spellings) {
    test(`knows ${spelling}`, () => {
      assert.deepEqual(recordInput(new Map([[spelling, "eu-west-1_A"]])), { UserPoolId: "eu-west-1_A" });
    });
  }
  test("takes a list as JSON has it, as shorthand in one cell, and in the singular", () => {
    const wanted = { UserAttributes: [NICKNAME, { Name: "name", Value: "Dan Roe" }] };
    for (const value of [
      wanted.UserAttributes,
      JSON.stringify(wanted.UserAttributes),
      "Name=nickname,Value=Dan Name=name,Value=Dan Roe",
    ]) {
      assert.deepEqual(recordInput(new Map([["UserAttribute", value]])), wanted);
    }
  });
  test("takes a blank cell for one that was not given", () => {
    assert.deepEqual(
      recordInput(
        new Map([
          ["Username", "jane"],
          ["ClientMetadata", ""],
        ]),
      ),
      { Username: "jane" },
    );
  });
  test("refuses a property that is no option", () => {
    assert.throws(() => recordInput(new Map([["Usernam", "jane"]])), /Usernam.*Expected a property that is an option/);
  });
});
