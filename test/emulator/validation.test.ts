import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdminUpdateUserAttributesCommand } from "@aws-sdk/client-cognito-identity-provider";
import type { AttributeType } from "@aws-sdk/client-cognito-identity-provider";
import type { AttributeDefinition } from "../../src/emulator/schema.ts";
import { POOL, stage } from "./sdk-client.ts";

const SCHEMA: readonly AttributeDefinition[] = [
  { name: "email", required: true },
  { name: "family_name", required: true },
  { name: "locale", mutable: false },
  { name: "level", type: "Number", minValue: 1, maxValue: 9 },
  { name: "badge", mutable: false },
  { name: "team", minLength: 2, maxLength: 5 },
  { name: "remote", type: "Boolean" },
  { name: "hired", type: "DateTime" },
  { name: "secret", developerOnly: true },
];
const ANNA = {
  username: "anna",
  attributes: { email: "anna@example.com", family_name: "Berg", locale: "sv", "custom:badge": "7", name: "Anna" },
};

interface Refusal {
  readonly fact: string;
  readonly attributes: readonly AttributeType[];
  readonly message: string;
}

const long = "x".repeat(2049);
const pattern = "[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}\\t\\n\\r ]+";

const REFUSALS: readonly Refusal[] = [
  {
    fact: "an over-long value is echoed",
    attributes: [{ Name: "name", Value: long }],
    message: `1 validation error detected: Value '${long}' at 'userAttributes.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 2048`,
  },
  {
    fact: "each constraint that is violated is told",
    attributes: [
      { Name: "name", Value: "x" },
      { Name: "n".repeat(33), Value: long },
    ],
    message: `2 validation errors detected: Value '${"n".repeat(33)}' at 'userAttributes.2.member.name' failed to satisfy constraint: Member must have length less than or equal to 32; Value '${long}' at 'userAttributes.2.member.value' failed to satisfy constraint: Member must have length less than or equal to 2048`,
  },
  {
    fact: "a name with a control character breaks the pattern",
    attributes: [{ Name: "na\u0001me", Value: "x" }],
    message: `1 validation error detected: Value 'na\u0001me' at 'userAttributes.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: ${pattern}`,
  },
  {
    fact: "a value that is absent is no deletion",
    attributes: [{ Name: "picture" }],
    message: "Attribute value for picture must not be null",
  },
  {
    fact: "an unknown attribute is named",
    attributes: [{ Name: "custom:nope", Value: "x" }],
    message: "user.custom:nope: Attribute does not exist in the schema.\n",
  },
  {
    fact: "a custom attribute needs its prefix",
    attributes: [{ Name: "team", Value: "core" }],
    message: "user.team: Attribute does not exist in the schema.\n",
  },
  {
    fact: "an immutable attribute refuses even the value that is there",
    attributes: [{ Name: "custom:badge", Value: "7" }],
    message: "user.custom:badge: Attribute cannot be updated.\n",
  },
  {
    fact: "the sub is immutable",
    attributes: [{ Name: "sub", Value: "x" }],
    message: "user.sub: Attribute cannot be updated.\n",
  },
  {
    fact: "a required attribute cannot be blanked",
    attributes: [{ Name: "email", Value: "" }],
    message: "user.email: Required attribute cannot be deleted.\n",
  },
  {
    fact: "a number below its range is refused",
    attributes: [{ Name: "custom:level", Value: "0" }],
    message: "user.custom:level: Attribute value is out of range.\n",
  },
  {
    fact: "a number above its range is refused",
    attributes: [{ Name: "custom:level", Value: "10" }],
    message: "user.custom:level: Attribute value is out of range.\n",
  },
  {
    fact: "a number must be one",
    attributes: [{ Name: "custom:level", Value: "nine" }],
    message: "user.custom:level: Attribute value is not a number.\n",
  },
  {
    fact: "updated_at is from 0",
    attributes: [{ Name: "updated_at", Value: "-1" }],
    message: "user.updated_at: Attribute value is out of range.\n",
  },
  {
    fact: "a text below its length is refused",
    attributes: [{ Name: "custom:team", Value: "x" }],
    message: "user.custom:team: Attribute value is shorter than 2 characters.\n",
  },
  {
    fact: "a text above its length is refused",
    attributes: [{ Name: "custom:team", Value: "xxxxxx" }],
    message: "user.custom:team: Attribute value is longer than 5 characters.\n",
  },
  {
    fact: "a boolean is true or false",
    attributes: [{ Name: "custom:remote", Value: "yes" }],
    message: "user.custom:remote: Attribute value is not true or false.\n",
  },
  {
    fact: "a time must be one",
    attributes: [{ Name: "custom:hired", Value: "soon" }],
    message: "user.custom:hired: Attribute value is not a time.\n",
  },
  {
    fact: "a birthdate is a day of the calendar",
    attributes: [{ Name: "birthdate", Value: "2023-02-29" }],
    message: "user.birthdate: Attribute value is not a date (YYYY-MM-DD).\n",
  },
  {
    fact: "a birthdate has ten characters",
    attributes: [{ Name: "birthdate", Value: "1999-1-1" }],
    message: "user.birthdate: Attribute value is shorter than 10 characters.\n",
  },
  {
    fact: "a phone number is a plus and digits",
    attributes: [{ Name: "phone_number", Value: "+1 425 555 1212" }],
    message: "Invalid phone number format.",
  },
  {
    fact: "an e-mail address has its form",
    attributes: [{ Name: "email", Value: "anna(at)example.com" }],
    message: "Invalid email address format.",
  },
  {
    fact: "all faults of the schema come in one message",
    attributes: [
      { Name: "custom:nope", Value: "x" },
      { Name: "locale", Value: "sv" },
      { Name: "family_name", Value: "" },
      { Name: "email", Value: "bad" },
    ],
    message:
      "user.custom:nope: Attribute does not exist in the schema.\nuser.locale: Attribute cannot be updated.\nuser.family_name: Required attribute cannot be deleted.\n",
  },
  {
    fact: "one bad attribute keeps the good ones from being written",
    attributes: [
      { Name: "name", Value: "Anne" },
      { Name: "custom:level", Value: "99" },
    ],
    message: "user.custom:level: Attribute value is out of range.\n",
  },
  {
    fact: "a flag needs a value to speak of",
    attributes: [{ Name: "phone_number_verified", Value: "true" }],
    message: "Phone number is required to verify/un-verify a phone number",
  },
];

