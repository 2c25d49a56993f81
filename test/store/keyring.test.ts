import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UnitValue } from "../../src/core/unit.ts";
import { bodyOf, createKeyring, freshSecret, callOptionsOf, valueOf, withoutToken } from "../../src/store/keyring.ts";
import type { CallOptions } from "../../src/core/call-options.ts";

const SECRET = Buffer.alloc(32, 7).toString("base64url");
const KEY = Buffer.alloc(32, 1);

const values: readonly UnitValue[] = [
  { kind: "text", text: "Zoë" },
  { kind: "text", text: "jane@example.com", verified: "mark" },
  { kind: "text", text: "jane@example.com", verified: "keep" },
  { kind: "text", text: '{"clear":true}' },
  { kind: "clear" },
  { kind: "as-is", verified: true },
  { kind: "as-is", verified: false },
];

describe("a keyring", () => {
  test("names users and letters by hex, which no command line takes for an option", () => {
    const keyring = createKeyring(SECRET);
    for (let index = 0; index < 500; index += 1) {
      assert.match(keyring.userKey("eu-west-1_Example", `user${index}`), /^[0-9a-f]{32}$/);
      assert.match(keyring.letterId(`user${index}`, "email", "1"), /^[0-9a-f]{32}$/);
    }
  });

  test("names the same person alike in every process of a namespace, and otherwise in another", () => {
    const name = (secret: string) => createKeyring(secret).userKey("eu-west-1_Example", "jane");
    assert.equal(name(SECRET), name(SECRET));
    assert.notEqual(name(SECRET), name(freshSecret()));
    assert.notEqual(name(SECRET), createKeyring(SECRET).userKey("eu-west-1_Other", "jane"));
  });

  test("has one digest for equal values of a unit, and for no others", () => {
    const keyring = createKeyring(SECRET);
    const digests = values.map((value) => keyring.valueDigest("email", value));
    assert.equal(new Set(digests).size, values.length);
    assert.deepEqual(
      values.map((value) => keyring.valueDigest("email", value)),
      digests,
    );
    assert.notEqual(keyring.valueDigest("name", { kind: "clear" }), keyring.valueDigest("email", { kind: "clear" }));
  });

  test("goes on naming what earlier versions have stored as they did", () => {
    const keyring = createKeyring(SECRET);
    assert.deepEqual(
      values.map((value) => [bodyOf(value), keyring.valueDigest("email", value)]),
      [
        ['{"text":"Zoë"}', "1QC8aKrri4X-96Iqm5N6UA"],
        ['{"text":"jane@example.com","verified":"mark"}', "LG9j-vZVETfDoyhmR6QEzw"],
        ['{"text":"jane@example.com","verified":"keep"}', "jTNtEEP66spVSCgusmSqZw"],
        [String.raw`{"text":"{\"clear\":true}"}`, "j85MZYOuuoXwkoiJ4WNNkw"],
        ['{"clear":true}', "49NiJmj76cU3ZoyTbrb3cg"],
        ['{"asIs":true}', "k7RcxyZJAtzEyUYtOaJC4w"],
        ['{"asIs":false}', "JAHa-mJyWiF72oYwZVswtQ"],
      ],
    );
    assert.equal(keyring.userKey("eu-west-1_Example", "zoë"), "93de5b36df3988acdf8f0f86ca28df3c");
    assert.equal(keyring.linkDigest("eu-west-1_Example", "email", "jane@example.com"), "-P63qcl5rOaCsF_R8zmEkw");
    assert.equal(keyring.letterId("0123", "email", "1"), "42bc7dd3d0fc8dcd5dc1ef21f39235eb");
    assert.equal(
      keyring.signer("plan").update("a").update("b").digest(),
      "PUbQdnpyLmA6JKnS-EMy1YbK08iFYUGUjEFHrnqCyQk",
    );
    assert.equal(
      bodyOf({ kind: "text", text: "x", verified: "ask" }, { clientMetadata: { a: "b" }, token: "t" }),
      '{"text":"x","verified":"ask","metadata":{"a":"b"},"token":"t"}',
    );
  });

  test("reads back every value that it wrote", () => {
    for (const value of values) assert.deepEqual(valueOf(bodyOf(value)), value);
  });

  test("reads back how a value is sent, which is no part of the value", () => {
    const manners: readonly CallOptions[] = [
      {},
      { clientMetadata: { reason: "a", "": "" } },
      { token: "a.b.c" },
      { token: "", clientMetadata: Object.fromEntries([["__proto__", "x"]]) },
    ];
    for (const value of values) {
      for (const callOptions of manners) {
        assert.deepEqual(callOptionsOf(bodyOf(value, callOptions)), callOptions);
        assert.deepEqual(valueOf(bodyOf(value, callOptions)), value);
      }
    }
  });

  test("takes a token out of a body, and leaves that there was one", () => {
    const value = { kind: "text", text: "x" } as const;
    const callOptions = { token: "a.b.c", clientMetadata: { a: "b" } };
    const without = withoutToken(bodyOf(value, callOptions));
    assert.ok(without !== undefined && !without.includes("a.b.c"));
    assert.deepEqual([valueOf(without), callOptionsOf(without)], [value, { ...callOptions, token: "" }]);
    assert.equal(withoutToken(without), undefined);
    assert.equal(withoutToken(bodyOf(value)), undefined);
  });

  test("seals so that nothing can be read, and no two alike", () => {
    const keyring = createKeyring(SECRET, KEY);
    const [one, other] = [keyring.seal("jane@example.com"), keyring.seal("jane@example.com")];
    assert.notEqual(one, other);
    assert.doesNotMatch(one, /jane|example/);
    assert.equal(keyring.open(one), "jane@example.com");
    assert.equal(keyring.open(keyring.seal("")), "");
  });

  test("does not open what another key sealed, nor what was changed, and says what to do", () => {
    const sealed = createKeyring(SECRET, KEY).seal("jane");
    assert.throws(() => createKeyring(SECRET, Buffer.alloc(32, 2)).open(sealed), /another key: set POOLSYNC_KEY/);
    assert.throws(() => createKeyring(SECRET).open(sealed), /no key is configured: set POOLSYNC_KEY/);
    const last = sealed.at(-3) === "A" ? "B" : "A";
    const changed = `${sealed.slice(0, -3)}${last}${sealed.slice(-2)}`;
    assert.throws(() => createKeyring(SECRET, KEY).open(changed), /another key/);
  });
});
