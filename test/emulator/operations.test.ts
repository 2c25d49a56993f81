import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  DeleteUserPoolCommand,
  DescribeUserPoolCommand,
  UpdateUserAttributesCommand,
  UserNotFoundException,
} from "@aws-sdk/client-cognito-identity-provider";
import { EXAMPLE_KEYS, POOL, createClient, stage } from "./sdk-client.ts";

const NAME = [{ Name: "name", Value: "Anna" }];

describe("DescribeUserPool", () => {
  test("shows the whole pool as the SDK types it", async () => {
    await using on = await stage(
      {
        schema: [
          { name: "email", required: true },
          { name: "level", type: "Number", minValue: 1, maxValue: 9 },
          { name: "custom:team", minLength: 2, maxLength: 5, mutable: false },
          { name: "secret", developerOnly: true },
        ],
        aliasAttributes: ["email", "preferred_username"],
        autoVerified: ["email"],
        requireVerificationBeforeUpdate: ["email"],
        caseSensitive: false,
      },
      [{ username: "anna" }, { username: "ben" }],
      { now: () => 1_795_478_400_500 },
    );
    const { UserPool } = await on.client.send(new DescribeUserPoolCommand({ UserPoolId: POOL }));
    assert.partialDeepStrictEqual(UserPool, {
      Id: POOL,
      Name: "people",
      Arn: `arn:aws:cognito-idp:eu-west-1:123456789012:userpool/${POOL}`,
      AliasAttributes: ["email", "preferred_username"],
      AutoVerifiedAttributes: ["email"],
      UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ["email"] },
      UsernameConfiguration: { CaseSensitive: false },
      EstimatedNumberOfUsers: 2,
      CreationDate: new Date(1_795_478_400_500),
      MfaConfiguration: "OFF",
    });
    assert.equal(UserPool?.UsernameAttributes, undefined);
    assert.equal(UserPool?.SchemaAttributes?.length, 23);
    const schema = new Map(UserPool?.SchemaAttributes?.map((attribute) => [attribute.Name, attribute]));
    const string = { AttributeDataType: "String", DeveloperOnlyAttribute: false, Mutable: true, Required: false };
    assert.deepEqual(schema.get("sub"), {
      ...string,
      Name: "sub",
      Mutable: false,
      Required: true,
      StringAttributeConstraints: { MinLength: "1", MaxLength: "2048" },
    });
    assert.equal(schema.get("email")?.Required, true);
    assert.deepEqual(schema.get("birthdate")?.StringAttributeConstraints, { MinLength: "10", MaxLength: "10" });
    assert.deepEqual(schema.get("updated_at")?.NumberAttributeConstraints, { MinValue: "0" });
    assert.deepEqual(schema.get("custom:level"), {
      ...string,
      Name: "custom:level",
      AttributeDataType: "Number",
      NumberAttributeConstraints: { MinValue: "1", MaxValue: "9" },
    });
    assert.deepEqual(schema.get("custom:team"), {
      ...string,
      Name: "custom:team",
      Mutable: false,
      StringAttributeConstraints: { MinLength: "2", MaxLength: "5" },
    });
    assert.deepEqual(schema.get("dev:secret"), {
      ...string,
      Name: "dev:secret",
      DeveloperOnlyAttribute: true,
      StringAttributeConstraints: {},
    });
  });

  test("an unknown pool is named", async () => {
    await using on = await stage();
    await assert.rejects(on.client.send(new DescribeUserPoolCommand({ UserPoolId: "eu-west-1_Other" })), {
      name: "ResourceNotFoundException",
      message: "User pool eu-west-1_Other does not exist.",
    });
  });

  test("a malformed pool id is echoed", async () => {
    await using on = await stage();
    await assert.rejects(on.client.send(new DescribeUserPoolCommand({ UserPoolId: "people" })), {
      name: "InvalidParameterException",
      message:
        "1 validation error detected: Value 'people' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w-]+_[0-9a-zA-Z]+",
    });
  });
});

