import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ListedUser } from "../../src/core/comparison.ts";
import type { Person } from "../../src/core/person.ts";
import type { PoolProfile } from "../../src/core/pool-schema.ts";
import type { PlannedRecord } from "../../src/plan/row-match.ts";
import { testKeyring } from "../support/keyring.ts";
import { openPlanStage, SECRET, STAFF, type PlanFacts } from "./plan-stage.ts";

const SIGN_IN: PoolProfile = { ...STAFF, autoVerified: [], aliasAttributes: ["email", "preferred_username"] };
const HOLDS_BACK = { ...SIGN_IN, autoVerified: ["email"], requireVerificationBeforeUpdate: ["email"] };
const keyring = testKeyring(SECRET);
const SUB = "2f1c8a54-0b7e-4f6a-9c3d-5e8f7a6b1c2d";

const listed = (
  username: string,
  attributes: Readonly<Record<string, string>>,
  sub = `sub-${username}`,
): ListedUser => {
  const all = { sub, email_verified: "true", ...attributes };
  return { username, sub, createdAt: 0, status: "CONFIRMED", attributes: new Map(Object.entries(all)) };
};

/** A row that gives its user a nickname, and an address where one is said. */
function row(username: string, email?: string, person?: Person): PlannedRecord {
  const nickname = { name: "nickname", value: { kind: "text", text: "n" } } as const;
  const address = { kind: "text", text: email ?? "", verified: "mark" } as const;
  const units = [nickname, ...(email === undefined ? [] : [{ name: "email", value: address }])];
  const version = { timeMs: 1, sequence: 1 };
  return { kind: "change", line: 2, invalid: [], change: { username, units, version, ...(person && { person }) } };
}

