import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UnitValue } from "../../src/core/unit.ts";
import { ordinalText, versionText } from "../../src/core/version.ts";
import { testKeyring } from "../support/keyring.ts";
import {
  bodyOf,
  callOptionsOf,
  createKeyring,
  encrypt,
  valueOf,
  withoutToken,
  type Keyring,
} from "../../src/store/keyring.ts";
import { openBody, openLetter, openUsername, sealBody, sealUsername } from "../../src/store/sealed-unit.ts";
import type { CallOptions } from "../../src/core/call-options.ts";

const SECRET = Buffer.alloc(32, 7).toString("base64url");

const PLACE = ["body", "pool", "user"] as const;

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
    const keyring = testKeyring(SECRET);
    for (let index = 0; index < 500; index += 1) {
      assert.match(keyring.userKey("eu-west-1_Example", `user${index}`), /^[0-9a-f]{32}$/);
      assert.match(keyring.letterId(`user${index}`, "email", "1"), /^[0-9a-f]{32}$/);
    }
  });

  test("names the same person alike in every process of a namespace, and otherwise in another", () => {
    const name = (secret?: string) => testKeyring(secret).userKey("eu-west-1_Example", "jane");
    assert.equal(name(SECRET), name(SECRET));
    assert.notEqual(name(SECRET), name());
    assert.notEqual(name(SECRET), testKeyring(SECRET).userKey("eu-west-1_Other", "jane"));
  });

  test("has one digest for equal values of a unit, and for no others", () => {
    const keyring = testKeyring(SECRET);
    const digests = values.map((value) => keyring.valueDigest("email", value));
    assert.equal(new Set(digests).size, values.length);
    assert.deepEqual(
      values.map((value) => keyring.valueDigest("email", value)),
      digests,
    );
    assert.notEqual(keyring.valueDigest("name", { kind: "clear" }), keyring.valueDigest("email", { kind: "clear" }));
  });

  test("has one digest for a value whose accents are spelled in two ways", () => {
    const keyring = testKeyring(SECRET);
    const digest = (text: string): string => keyring.valueDigest("name", { kind: "text", text });
    assert.equal(digest("Zoe\u0308"), digest("Zoë"));
    assert.notEqual(digest("Zoe"), digest("Zoë"));
  });

  test("goes on naming what earlier versions have stored as they did", () => {
    const keyring = testKeyring(SECRET);
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
    assert.equal(keyring.namer("plan").update("a").update("b").digest(), "PUbQdnpyLmA6JKnS-EMy1YbK08iFYUGUjEFHrnqCyQk");
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

  test("signs with a key that names nobody", () => {
    const keyring = testKeyring(SECRET);
    const signed = (signer: ReturnType<Keyring["signer"]>) => signer.update("a").digest();
    assert.notEqual(signed(keyring.signer("plan")), signed(keyring.namer("plan")));
    assert.notEqual(signed(keyring.signer("plan")), signed(keyring.signer("another")));
    assert.equal(signed(keyring.signer("plan")), signed(testKeyring(SECRET).signer("plan")));
  });

  test("seals so that nothing can be read, and no two alike", () => {
    const keyring = testKeyring();
    const [one, other] = [keyring.seal(PLACE, "jane@example.com"), keyring.seal(PLACE, "jane@example.com")];
    assert.notEqual(one, other);
    assert.doesNotMatch(one, /jane|example/);
    assert.equal(keyring.open(PLACE, one), "jane@example.com");
    assert.equal(keyring.open(PLACE, keyring.seal(PLACE, "")), "");
    const bytes = Buffer.from([0, 255, 128]);
    assert.deepEqual(keyring.openBytes(PLACE, keyring.seal(PLACE, bytes)), bytes);
  });

  test("opens at its place alone, in its namespace, what nobody has changed", () => {
    const keyring = testKeyring(SECRET);
    const sealed = keyring.seal(PLACE, "jane");
    for (const place of [["body", "user", "pool"], ["body", "pool", "user", ""], ["body"], ["body", '","']] as const) {
      assert.equal(keyring.open(place, sealed), undefined, String(place));
    }
    assert.equal(testKeyring().open(PLACE, sealed), undefined);
    const keys = { data: Buffer.from(SECRET, "base64url"), digest: Buffer.alloc(32), earlier: [] };
    const elsewhere = { identity: "another", keys, encrypts: true, isSealed: () => true };
    assert.equal(createKeyring(elsewhere).open(PLACE, sealed), undefined);
    assert.equal(createKeyring({ ...elsewhere, identity: "test" }).open(PLACE, sealed), "jane");
    const last = sealed.at(-3) === "A" ? "B" : "A";
    for (const changed of [`${sealed.slice(0, -3)}${last}${sealed.slice(-2)}`, sealed.slice(0, 20), "b:", ""]) {
      assert.equal(keyring.open(PLACE, changed), undefined, changed);
    }
  });

  test("names content by all digest keys that there were, one after the other, wherever it begins", () => {
    const [one, two, three] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
    assert.ok(one && two && three);
    const content = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    const byOne = testKeyring(one.toString("base64url")).contentName(content);
    const byTwo = testKeyring(two.toString("base64url"), { earlier: [one] }).contentName(content);
    const last = testKeyring(three.toString("base64url"), { earlier: [one, two] });
    const names = [byOne, byTwo, last.contentName(content)];
    assert.deepEqual(
      names.map((name) => name.replace(/[\w-]{43}$/, "")),
      ["1.", "2.", "3."],
    );
    assert.equal(new Set(names.map((name) => name.slice(2))).size, 3);
    for (const name of names) assert.equal(last.contentName(name), names[2]);
    assert.equal(last.contentName(`approval ${byTwo}`), `approval ${names[2]}`);
    assert.equal(last.contentName(`plan ${content}`), `plan ${names[2]}`);
    // Nobody has come by the third key alone, nor without the second.
    for (const earlier of [[], [one], [two, one]]) {
      const other = testKeyring(three.toString("base64url"), { earlier });
      assert.notEqual(other.contentName(content).slice(2), names[2]?.slice(2));
    }
    assert.equal(testKeyring().contentName("9.later"), "9.later");
  });

  test("opens what was kept in clear, or sealed without a place, until all of it is sealed anew", () => {
    const former = Buffer.alloc(32, 9);
    const sealed = `s:${encrypt(former, "jane", Buffer.alloc(0))}`;
    let isSealed = false;
    const keyring = testKeyring(SECRET, { former, isSealed: () => isSealed });
    const open = (ring: Keyring) => ["p:jane", sealed].map((text) => ring.open(PLACE, text));
    // Who had a key kept nothing in clear: somebody has put it there since.
    assert.deepEqual(open(keyring), [undefined, "jane"]);
    assert.deepEqual(open(testKeyring(SECRET, { encrypts: false, isSealed: () => false })), ["jane", undefined]);
    assert.equal(keyring.isSealed, false);
    isSealed = true;
    assert.equal(keyring.isSealed, true);
    assert.deepEqual(open(keyring), [undefined, undefined]);
    assert.deepEqual([keyring.openFormer("p:jane"), keyring.openFormer(sealed)], [undefined, "jane"]);
    assert.equal(keyring.openFormer(keyring.seal(PLACE, "jane")), undefined);
  });
});

