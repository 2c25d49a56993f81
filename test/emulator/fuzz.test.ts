/** Whatever is sent to the emulator, it answers as AWS would, or cuts the connection; it never ends. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { startEmulator } from "../../src/emulator/emulator.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { OPERATIONS } from "../../src/emulator/operations/catalogue.ts";
import { fuzzParameters } from "../support/fuzz.ts";

const POOL = "eu-west-1_Fuzz";
const SIGNED = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/eu-west-1/cognito-idp/aws4_request";
const TARGET = "AWSCognitoIdentityProviderService.";

describe("the emulator", () => {
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator({ quotas: "unmetered" });
    emulator.pools.add({ id: POOL, aliasAttributes: ["email"], schema: [{ name: "custom:x" }] });
    emulator.pools.get(POOL)?.addUser({ username: "u1", attributes: { email: "u1@example.com" } });
  });
  after(() => emulator.close());

  const call = async (target: string, body: string | Buffer, headers: Readonly<Record<string, string>> = {}) => {
    const sent = { authorization: SIGNED, "x-amz-target": TARGET + target, ...headers };
    const response = await fetch(emulator.url, {
      method: "POST",
      headers: sent,
      body: new Uint8Array(Buffer.from(body)),
    });
    return { status: response.status, text: await response.text() };
  };

  /** An answer is JSON; an error says its type, and is the caller's fault. */
  function assertAnswer({ status, text }: { readonly status: number; readonly text: string }): void {
    const answer: unknown = JSON.parse(text);
    assert.ok(typeof answer === "object" && answer !== null);
    if (status === 200) return;
    assert.equal(status, 400, text.slice(0, 500));
    assert.match(String(Reflect.get(answer, "__type")), /^\w+Exception$|^\w+$/);
  }

  async function assertAlive(): Promise<void> {
    const { status } = await call("DescribeUserPool", JSON.stringify({ UserPoolId: POOL }));
    assert.equal(status, 200);
  }

  const odd = fc.oneof(
    fc.string({ unit: "binary", maxLength: 10 }),
    fc.constantFrom("__proto__", "constructor", "", "\0", "\ud800", "x".repeat(2049), "🦉".repeat(129), 'a"b\\'),
  );
  const anything = fc.oneof(odd, fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(null, 1e300, true, [], {}));
  const mostly = (good: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: anything });
  const attribute = mostly(
    fc.record(
      {
        Name: mostly(
          fc.constantFrom("email", "email_verified", "phone_number", "given_name", "birthdate", "custom:x", "sub"),
        ),
        Value: mostly(fc.constantFrom("u@example.com", "true", "+4930123456", "", "1990-12-31")),
      },
      { requiredKeys: ["Name"] },
    ),
  );
  const body = fc.record(
    {
      UserPoolId: mostly(fc.constant(POOL)),
      Username: mostly(fc.constantFrom("u1", "u2", "u1@example.com")),
      UserAttributes: mostly(fc.array(attribute, { maxLength: 4 })),
      ClientMetadata: mostly(fc.dictionary(odd, odd, { maxKeys: 2 })),
      AccessToken: mostly(fc.constantFrom("a.b.c", "a.eyJzdWIiOjF9.c", "...", "a.e30.b")),
      Filter: mostly(fc.constantFrom('email = "u1@example.com"', 'sub ^= "', 'name ^= "a\\"b"', '__proto__ = ""')),
      Limit: mostly(fc.constantFrom(0, 1, 60, 0.5)),
      PaginationToken: mostly(fc.constantFrom("e30", "bnVsbA", "eyJvZmZzZXQiOi0xfQ", "W10")),
      AttributesToGet: mostly(fc.array(odd, { maxLength: 2 })),
      ForceAliasCreation: mostly(fc.boolean()),
      MessageAction: mostly(fc.constant("SUPPRESS")),
    },
    { requiredKeys: ["UserPoolId"] },
  );
  const target = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...OPERATIONS.keys()) },
    { weight: 1, arbitrary: fc.constantFrom("", "__proto__", "constructor", "x".repeat(3000)) },
  );

  test("answers any JSON to any operation", async (t) => {
    const property = fc.asyncProperty(target, mostly(body), async (name, sent) => {
      assertAnswer(await call(name, JSON.stringify(sent)));
    });
    await fc.assert(property, fuzzParameters(t, 500));
    await assertAlive();
  });

  test("answers any bytes", async (t) => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 50 }).map((one) => Buffer.from(one)),
      fc.tuple(fc.json(), fc.nat(20)).map(([text, at]) => Buffer.from(text.slice(0, at))),
      fc
        .constantFrom("[".repeat(100_000), `{"UserPoolId":${"[".repeat(50_000)}${"]".repeat(50_000)}}`)
        .map((text) => Buffer.from(text)),
      fc.constantFrom('{"__proto__":{"UserPoolId":"x"}}', '"x"', "null", "1", "").map((text) => Buffer.from(text)),
    );
    const property = fc.asyncProperty(target, bytes, async (name, sent) => {
      assertAnswer(await call(name, sent));
    });
    await fc.assert(property, fuzzParameters(t, 300));
    await assertAlive();
  });

  test("answers a thousand attributes", async () => {
    const UserAttributes = Array.from({ length: 1000 }, (_, at) => ({
      Name: `custom:a${at}`,
      Value: "x".repeat(2048),
    }));
    assertAnswer(
      await call("AdminUpdateUserAttributes", JSON.stringify({ UserPoolId: POOL, Username: "u1", UserAttributes })),
    );
  });

  test("answers what is signed with anything", async (t) => {
    const header = fc.string({ unit: fc.constantFrom("A", "=", "/", ",", " ", "é", '"', "-") });
    const property = fc.asyncProperty(header, header, async (authorization, target) => {
      assertAnswer(await call("", "{}", { authorization, "x-amz-target": target }));
    });
    await fc.assert(property, fuzzParameters(t, 100));
  });

  test("refuses a body that would fill its memory", async () => {
    const { status, text } = await call("ListUsers", Buffer.alloc(30_000_000, " "));
    assert.equal(status, 413, text);
    await assertAlive();
  });

  test("outlives what is no HTTP", async (t) => {
    const { hostname, port } = new URL(emulator.url);
    const line = fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          "POST / HTTP/1.1\r\n",
          "Host: x\r\n",
          "Content-Length: 5\r\n",
          "Content-Length: -1\r\n",
          "Transfer-Encoding: chunked\r\n",
          "\r\n",
          "FFFFFFFFFFFF\r\n",
          "GET /_emulator/%00?%E0 HTTP/1.1\r\n",
          "GET /_emulator//\\ HTTP/1.1\r\nHost: x\r\n\r\n",
          `X-Amz-Target: ${TARGET}ListUsers\r\n`,
          "Expect: 100-continue\r\n",
          "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        )
        .map((text) => Buffer.from(text)),
    );
    const property = fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname, () => socket.end(Buffer.concat(lines)));
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.resume();
      });
    });
    await fc.assert(property, fuzzParameters(t, 200));
    await assertAlive();
  });

  test("takes or refuses any control, and carries any fault out that it took", async (t) => {
    const other = await startEmulator({ quotas: "unmetered" });
    try {
      other.pools.add({ id: POOL });
      const route = fc.constantFrom("faults", "pools", "users", "confirmations", "shares", "access-tokens", "log", "x");
      const said = fc.oneof(
        anything,
        fc.record(
          {
            error: fc.oneof(
              odd,
              fc.constantFrom({ kind: "http", status: 204, body: "x" }, { kind: "reset" }),
              anything,
            ),
            message: fc.oneof(odd, fc.constantFrom("a\nb", "é\r\n")),
            status: mostly(fc.constantFrom(400, 599, 200)),
            times: fc.constant(1),
          },
          { requiredKeys: ["error", "times"] },
        ),
        fc.record(
          { id: mostly(fc.constantFrom("eu-west-1_B", "__proto__")), schema: anything },
          { requiredKeys: ["id"] },
        ),
        fc.record({
          pool: mostly(fc.constant(POOL)),
          users: fc.array(fc.record({ username: odd, attributes: anything })),
        }),
        fc.record({ pool: mostly(fc.constant(POOL)), username: odd, attribute: odd }),
        fc.record({ category: mostly(fc.constant("UserUpdate")), ratePerSecond: anything }),
      );
      const property = fc.asyncProperty(route, said, async (name, control) => {
        const response = await fetch(`${other.url}/_emulator/${name}`, {
          method: "POST",
          body: JSON.stringify(control),
        });
        assert.ok([200, 400, 404].includes(response.status), `${response.status}`);
        JSON.parse(await response.text());
        const headers = { authorization: SIGNED, "x-amz-target": `${TARGET}DescribeUserPool` };
        const asked = {
          method: "POST",
          headers,
          body: JSON.stringify({ UserPoolId: POOL }),
          signal: AbortSignal.timeout(5000),
        };
        // Hangs and resets are no answers; the next call is answered all the same.
        await fetch(other.url, asked).then(
          (answer) => answer.text(),
          () => undefined,
        );
        other.faults.clear();
        const next = await fetch(other.url, { ...asked, signal: AbortSignal.timeout(5000) });
        assert.equal(next.status, 200);
        await next.arrayBuffer();
      });
      await fc.assert(property, fuzzParameters(t, 300));
    } finally {
      await other.close();
    }
  });
});
