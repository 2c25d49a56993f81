import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ListedUser } from "../../src/core/comparison.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { UnitValue } from "../../src/core/unit.ts";
import { openHealing } from "../../src/plan/healing.ts";
import { bodyOf } from "../../src/store/keyring.ts";
import { sealBody, sealUsername } from "../../src/store/sealed-unit.ts";
import { testKeyring } from "../support/keyring.ts";
import { PROFILE } from "../support/pool-profile.ts";

const keyring = testKeyring();
const ALIASES = { ...PROFILE, aliasAttributes: ["email", "preferred_username"] };

function letter(id: string, kind: string, username: string, unit: string, value: UnitValue): Letter {
  const at = { pool: ALIASES.id, user: keyring.userKey(ALIASES.id, username) };
  const about = { ...at, username: sealUsername(keyring, at, username), unit, kind };
  const body = sealBody(keyring, { ...at, unit }, "1", bodyOf(value));
  const rest = { reason: kind, version: "1", run: "run", digest: "", body, buriedAt: 0 };
  return { id, ...about, ...rest };
}
const email = (text: string): UnitValue => ({ kind: "text", text, verified: "mark" });
const user = (username: string, attributes: Readonly<Record<string, string>> = {}): ListedUser => ({
  username,
  sub: `sub-of-${username}`,
  createdAt: 0,
  status: "CONFIRMED",
  attributes: new Map(Object.entries(attributes)),
});

async function healing(letters: readonly Letter[], profile = ALIASES) {
  async function* all() {
    yield* letters;
  }
  return openHealing(profile, keyring, all());
}

describe("healing", () => {
  test("finds letters of users who are there by now, by username in the pool's own case, or by sub", async () => {
    const nickname: UnitValue = { kind: "text", text: "x" };
    const it = await healing([
      letter("1", "user-not-found", "Ann", "nickname", nickname),
      letter("2", "user-not-found", "bob", "nickname", nickname),
      letter("3", "user-not-found", "sub-of-cem", "nickname", nickname),
    ]);
    assert.deepEqual(it.healable(), []);
    it.meet(user("ann"));
    it.meet(user("cem"));
    assert.deepEqual(it.healable(), ["1", "3"]);
    it.forget();
    assert.deepEqual(it.healable(), []);
  });

  test("finds letters whose alias nobody else has, in whatever order the users come", async () => {
    const letters = [
      letter("1", "alias-exists", "ann", "email", email("X@example.com")),
      letter("2", "alias-exists", "bob", "email", email("free@example.com")),
      letter("3", "alias-exists", "gone", "email", email("other@example.com")),
      letter("4", "alias-exists", "bob", "preferred_username", { kind: "text", text: "Zoe" }),
    ];
    const users = [
      user("ann", { email: "ann@example.com" }),
      user("bob", { email: "free@example.com", email_verified: "true" }),
      user("cem", { email: "x@example.com", email_verified: "true" }),
      user("dee", { email: "free@example.com", email_verified: "false", preferred_username: "zoe" }),
    ];
    for (const order of [users, users.toReversed()]) {
      const it = await healing(letters);
      for (const each of order) it.meet(each);
      assert.deepEqual(it.healable(), ["2"]);
    }
  });

  test("takes whoever has the value for its owner where people sign in with nothing else", async () => {
    const profile = { ...ALIASES, aliasAttributes: [], usernameAttributes: ["email"] };
    const it = await healing([letter("1", "alias-exists", "ann", "email", email("x@example.com"))], profile);
    it.meet(user("ann"));
    assert.deepEqual(it.healable(), ["1"]);
    it.meet(user("bob", { email: "x@example.com" }));
    assert.deepEqual(it.healable(), []);
  });

  test("leaves flags alone", async () => {
    const it = await healing([letter("1", "alias-exists", "ann", "email_verified", { kind: "as-is", verified: true })]);
    it.meet(user("ann"));
    assert.deepEqual(it.healable(), []);
  });

  test("of an alias leaves who was made after it: whom it was refused for was there", async () => {
    const it = await healing([letter("1", "alias-exists", "ann", "email", email("x@example.com"))]);
    it.meet({ ...user("ann"), createdAt: 60_001 });
    assert.deepEqual(it.healable(), []);
    it.meet(user("ann"));
    assert.deepEqual(it.healable(), ["1"]);
  });
});