describe("an update is refused as a whole, HTTP 400, InvalidParameterException", () => {
  for (const { fact, attributes, message } of REFUSALS) {
    test(fact, async () => {
      await using on = await stage({ schema: SCHEMA }, [ANNA]);
      const before = on.pool.user("anna");
      const UserAttributes = [...attributes];
      const command = new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "anna", UserAttributes });
      await assert.rejects(on.client.send(command), (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
        assert.equal(error.name, "InvalidParameterException");
        assert.equal(error.message, message);
        assert.equal(error.$metadata?.httpStatusCode, 400);
        return true;
      });
      assert.deepEqual(on.pool.user("anna"), before);
      assert.equal(on.emulator.log.writes.length, 0);
    });
  }

  test("a user who lacks a required attribute cannot be updated without it", async () => {
    await using on = await stage({ schema: SCHEMA }, [{ username: "ben", attributes: { email: "ben@example.com" } }]);
    const update = (...UserAttributes: AttributeType[]): Promise<unknown> =>
      on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "ben", UserAttributes }));
    await assert.rejects(update({ Name: "name", Value: "Ben" }), {
      name: "InvalidParameterException",
      message: "user.family_name: The attribute is required\n",
    });
    await update({ Name: "name", Value: "Ben" }, { Name: "family_name", Value: "Alm" });
    assert.equal(on.pool.user("ben")?.attributes["name"], "Ben");
  });

  test("values of every kind that fit are written", async () => {
    await using on = await stage({ schema: SCHEMA }, [ANNA]);
    const values = {
      name: "Åsa, “the” 1st",
      birthdate: "2024-02-29",
      updated_at: "1795478400",
      phone_number: "+14325551212",
      "custom:level": "9",
      "custom:team": "core",
      "custom:remote": "true",
      "custom:hired": "2020-01-01T00:00:00Z",
      "dev:secret": "x",
    };
    const UserAttributes = Object.entries(values).map(([Name, Value]) => ({ Name, Value }));
    await on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "anna", UserAttributes }));
    assert.deepEqual(on.emulator.log.writes[0]?.attributes, values);
    assert.partialDeepStrictEqual(on.pool.user("anna")?.attributes, values);
  });
});