describe("AdminUpdateUserAttributes", () => {
  test("answers nothing, writes, deletes with a blank, and logs what was applied in order", async () => {
    let now = 1000;
    await using on = await stage({}, [{ username: "anna", attributes: { nickname: "An" } }], { now: () => now++ });
    const send = (UserAttributes: { Name: string; Value: string }[]): Promise<object> =>
      on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "anna", UserAttributes }));
    assert.deepEqual(Object.keys(await send(NAME)), ["$metadata"]);
    await send([{ Name: "nickname", Value: "" }]);
    assert.deepEqual(on.pool.user("anna")?.attributes, { name: "Anna" });
    const { writes } = on.emulator.log;
    assert.partialDeepStrictEqual(writes, [
      {
        seq: 1,
        pool: POOL,
        username: "anna",
        sub: on.pool.user("anna")?.sub,
        attributes: { name: "Anna" },
        operation: "AdminUpdateUserAttributes",
      },
      { seq: 2, attributes: { nickname: "" } },
    ]);
    assert.ok((writes[0]?.at ?? 0) < (writes[1]?.at ?? 0));
    assert.deepEqual(on.emulator.log.since(1), writes.slice(1));
  });

  test("an unknown user is a 400, whatever the SDK's model says", async () => {
    await using on = await stage();
    const command = new AdminUpdateUserAttributesCommand({
      UserPoolId: POOL,
      Username: "nobody",
      UserAttributes: NAME,
    });
    await assert.rejects(on.client.send(command), (error) => {
      assert.ok(error instanceof UserNotFoundException);
      assert.equal(error.message, "User does not exist.");
      assert.equal(error.$metadata.httpStatusCode, 400);
      return true;
    });
    assert.deepEqual(on.emulator.counters.operations, {
      AdminUpdateUserAttributes: { calls: 1, errors: { UserNotFoundException: 1 } },
    });
  });

  test("missing members are null", async () => {
    await using on = await stage();
    const command = new AdminUpdateUserAttributesCommand({
      UserPoolId: POOL,
      Username: undefined,
      UserAttributes: undefined,
    });
    await assert.rejects(on.client.send(command), {
      name: "InvalidParameterException",
      message:
        "2 validation errors detected: Value null at 'username' failed to satisfy constraint: Member must not be null; Value null at 'userAttributes' failed to satisfy constraint: Member must not be null",
    });
  });
});

describe("UpdateUserAttributes", () => {
  const ANNA = { username: "anna", attributes: { email: "anna@example.com" } };

  test("a minted token writes for its user and is told where codes went", async () => {
    await using on = await stage({ autoVerified: ["email"] }, [ANNA]);
    const AccessToken = on.emulator.mintAccessToken(POOL, "anna");
    const UserAttributes = [...NAME, { Name: "email", Value: "anna@example.org" }];
    const { CodeDeliveryDetailsList } = await on.client.send(
      new UpdateUserAttributesCommand({ AccessToken, UserAttributes }),
    );
    assert.deepEqual(CodeDeliveryDetailsList, [
      { Destination: "a***@e***", DeliveryMedium: "EMAIL", AttributeName: "email" },
    ]);
    assert.equal(on.pool.user("anna")?.attributes["name"], "Anna");
    assert.equal(on.emulator.log.writes[0]?.operation, "UpdateUserAttributes");
  });

  test("tokens that are malformed, expired or without the scope are refused", async () => {
    await using on = await stage({}, [ANNA]);
    const refusals = [
      ["nonsense", "Invalid Access Token"],
      [on.emulator.mintAccessToken(POOL, "anna", { expiresInSeconds: -1 }), "Access Token has expired"],
      [on.emulator.mintAccessToken(POOL, "anna", { scope: "openid" }), "Access Token does not have required scopes"],
    ] as const;
    for (const [AccessToken, message] of refusals) {
      await assert.rejects(on.client.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes: NAME })), {
        name: "NotAuthorizedException",
        message,
      });
    }
  });

  test("flags and developer-only attributes are not for users", async () => {
    await using on = await stage({ schema: [{ name: "dev:secret" }] }, [ANNA]);
    const AccessToken = on.emulator.mintAccessToken(POOL, "anna");
    for (const Name of ["email_verified", "dev:secret"]) {
      await assert.rejects(
        on.client.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes: [{ Name, Value: "true" }] })),
        { name: "NotAuthorizedException", message: "A client attempted to write unauthorized attribute" },
      );
    }
  });

  test("the state of the user counts, as it does not for administrators", async () => {
    const states = [
      [{ username: "u1", status: "UNCONFIRMED" }, "UserNotConfirmedException"],
      [{ username: "u2", status: "RESET_REQUIRED" }, "PasswordResetRequiredException"],
      [{ username: "u3", enabled: false }, "NotAuthorizedException"],
    ] as const;
    await using on = await stage(
      {},
      states.map(([seed]) => seed),
    );
    for (const [{ username }, name] of states) {
      const AccessToken = on.emulator.mintAccessToken(POOL, username);
      await assert.rejects(on.client.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes: NAME })), {
        name,
      });
      await on.client.send(
        new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: username, UserAttributes: NAME }),
      );
    }
  });
});

