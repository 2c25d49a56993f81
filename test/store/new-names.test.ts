import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mailboxDocument } from "../../src/store/documents.ts";
import { bodyOf, type Keyring } from "../../src/store/keyring.ts";
import { ledgerAnew, letterAnew, linkAnew, mailboxAnew, type Anew } from "../../src/store/new-names.ts";
import { linkPlace, openBody, openUsername, sealBody, sealUsername } from "../../src/store/sealed-unit.ts";
import { ordinalText, versionText } from "../../src/core/version.ts";
import { testKeyring } from "../support/keyring.ts";

const POOL = "eu-west-1_Example";
const from = testKeyring();
const to = testKeyring();
const change = { from, to };
const ordinal = ordinalText({ timeMs: 1_800_000_000_000, sequence: 1 });
const version = versionText(ordinal, 1);
const account = { sub: "sub-of-ann", createdAt: 1_700_000_000_000 };

/** Of a unit that waits; not of one that was superseded. */
const COUNTS = { attempts: 0, faults: 0, deaths: 0, notBefore: 0 };

/** A value of Ann's, by one of the keyrings. */
function unitOf(keyring: Keyring, unit: string, text: string) {
  const at = { pool: POOL, user: keyring.userKey(POOL, "ann") };
  const given = { kind: "text", text } as const;
  return {
    version,
    run: "run",
    body: sealBody(keyring, { ...at, unit }, ordinal, bodyOf(given, {}, { account })),
    digest: keyring.valueDigest(unit, given),
    account: keyring.accountMark(POOL, account),
  };
}

function nameOf(keyring: Keyring) {
  const user = keyring.userKey(POOL, "ann");
  return { user, username: sealUsername(keyring, { pool: POOL, user }, "ann") };
}

function moved(anew: Anew): { readonly name: string; readonly document: Record<string, never> } {
  assert.ok(typeof anew === "object");
  return { name: anew.name, document: JSON.parse(anew.text) as Record<string, never> };
}

describe("a document that is brought to new keys", () => {
  const { user, username } = nameOf(from);
  const mailbox = {
    pool: POOL,
    username,
    priority: 10,
    pending: { given_name: { ...unitOf(from, "given_name", "Ann"), replaced: [unitOf(from, "given_name", "Anne")] } },
    claim: { token: "token", leaseUntil: 1, units: { family_name: unitOf(from, "family_name", "Lee") } },
    unresolvedCalls: {
      given_name: { digest: unitOf(from, "given_name", "Ann").digest, until: 1 },
      family_name: { digest: "of nobody", until: 1 },
    },
  };

  test("has every value of a mailbox under them, wherever it stands", () => {
    const anew = mailboxAnew(change, { name: user, text: JSON.stringify(mailbox) });
    const { name, document } = moved(anew);
    assert.equal(name, to.userKey(POOL, "ann"));
    const at = { pool: POOL, user: name };
    const { pending, claim, unresolvedCalls, username: sealed } = mailboxDocument.parse(document);
    const given = pending["given_name"];
    assert.equal(openUsername(to, at, sealed), "ann");
    const values = [
      ["given_name", "Ann", given],
      ["given_name", "Anne", given?.replaced?.[0]],
      ["family_name", "Lee", claim?.units["family_name"]],
    ] as const;
    for (const [unit, text, there] of values) {
      assert.ok(there);
      assert.match(openBody(to, { ...at, unit, version }, there.body) ?? "", new RegExp(`"${text}".*sub-of-ann`));
      assert.deepEqual(
        { ...there, ...COUNTS, body: "", replaced: undefined },
        { ...unitOf(to, unit, text), ...COUNTS, body: "", replaced: undefined },
      );
    }
    assert.equal(unresolvedCalls["given_name"]?.digest, given?.digest);
    assert.notEqual(unresolvedCalls["family_name"]?.digest, "of nobody");
    assert.equal(mailboxAnew(change, anew as Exclude<Anew, string>), "new");
  });

  test("stays altered where it was, and is nobody's where its user cannot be told", () => {
    const swapped = { ...mailbox, pending: { given_name: unitOf(from, "family_name", "Lee") } };
    const { document } = moved(mailboxAnew(change, { name: user, text: JSON.stringify(swapped) }));
    const altered = mailboxDocument.parse(document).pending["given_name"];
    assert.equal(altered?.body, "");
    assert.notEqual(altered.digest, swapped.pending.given_name.digest);

    const anothers = mailboxAnew(change, { name: from.userKey(POOL, "bob"), text: JSON.stringify(mailbox) });
    const { name, document: nobodys } = moved(anothers);
    assert.match(name, /^[0-9a-f]{32}$/);
    assert.equal(nobodys["username"], "");
    assert.equal(mailboxAnew(change, anothers as Exclude<Anew, string>), "new");
  });

  test("is a letter under another id, with the owner of its value where that is known", () => {
    const letter = {
      id: "former",
      ...nameOf(from),
      pool: POOL,
      unit: "email",
      ...unitOf(from, "email", "a@example.com"),
    };
    const owner = from.userKey(POOL, "bob");
    const anew = (known: string | undefined) =>
      moved(letterAnew(change, { name: "former", text: JSON.stringify({ ...letter, owner }) }, () => known));
    const { name, document } = anew("bob");
    assert.equal(name, to.letterId(to.userKey(POOL, "ann"), "email", version));
    assert.deepEqual([document["id"], document["owner"]], [name, "bob"]);
    assert.ok(!("owner" in anew(undefined).document));
    assert.equal(
      letterAnew(change, { name, text: JSON.stringify(document) }, () => undefined),
      "new",
    );
  });

  test("is a ledger that knows versions, and no values; what was written to a former account is gone", () => {
    const mark = from.accountMark(POOL, account);
    const entry = { version, digest: "digest", at: 1 };
    const former = from.accountMark(POOL, { sub: "another", createdAt: 1 });
    const ledger = { given_name: { ...entry, account: mark }, nickname: entry, email: { ...entry, account: former } };
    const blank = { ...entry, digest: "" };
    const wanted = { given_name: { ...blank, account: to.accountMark(POOL, account) }, nickname: blank };
    assert.deepEqual(JSON.parse(ledgerAnew(change, POOL, account, JSON.stringify(ledger)) ?? ""), wanted);
    assert.equal(ledgerAnew(change, POOL, account, JSON.stringify({ email: ledger.email })), undefined);
  });

  test("is a link where it opens, and stays behind where it does not", () => {
    const text = from.seal(linkPlace(POOL, "one"), "ann");
    const link = linkAnew(change, POOL, { name: "one", text }, "two");
    assert.equal(to.open(linkPlace(POOL, "two"), link?.text ?? ""), "ann");
    assert.equal(linkAnew(change, POOL, { name: "other", text }, "two"), undefined);
  });

  test("is left as it is where it is damaged", () => {
    for (const text of ["{", "[]", "null", "{}", '{"pool":1}', `{"pool":"${POOL}","username":1}`]) {
      assert.equal(mailboxAnew(change, { name: user, text }), "damaged");
      assert.equal(
        letterAnew(change, { name: "letter", text }, () => undefined),
        "damaged",
      );
      assert.equal(ledgerAnew(change, POOL, account, text === "{}" ? "{" : text.slice(0, 1)), undefined);
    }
  });
});