describe("the names of a plan's rows", () => {
  const stage = openPlanStage();
  before(() => stage.open());
  after(() => stage.close());

  /** Who each row means, or why nobody. */
  async function meant(rows: readonly PlannedRecord[], pool: readonly ListedUser[], facts: PlanFacts = {}) {
    const plan = await stage.plan(rows, { pool, profile: SIGN_IN, ...facts });
    const all = [...plan.rows()];
    return {
      whom: all.map((each) => (each.kind === "fault" ? each.reason : each.username)),
      deeds: all.map((each) => (each.kind === "fault" ? "" : (each.units[0]?.action ?? ""))),
      lists: plan.figures.calls.lists,
    };
  }

  const ann = listed("ann", { email: "ann@example.com", preferred_username: "annie", "custom:team": "1" }, SUB);
  const bob = listed("bob", { email: "bob@example.com", preferred_username: "ann", "custom:team": "2" });

  test("may be a username, a sub, an address or a preferred username, and a username first", async () => {
    const rows = [row("ann"), row(SUB), row("ann@example.com"), row("annie")];
    assert.deepEqual((await meant(rows, [ann, bob])).whom, ["ann", "ann", "ann", "ann"]);
  });

  test("mean whoever is spelled alike with accents of their own or not, and first who is spelled just so", async () => {
    const [one, other] = [listed("zo\u00EB", {}), listed("zoe\u0308", {})];
    for (const oneByOne of [false, true]) {
      assert.deepEqual((await meant([row("zoe\u0308")], [one], { oneByOne })).whom, ["zo\u00EB"]);
    }
    assert.deepEqual((await meant([row("zo\u00EB"), row("zoe\u0308")], [one, other])).whom, ["zo\u00EB", "zoe\u0308"]);
  });

  test("that nobody has are told with what is near to them, and are not left to the write", async () => {
    const pool = [
      listed("00123", {}),
      listed("Bob", {}),
      listed("cem", { email: "cem@old.example" }),
      listed("rené", {}),
    ];
    const rows = ["123", "bob", "cem@new.example", "rene", "dan"].map((name) => row(name));
    const profile = { ...SIGN_IN, caseSensitive: true };
    const plan = await stage.plan(rows, { pool, profile, unlisted: "write" });
    const told = [...plan.rows()].map((each) => (each.kind === "fault" ? each.detail : each.username));
    const unknown = "Expected the row to name a user of the pool; nobody in it matches. Somebody's";
    assert.deepEqual(
      told.map((text) => text.slice(0, unknown.length + 20)),
      [
        `${unknown} name differs from i`,
        `${unknown} name differs from i`,
        `${unknown} address has the sam`,
        `${unknown} name is spelled nea`,
        "dan",
      ],
    );
  });

  test("mean nobody where another row gives them to somebody else", async () => {
    const rows = [row("ann@example.com", "bob@example.com"), row("bob@example.com", "new@example.com")];
    assert.deepEqual((await meant(rows, [ann, bob])).whom, ["ann", "name-given-away"]);
    assert.deepEqual((await meant(rows.toReversed(), [ann, bob])).whom, ["name-given-away", "ann"]);
  });

  test("mean nobody where a row that names its user otherwise gives them away", async () => {
    const rows = [row("ann", "bob@example.com"), row("bob@example.com", "new@example.com")];
    assert.deepEqual((await meant(rows, [ann, bob])).whom, ["ann", "name-given-away"]);
  });

  test("stay whose they are where a row says once more what is theirs", async () => {
    assert.deepEqual((await meant([row("ann@example.com", "ann@example.com")], [ann, bob])).whom, ["ann"]);
  });

  test("of a plan that was made before mean its account only, and only while it has the name", async () => {
    const account = { sub: SUB, createdAt: 0 };
    const named = (value: string) => ({ account, name: { attribute: "email", value, askedAt: 1 } });
    const rows = [row("ann", undefined, named("ann@example.com"))];
    assert.deepEqual((await meant(rows, [ann, bob])).whom, ["ann"]);
    assert.deepEqual((await meant([row("ann", undefined, named("former@example.com"))], [ann])).whom, [
      "changed-since-plan",
    ]);
    const anew = listed("ann", { email: "ann@example.com" }, "another sub");
    assert.deepEqual((await meant(rows, [anew])).whom, ["changed-since-plan"]);
    const kept: PlannedRecord = { ...row("ann"), madeBefore: 5 };
    assert.deepEqual((await meant([kept], [{ ...ann, createdAt: 5 }])).whom, ["ann"]);
    assert.deepEqual((await meant([kept], [{ ...ann, createdAt: 6 }])).whom, ["changed-since-plan"]);
  });

  test("of an account that was made anew do not await what was sent to the one before", async () => {
    const account = { sub: "sub of the one before", createdAt: 0 };
    const value = { kind: "text", text: "new@example.com", verified: "ask" } as const;
    const digest = keyring.valueDigest("email", value);
    const sent = { email: { version: "1", digest, account: keyring.accountMark(SIGN_IN.id, account) } };
    const asking: PlannedRecord = {
      kind: "change",
      line: 2,
      invalid: [],
      change: { username: "ann", units: [{ name: "email", value }], version: { timeMs: 1, sequence: 1 } },
    };
    const { deeds: counts } = await meant([asking], [{ ...ann, createdAt: 1 }], { ledger: sent, profile: HOLDS_BACK });
    assert.deepEqual(counts, ["change"]);
    const mine = { email: { ...sent.email, account: keyring.accountMark(SIGN_IN.id, { sub: SUB, createdAt: 1 }) } };
    const again = await meant([asking], [{ ...ann, createdAt: 1 }], { ledger: mine, profile: HOLDS_BACK });
    assert.deepEqual(again.deeds, ["awaiting"]);
  });

  test("that are asked again are in the estimate, but for those of the first minute", async () => {
    const people = Array.from({ length: 10 }, (_, at) => listed(`u${at}`, { email: `u${at}@example.com` }));
    const rows = people.map((_, at) => row(`u${at}@example.com`));
    // At a call every 20 seconds three are delivered in the first minute.
    assert.equal((await meant(rows, people, { updatesPerSecond: 0.05 })).lists, 7);
    assert.equal(
      (await meant(rows, [], { baseline: "none" })).lists,
      10,
      "the look that finds each serves for its call",
    );
  });
});