describe("AdminGetUser", () => {
  test("answers the user with its sub, dates and state", async () => {
    await using on = await stage(
      {},
      [{ username: "anna", sub: "1b4e28ba-2fa1-41d2-883f-0016d3cca427", attributes: { name: "Anna" } }],
      { now: () => 1_795_478_400_250 },
    );
    const { $metadata, ...user } = await on.client.send(
      new AdminGetUserCommand({ UserPoolId: POOL, Username: "anna" }),
    );
    assert.equal($metadata.httpStatusCode, 200);
    assert.deepEqual(user, {
      Username: "anna",
      UserAttributes: [{ Name: "sub", Value: "1b4e28ba-2fa1-41d2-883f-0016d3cca427" }, ...NAME],
      UserCreateDate: new Date(1_795_478_400_250),
      UserLastModifiedDate: new Date(1_795_478_400_250),
      Enabled: true,
      UserStatus: "CONFIRMED",
    });
    await assert.rejects(on.client.send(new AdminGetUserCommand({ UserPoolId: POOL, Username: "ben" })), {
      name: "UserNotFoundException",
    });
  });
});

describe("AdminCreateUser", () => {
  test("makes a user who must change the password, immutable attributes set this once", async () => {
    await using on = await stage({ schema: [{ name: "badge", mutable: false }] });
    const { User } = await on.client.send(
      new AdminCreateUserCommand({
        UserPoolId: POOL,
        Username: "anna",
        UserAttributes: [{ Name: "custom:badge", Value: "7" }],
        MessageAction: "SUPPRESS",
      }),
    );
    assert.equal(User?.UserStatus, "FORCE_CHANGE_PASSWORD");
    assert.deepEqual(on.pool.user("anna")?.attributes, { "custom:badge": "7" });
    await assert.rejects(on.client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username: "anna" })), {
      name: "UsernameExistsException",
    });
  });

  test("required attributes that are missing are listed", async () => {
    await using on = await stage({
      schema: [
        { name: "name", required: true },
        { name: "family_name", required: true },
      ],
    });
    await assert.rejects(on.client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username: "anna" })), {
      name: "InvalidParameterException",
      message:
        "Attributes did not conform to the schema: name: The attribute is required\nfamily_name: The attribute is required\n",
    });
  });

  test("where people sign in with e-mail the username is an address and becomes the sub", async () => {
    await using on = await stage({ usernameAttributes: ["email"], schema: [{ name: "email", required: true }] });
    const create = (Username: string): Promise<{ User?: { Username?: string | undefined } | undefined }> =>
      on.client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username, DesiredDeliveryMediums: ["EMAIL"] }));
    const { User } = await create("anna@example.com");
    assert.equal(User?.Username, on.pool.user("anna@example.com")?.sub);
    assert.equal(on.emulator.counters.messages.email, 1);
    await assert.rejects(create("anna"), { message: "Username should be an email." });
    await assert.rejects(create("anna@example.com"), { name: "UsernameExistsException" });
  });

  test("an alias pool takes no address for a username and moves a verified alias only when forced", async () => {
    await using on = await stage({ aliasAttributes: ["email"] }, [
      { username: "anna", attributes: { email: "anna@example.com", email_verified: "true" } },
    ]);
    const create = (Username: string, ForceAliasCreation = false): Promise<unknown> => {
      const UserAttributes = [
        { Name: "email", Value: "anna@example.com" },
        { Name: "email_verified", Value: "true" },
      ];
      return on.client.send(
        new AdminCreateUserCommand({ UserPoolId: POOL, Username, UserAttributes, ForceAliasCreation }),
      );
    };
    await assert.rejects(create("ben@example.com"), {
      message: "Username cannot be of email format, since user pool is configured for email alias.",
    });
    await assert.rejects(create("ben"), { name: "AliasExistsException" });
    await create("ben", true);
    assert.equal(on.pool.user("anna@example.com")?.username, "ben");
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "false");
  });
});

