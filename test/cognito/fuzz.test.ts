/**
 * Whatever answers in Cognito's place, a call ends: as done, as a failure of the table, or (where a pool is opened) as
 * a CognitoError. A failure never repeats what the endpoint said, and an answer without an end is cut off.
 */
import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient, type CognitoClient } from "../../src/cognito/client.ts";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import type { Refusal } from "../../src/cognito/fault.ts";
import { readPoolProfile } from "../../src/cognito/pool-profile.ts";
import { createUserDirectory } from "../../src/cognito/user-directory.ts";
import { contactsIn } from "../../src/core/comparison.ts";
import { planContact } from "../../src/core/contact.ts";
import { FAILURE_KINDS } from "../../src/core/failure.ts";
import { culprits } from "../../src/core/isolation.ts";
import { checkUnit, closestName } from "../../src/core/pool-schema.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { fuzzParameters } from "../support/fuzz.ts";

const POOL = "eu-west-1_Fuzz";
/** The endpoint's words; no failure may repeat them. */
const SAID = "s3cr3t";
const SENT = [
  { Name: "email", Value: `${SAID}@example.com` },
  { Name: "email_verified", Value: "true" },
  { Name: "given_name", Value: SAID },
];

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const odd = fc.oneof(
  fc.string({ unit: "binary", maxLength: 10 }),
  fc.constantFrom("__proto__", "constructor", "", "\0", "x".repeat(3000), SAID),
);
const anything = fc.oneof(odd, fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(null, 1e300, true, [], {}));
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 5, arbitrary: good }, { weight: 1, arbitrary: anything });
const record = (shape: Record<string, fc.Arbitrary<unknown>>) => fc.record(shape, { requiredKeys: [] });
const attribute = mostly(
  record({
    Name: mostly(fc.constantFrom("email", "email_verified", "sub", "given_name", "custom:x", "__proto__")),
    Value: mostly(fc.constantFrom("u@example.com", "true", "false", "")),
  }),
);
const schemaAttribute = mostly(
  record({
    Name: mostly(fc.constantFrom("email", "given_name", "custom:x", "__proto__", "constructor")),
    AttributeDataType: mostly(fc.constantFrom("String", "Number", "Boolean", "DateTime", "Other")),
    Mutable: mostly(fc.boolean()),
    Required: mostly(fc.boolean()),
    StringAttributeConstraints: mostly(record({ MinLength: mostly(fc.constant("1")), MaxLength: anything })),
    NumberAttributeConstraints: mostly(record({ MinValue: mostly(fc.constant("-1e9")), MaxValue: anything })),
  }),
);
const names = mostly(fc.array(mostly(fc.constantFrom("email", "phone_number")), { maxLength: 2 }));
const answers = {
  write: mostly(fc.constant({})),
  list: record({
    Users: mostly(
      fc.array(
        mostly(
          record({
            Username: mostly(fc.constantFrom("u1", "U1", "u2")),
            Attributes: mostly(fc.array(attribute, { maxLength: 4 })),
          }),
        ),
        { maxLength: 3 },
      ),
    ),
    PaginationToken: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(null, "") }, { weight: 1, arbitrary: anything }),
  }),
  describe: record({
    UserPool: mostly(
      record({
        Id: mostly(fc.constant(POOL)),
        Arn: mostly(fc.constantFrom(`arn:aws:cognito-idp:eu-west-1:123456789012:userpool/${POOL}`, "::", "")),
        SchemaAttributes: mostly(fc.array(schemaAttribute, { maxLength: 5 })),
        UsernameConfiguration: mostly(record({ CaseSensitive: mostly(fc.boolean()) })),
        UsernameAttributes: names,
        AliasAttributes: names,
        AutoVerifiedAttributes: names,
        UserAttributeUpdateSettings: mostly(record({ AttributesRequireVerificationBeforeUpdate: names })),
      }),
    ),
  }),
};
const error = record({
  __type: mostly(
    fc.constantFrom(
      "TooManyRequestsException",
      "com.amazonaws#InvalidParameterException:http://x/",
      "AliasExistsException",
      "Новая",
    ),
  ),
  code: anything,
  message: mostly(
    fc.constantFrom(
      `Attributes did not conform to the schema: given_name: ${SAID}\n`,
      `1 validation error detected: Value '${SAID}' at 'userAttributes.1.member.value' failed to satisfy constraint: x`,
      `Value '${SAID}' at 'userAttributes.99999999999999999999.member.value' failed`,
      `${SAID} is disabled`,
      SAID.repeat(100_000),
    ),
  ),
  Message: anything,
});
const status = fc.constantFrom(
  200,
  200,
  201,
  204,
  302,
  400,
  400,
  400,
  401,
  403,
  404,
  413,
  429,
  500,
  502,
  503,
  504,
  599,
);
const headers = record({
  "x-amzn-errortype": fc.constantFrom("InvalidParameterException:", "", "x".repeat(500), ":", "#", "a:b#c"),
  "content-type": fc.constantFrom("text/html", "application/x-amz-json-1.1", "", ";;"),
  "x-amzn-query-error": fc.constantFrom(";", "A;B;C", ""),
  "retry-after": fc.constantFrom("-1", "x", "999999999"),
  date: fc.constantFrom("nonsense", "Thu, 01 Jan 1970 00:00:00 GMT"),
  location: fc.constant("http://127.0.0.1:1/"),
}) as fc.Arbitrary<Record<string, string>>;
const text = (answer: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 6, arbitrary: answer.map((value) => JSON.stringify(value) ?? "") },
    { weight: 3, arbitrary: error.map((value) => JSON.stringify(value)) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        "",
        "<html>s3cr3t</html>",
        "{",
        "null",
        "[]",
        '"s3cr3t"',
        "[".repeat(100_000),
        "\ufeff{}",
        "\0",
      ),
    },
  );