describe("a sealed unit", () => {
  const keyring = testKeyring();
  const pool = "eu-west-1_Example";
  const [jane, john] = ["jane", "john"].map((username) => ({ pool, user: keyring.userKey(pool, username) }));
  assert.ok(jane && john);
  const ordinal = ordinalText({ timeMs: 1_795_478_400_000, sequence: 42 });
  const version = versionText(ordinal, 7);
  const unit = "email";
  const body = sealBody(keyring, { ...jane, unit }, ordinal, "{}");

  test("opens for its user and unit, under any arrival of its ordinal", () => {
    for (const arrival of [0, 7, 8]) {
      assert.equal(openBody(keyring, { ...jane, unit, version: versionText(ordinal, arrival) }, body), "{}");
    }
    const others = [
      { ...john, unit, version },
      { ...jane, unit: "name", version },
      { ...jane, pool: "eu-west-1_Other", unit, version },
      { ...jane, unit, version: versionText(ordinalText({ timeMs: 1_795_478_400_001, sequence: 42 }), 7) },
      { ...jane, unit, version: versionText(ordinalText({ timeMs: 1_795_478_400_000, sequence: 4 }), 7) },
    ];
    for (const at of others) assert.equal(openBody(keyring, at, body), undefined, JSON.stringify(at));
  });

  test("has a username that opens for its user alone, sealed or not", () => {
    const username = sealUsername(keyring, jane, "jane");
    assert.equal(openUsername(keyring, jane, username), "jane");
    assert.equal(openUsername(keyring, john, username), undefined);
    assert.equal(openUsername(keyring, jane, body), undefined);
    assert.equal(openUsername(keyring, john, sealUsername(keyring, john, "jane")), undefined);
  });

  test("opens as a letter where both are its own", () => {
    const letter = { ...jane, unit, version, username: sealUsername(keyring, jane, "jane"), body };
    assert.deepEqual(openLetter(keyring, letter), { username: "jane", body: "{}" });
    assert.equal(openLetter(keyring, { ...letter, username: sealUsername(keyring, john, "john") }), undefined);
    assert.equal(openLetter(keyring, { ...letter, body: letter.username }), undefined);
  });
});