describe("requests at the door", () => {
  test("an operation that is not known is told so", async () => {
    await using on = await stage();
    await assert.rejects(on.client.send(new DeleteUserPoolCommand({ UserPoolId: POOL })), {
      name: "UnknownOperationException",
    });
  });

  test("an administrator's call that nobody signed is refused, whatever it asks", async () => {
    await using on = await stage();
    const response = await fetch(on.emulator.url, {
      method: "POST",
      headers: { "x-amz-target": "AWSCognitoIdentityProviderService.AdminGetUser" },
      body: "{}",
    });
    assert.equal(response.status, 400);
    assert.equal(response.headers.get("x-amzn-errortype"), "MissingAuthenticationTokenException:");
    assert.deepEqual(await response.json(), {
      __type: "MissingAuthenticationTokenException",
      message: "Missing Authentication Token",
    });
  });

  test("a key that is not known and one that has expired are told apart", async () => {
    const credentials = { allowed: [EXAMPLE_KEYS.accessKeyId], expired: ["ASIAIOSFODNN7EXAMPLE"] };
    await using on = await stage({}, [], { credentials });
    const describePool = new DescribeUserPoolCommand({ UserPoolId: POOL });
    await on.client.send(describePool);
    const names: string[] = [];
    for (const accessKeyId of ["AKIAI44QH8DHBEXAMPLE", "ASIAIOSFODNN7EXAMPLE"]) {
      const client = createClient(on.emulator.url, { ...EXAMPLE_KEYS, accessKeyId });
      await client.send(describePool).catch((error: Error) => names.push(error.name));
      client.destroy();
    }
    assert.deepEqual(names, ["UnrecognizedClientException", "ExpiredTokenException"]);
  });

  test("a value that is no text, and a body that is no JSON, cannot be read", async () => {
    await using on = await stage({}, [{ username: "anna" }]);
    const post = async (body: string): Promise<unknown> => {
      const response = await fetch(on.emulator.url, {
        method: "POST",
        headers: {
          authorization: `AWS4-HMAC-SHA256 Credential=${EXAMPLE_KEYS.accessKeyId}/20261101/eu-west-1/cognito-idp/aws4_request`,
          "x-amz-target": "AWSCognitoIdentityProviderService.AdminUpdateUserAttributes",
        },
        body,
      });
      return response.json();
    };
    const UserAttributes = [{ Name: "name", Value: 7 }];
    assert.deepEqual(await post(JSON.stringify({ UserPoolId: POOL, Username: "anna", UserAttributes })), {
      __type: "SerializationException",
      message: "NUMBER_VALUE can not be converted to String",
    });
    assert.partialDeepStrictEqual(await post("{"), { __type: "SerializationException" });
  });

  test("the text of an error is repeated in a header, form-encoded where it is not plain", async () => {
    await using on = await stage({}, [{ username: "anna" }]);
    const response = await fetch(on.emulator.url, {
      method: "POST",
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${EXAMPLE_KEYS.accessKeyId}/20261101/eu-west-1/cognito-idp/aws4_request`,
        "x-amz-target": "AWSCognitoIdentityProviderService.AdminUpdateUserAttributes",
      },
      body: JSON.stringify({ UserPoolId: POOL, Username: "anna", UserAttributes: [{ Name: "sub", Value: "x" }] }),
    });
    await response.body?.cancel();
    assert.equal(response.headers.get("x-amzn-errormessage"), "user.sub%3A+Attribute+cannot+be+updated.%0A");
  });
});