const reply = (answer: fc.Arbitrary<unknown>): fc.Arbitrary<Reply> =>
  fc.record({ status, headers, body: text(answer) });

describe("an endpoint that is not Cognito", () => {
  let server: Server;
  let client: CognitoClient;
  let respond: (response: ServerResponse) => void = () => {};
  let asked = 0;
  let restore: () => void;
  before(async () => {
    restore = exampleAws();
    server = createServer((request, response) => {
      asked += 1;
      request.resume();
      request.once("end", () => respond(response));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    client = createCognitoClient({
      // So much is asked of no pool in life.
      controlPlane: { acquire: async () => ({ done() {}, throttled: async () => {} }), close() {} },
      endpoint: `http://127.0.0.1:${address.port}`,
      concurrency: 2,
      requestTimeoutMs: 10_000,
    });
  });
  after(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    restore();
  });

  const answerWith = ({ status, headers, body }: Reply) => {
    respond = (response) => response.writeHead(status, headers).end(body);
  };

  function assertRefusal({ failure, message }: Refusal): void {
    assert.ok(Object.hasOwn(FAILURE_KINDS, failure.kind));
    assert.ok(!JSON.stringify(failure).includes(SAID), JSON.stringify(failure));
    const sent = SENT.map(({ Name }) => Name);
    for (const unit of culprits(failure.kind, message, sent) ?? []) assert.ok(sent.includes(unit), unit);
  }

  const write = () =>
    createAttributeWriter(client).write(POOL, SAID, SENT, {
      signal: AbortSignal.timeout(20_000),
      notAfter: Infinity,
    });

  test("may say anything to a write", async (t) => {
    const property = fc.asyncProperty(reply(answers.write), async (said) => {
      answerWith(said);
      const answer = await write();
      if (!answer.ok) return assertRefusal(answer);
      assert.ok(said.status >= 200 && said.status < 300, `${said.status} is no success`);
    });
    await fc.assert(property, fuzzParameters(t, 150));
  });

  test("may say anything of users", async (t) => {
    const directory = createUserDirectory(client);
    const property = fc.asyncProperty(reply(answers.list), fc.boolean(), async (said, ignoresCase) => {
      answerWith(said);
      const read = await directory.readUser(POOL, { username: "u1" }, { ignoresCase });
      if (!read.ok) assertRefusal(read);
      else {
        for (const verified of ["mark", "ask", "keep"] as const) {
          planContact(
            { caseSensitive: !ignoresCase },
            "email",
            { kind: "text", text: "u@example.com", verified },
            contactsIn(read.user),
          );
        }
      }
      const found = await directory.resolve(POOL, "email", "u@example.com", { ignoresCase });
      if (!found.ok) assertRefusal(found);
      else if (found.is === "one") assert.equal(typeof found.user.username, "string");
    });
    await fc.assert(property, fuzzParameters(t, 150));
  });

  test("may say anything of a pool", async (t) => {
    const property = fc.asyncProperty(reply(answers.describe), async (said) => {
      answerWith(said);
      try {
        // Tried once: much of what comes passes by itself in life.
        const profile = await readPoolProfile(client, POOL, { reads: { withinMs: 10_000, patience: { spent: true } } });
        assert.ok(Object.values(profile.attributes).every(({ name }) => typeof name === "string"));
        for (const name of ["email", "__proto__", "constructor", "given-name"]) {
          closestName(profile, name);
          checkUnit(profile, { name, value: { kind: "text", text: "x" } });
        }
      } catch (thrown) {
        if (!(thrown instanceof CognitoError)) throw thrown;
        assert.ok(thrown.message.length < 1000, `${thrown.message.length} characters`);
      }
    });
    await fc.assert(property, fuzzParameters(t, 150));
  });

  test("may list users without an end, and is left after a hundred pages", async () => {
    const directory = createUserDirectory(client);
    answerWith({ status: 200, headers: {}, body: JSON.stringify({ Users: [], PaginationToken: "again" }) });
    asked = 0;
    const read = await directory.readUser(POOL, { username: "u1" });
    assert.ok(!read.ok);
    assert.equal(read.failure.kind, "unknown");
    assert.equal(asked, 100);
  });

  for (const sent of [200, 400, 500]) {
    test(`may answer ${sent} without an end, and is cut off`, async () => {
      let written = 0;
      respond = (response) => {
        response.writeHead(sent, { "content-type": "application/x-amz-json-1.1" });
        const piece = Buffer.alloc(2 ** 20, " ");
        const more = (): void => {
          while (!response.destroyed) {
            written += piece.length;
            if (!response.write(piece)) return void response.once("drain", more);
          }
        };
        more();
      };
      const answer = await write();
      assert.ok(!answer.ok);
      assertRefusal(answer);
      assert.ok(written < 100 * 2 ** 20, `${written} bytes were read`);
    });
  }

  test("may break off or talk no HTTP", async (t) => {
    const raw = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
          "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
          "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
          "HTTP/1.1 999 \r\n\r\n",
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
          `HTTP/1.1 400 x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
          "",
        )
        .map((one) => Buffer.from(one)),
    );
    const property = fc.asyncProperty(raw, async (bytes) => {
      respond = (response) => response.socket?.end(bytes);
      const answer = await write();
      assert.ok(!answer.ok);
      assertRefusal(answer);
    });
    await fc.assert(property, fuzzParameters(t, 150));
  });
});
