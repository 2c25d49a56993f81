import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ListedUser } from "../../src/core/comparison.ts";
import type { Unit, UnitValue } from "../../src/core/unit.ts";
import { ordinalText, versionText } from "../../src/core/version.ts";
import type { Plan, PlanInput, PlanDeps } from "../../src/plan/plan.ts";
import type { PlannedRecord } from "../../src/plan/row-match.ts";
import { testKeyring } from "../support/keyring.ts";
import { openPlanStage, SECRET, STAFF } from "./plan-stage.ts";

const mail = (address: string, verified: "mark" | "ask" = "mark"): UnitValue => ({
  kind: "text",
  text: address,
  verified,
});
const text = (value: string): UnitValue => ({ kind: "text", text: value });

function row(username: string, units: Readonly<Record<string, UnitValue>>, timeMs = 1): PlannedRecord {
  const list = Object.entries(units).map(([name, value]): Unit => ({ name, value }));
  return { kind: "change", line: 2, invalid: [], change: { username, units: list, version: { timeMs, sequence: 0 } } };
}

function person(username: string, attributes: Readonly<Record<string, string>> = {}): ListedUser {
  const said = Object.entries({ sub: `sub-${username}`, ...attributes });
  return { username, sub: `sub-${username}`, createdAt: 0, status: "CONFIRMED", attributes: new Map(said) };
}

describe("a plan", () => {
  const stage = openPlanStage();
  const { plan } = stage;
  before(() => stage.open());
  after(() => stage.close());

  /** What becomes of each row: the fault of the whole, or each unit's deed or fault. */
  function diffs(made: Plan): (string | Record<string, string>)[] {
    return Array.from(made.rows(), (each) => {
      if (each.kind === "fault") return each.reason;
      const said: Record<string, string> = {};
      for (const { unit, action } of each.units) said[unit.name] = action;
      for (const { name, reason } of each.invalid) said[name] = reason;
      return said;
    });
  }

  test("has the id that an earlier version gave it, for whoever approved it there", async () => {
    const rows = [
      row("ANN", { given_name: text("Ann"), email: mail("a@x.y"), nickname: { kind: "clear" } }),
      row("bob", { given_name: text("Bob") }),
    ];
    const pool = [person("ann", { nickname: "A" }), person("bob", { given_name: "Bob" })];
    const ids: string[] = [];
    for (const baseline of ["live", "ledger", "none"] as const) ids.push((await plan(rows, { pool, baseline })).id);
    assert.deepEqual(ids, ["p-3ae2557c3f5ee358", "p-acadab03d94eb12f", "p-acadab03d94eb12f"]);
  });

  test("lets others have their turn every thousand rows, also where all are of one user", async () => {
    let turns = 0;
    let next = setImmediate(function again() {
      turns += 1;
      next = setImmediate(again);
    });
    const made = await plan(
      Array.from({ length: 5000 }, () => row("ann", { given_name: text("Ann") })),
      { pool: [person("ann")] },
    );
    clearImmediate(next);
    assert.equal(made.figures.rows.read, 5000);
    // Five while they are met, ten while it is found out which stand, five while they are counted.
    assert.ok(turns >= 20, `had ${turns}`);
  });

  test("says of each value what it would do", async () => {
    const made = await plan(
      [
        row("ANN", { given_name: text("Ann"), nickname: { kind: "clear" }, "custom:id": text("7") }),
        row("bob", { given_name: text("Bob"), nickname: text("B"), "custom:wrong": text("x") }),
        row("nobody", { given_name: text("N") }),
      ],
      {
        pool: [
          person("ann", { given_name: "Ann", nickname: "A" }),
          person("bob", { given_name: "Rob" }),
          person("cem"),
        ],
      },
    );
    assert.deepEqual(diffs(made), [
      { given_name: "unchanged", nickname: "clear", "custom:id": "set" },
      { given_name: "change", nickname: "set", "custom:wrong": "attribute-unknown" },
      "user-unknown",
    ]);
    const { users, calls, faults, newlyActive } = made.figures;
    assert.deepEqual(
      [users, calls],
      [
        { matched: 2, changed: 2, unchanged: 0 },
        { updates: 2, lists: 0 },
      ],
    );
    assert.deepEqual([faults, newlyActive], [{ "user-unknown": 1 }, 2]);
  });

  test("names exactly what would be written", async () => {
    const pool = [person("ann", { given_name: "A" }), person("bob", { given_name: "B" })];
    const one = await plan([row("ann", { given_name: text("x") }), row("bob", { given_name: text("B") })], { pool });
    const same = await plan([row("bob", { given_name: text("B") }), row("ann", { given_name: text("x") })], { pool });
    const other = await plan([row("ann", { given_name: text("y") })], { pool });
    assert.equal(one.id, same.id);
    assert.notEqual(one.id, other.id);
  });

  test("finds users by sub, address and any attribute, and chooses none silently", async () => {
    const pool = [
      person("ann", { email: "A@x.org", email_verified: "true", "custom:id": "1" }),
      person("bob", { email: "a@x.org", email_verified: "false", "custom:id": "2" }),
      person("cem", { "custom:id": "2" }),
    ];
    const set = { given_name: text("x") };
    const found = async (name: string, mapping: Partial<PlanInput["mapping"]>) =>
      Array.from((await plan([row(name, set)], { pool, mapping })).rows(), (each) =>
        each.kind === "user" ? each.username : each.reason,
      );
    assert.deepEqual(await found("sub-bob", { identifier: "sub" }), ["bob"]);
    assert.deepEqual(await found("a@X.org", { identifier: "email" }), ["ann"], "who has verified it");
    assert.deepEqual(await found("1", { match: "custom:id" }), ["ann"]);
    assert.deepEqual(await found("2", { match: "custom:id" }), ["user-ambiguous"]);
    assert.deepEqual(await found("3", { match: "custom:id" }), ["user-unknown"]);
  });

  test("keeps addresses with who has them", async () => {
    const verified = (email: string) => ({ email, email_verified: "true" });
    const pool = [
      person("ann", verified("ann@x")),
      person("bob", verified("bob@x")),
      person("cem", verified("cem@x")),
      person("dan", verified("dan@x")),
      person("eve", { email: "free@x", email_verified: "false" }),
    ];
    const becomes = async (desired: Readonly<Record<string, string>>) =>
      diffs(
        await plan(
          Object.entries(desired).map(([name, address]) => row(name, { email: mail(address) })),
          { pool },
        ),
      ).map((each) => (typeof each === "string" ? each : each["email"]));
    assert.deepEqual(await becomes({ ann: "new@x" }), ["change"]);
    assert.deepEqual(await becomes({ ann: "FREE@x" }), ["change"], "who has not verified it does not own it");
    assert.deepEqual(await becomes({ ann: "bob@x" }), ["alias-owned"]);
    assert.deepEqual(await becomes({ ann: "bob@x", bob: "bob@x" }), ["alias-owned", "unchanged"]);
    assert.deepEqual(await becomes({ ann: "new@x", bob: "new@x" }), ["alias-wanted-twice", "alias-wanted-twice"]);
    assert.deepEqual(await becomes({ ann: "bob@x", bob: "ann@x" }), ["alias-swap", "alias-swap"]);
    assert.deepEqual(await becomes({ ann: "bob@x", bob: "cem@x", cem: "new@x" }), [
      "alias-chain",
      "alias-chain",
      "change",
    ]);
    assert.deepEqual(await becomes({ ann: "bob@x", bob: "cem@x" }), ["alias-owned", "alias-owned"]);
  });

  test("gives an address on whose owner gives it up, in the next run", async () => {
    const pool = [
      person("ann", { email: "ann@x", email_verified: "true" }),
      person("bob", { email: "bob@x", email_verified: "true" }),
    ];
    const made = await plan([row("ann", { email: mail("bob@x") }), row("bob", { email: { kind: "clear" } })], { pool });
    assert.deepEqual(diffs(made), [{ email: "alias-chain" }, { email: "clear" }]);
  });

  test("counts the messages that Cognito would send, and sends none again that await their confirmation", async () => {
    const profile = { ...STAFF, requireVerificationBeforeUpdate: ["email"] };
    const pool = [person("ann", { email: "old@x", email_verified: "true" })];
    const rows = [row("ann", { email: mail("new@x", "ask") })];
    const fresh = await plan(rows, { pool, profile });
    assert.deepEqual(fresh.figures.messages, { email: 1, phone_number: 0 });
    assert.deepEqual(fresh.figures.calls, { updates: 1, lists: 0 }, "the look of the plan serves");
    const digest = testKeyring(SECRET).valueDigest("email", mail("new@x", "ask"));
    const sent = await plan(rows, { pool, profile, ledger: { email: { version: "1", digest } } });
    assert.deepEqual([diffs(sent), sent.figures.messages.email], [[{ email: "awaiting" }], 0]);
  });

  test("counts the looks at owners of addresses, and says whose it does not know where not everybody was read", async () => {
    const pool = [person("ann", { email: "old@x", email_verified: "true" })];
    for (const [verified, lists] of [
      ["mark", 1],
      ["ask", 0],
    ] as const) {
      const rows = [row("ann", { email: mail("new@x", verified) })];
      for (const oneByOne of [true, false]) {
        const { figures } = await plan(rows, { pool, oneByOne });
        assert.deepEqual([figures.calls.lists, figures.ownersUnknown], [lists, oneByOne ? 1 : undefined], verified);
      }
    }
  });

  test("of values that the ledger has counts a look at each user all the same", async () => {
    const digest = testKeyring(SECRET).valueDigest("nickname", { kind: "text", text: "Ann" });
    const rows = [row("ann", { nickname: { kind: "text", text: "Ann" } })];
    const made = await plan(rows, { baseline: "ledger", ledger: { nickname: { version: "1", digest } } });
    assert.deepEqual([diffs(made), made.figures.calls], [[{ nickname: "unchanged" }], { updates: 0, lists: 1 }]);
  });

  test("tells whose values a provider overwrites, or that this could not be looked at", async () => {
    const identities = (provider: string) => ({ identities: JSON.stringify([{ providerName: provider }]) });
    const pool = [
      person("ann", identities("Okta")),
      person("bob", identities("Okta")),
      person("cem", identities("Other")),
    ];
    const rows = [
      row("ann", { given_name: text("x") }),
      row("bob", { nickname: text("x") }),
      row("cem", { nickname: text("x") }),
    ];
    const provider = async (name: string) => (name === "Okta" ? new Set(["given_name", "email"]) : undefined);
    const { figures } = await plan(rows, { pool, provider });
    assert.deepEqual(figures.federated, { users: 3, overwritten: 1, unchecked: ["Other"] });
  });

  test("forgets what it met before the scan began again", async () => {
    async function* scan() {
      yield { users: [person("ann", { given_name: "Old" })], askedAt: 0, again: false };
      yield { users: [person("ann", { given_name: "New" })], askedAt: 0, again: true };
    }
    const made = await plan([row("ann", { given_name: text("New") })], { scan });
    assert.deepEqual(diffs(made), [{ given_name: "unchanged" }]);
    assert.equal(made.figures.scan?.begunAgain, true);
  });

  test("compares with what was written last, at no call", async () => {
    const keyring = testKeyring(SECRET);
    const digest = keyring.valueDigest("given_name", text("x"));
    const scan: PlanDeps["scan"] = () => assert.fail("nobody scans");
    const rows = [row("ann", { given_name: text("x"), nickname: text("n") })];
    const made = await plan(rows, { scan, baseline: "ledger", ledger: { given_name: { version: "1", digest } } });
    assert.deepEqual(diffs(made), [{ given_name: "unchanged", nickname: "write" }]);
    assert.deepEqual(diffs(await plan(rows, { scan, baseline: "none" })), [{ given_name: "write", nickname: "write" }]);
  });

  test("takes for stale what is older than the ledger of that very account, however many the rows", async () => {
    const people = Array.from({ length: 1200 }, (_, nth) => person(`u${nth}`, { given_name: "Old", nickname: "N" }));
    const rows = people.flatMap(({ username }) => [
      row(username, { given_name: text("Older"), nickname: text("N") }, 5),
      row(username, { given_name: text("Other") }, 9),
    ]);
    const ledger = { given_name: { version: versionText(ordinalText({ timeMs: 9, sequence: 1 }), 7), digest: "" } };
    const made = await plan(rows, { pool: people, ledger });
    const [first, second] = [{ given_name: "superseded", nickname: "unchanged" }, { given_name: "stale" }];
    assert.deepEqual(
      new Set(diffs(made).map((each) => JSON.stringify(each))),
      new Set([first, second].map((each) => JSON.stringify(each))),
    );
    assert.deepEqual([made.figures.stale, made.figures.users.changed], [{ rows: 1200, values: 1200 }, 0]);
    const equal = { given_name: { version: versionText(ordinalText({ timeMs: 9, sequence: 0 }), 7), digest: "" } };
    assert.equal((await plan(rows, { pool: people, ledger: equal })).figures.users.changed, 1200);
    const keyring = testKeyring(SECRET);
    const account = keyring.accountMark(STAFF.id, { sub: "sub-before", createdAt: -1 });
    const former = { given_name: { ...ledger.given_name, account } };
    assert.equal((await plan(rows, { pool: people, ledger: former })).figures.users.changed, 1200);
  });

  test("breaks a guard with ten examples of just that", async () => {
    const people = Array.from({ length: 200 }, (_, nth) =>
      person(`u${nth}`, { "custom:id": `${nth % 7}`, nickname: "N" }),
    );
    const rows = people.map(({ username }, nth) =>
      row(username, {
        "custom:id": text(nth < 120 ? "boss" : `${nth % 7}`),
        ...(nth >= 150 ? { nickname: { kind: "clear" } as const } : {}),
      }),
    );
    const { broken } = await plan(rows, { pool: people });
    assert.deepEqual(
      broken.map(({ guard, attribute, count, examples }) => [guard, attribute, count, examples.length]),
      [
        ["changed", undefined, 170, 10],
        ["cleared", "nickname", 50, 10],
        ["sameValue", "custom:id", 120, 10],
      ],
    );
    assert.ok(broken[1]?.examples.every(({ deed: action }) => action === "clear"));
    assert.ok(broken[2]?.examples.every(({ after }) => after === "boss"));
  });

  test("breaks no guard that the mapping's owner switched off", async () => {
    const people = Array.from({ length: 200 }, (_, nth) => person(`u${nth}`));
    const rows = people.map(({ username }) => row(username, { given_name: text("x") }));
    assert.deepEqual((await plan(rows, { pool: people, guards: { changed: undefined } })).broken, []);
  });

  test("gives the store rows that others stand instead of as overruled, however they are compared", async () => {
    const pool = [person("ann", { given_name: "New" })];
    const rows = [row("ann", { given_name: text("Old") }), row("ann", { given_name: text("New") })];
    for (const baseline of ["live", "none"] as const) {
      const made = await plan(rows, { pool, baseline, mapping: { duplicates: "last" } });
      const put = await Array.fromAsync(made.feedRows());
      const overruled = put.map((each) => each.kind === "change" && [...(each.change.overruled ?? [])]);
      assert.deepEqual(overruled, [["given_name"], []], baseline);
    }
  });

  test("gives the store all units with what was seen of them", async () => {
    const pool = [person("Ann", { given_name: "Ann" })];
    const made = await plan([row("ann", { given_name: text("Ann"), nickname: text("A") })], { pool });
    const [put] = await Array.fromAsync(made.feedRows());
    assert.ok(put?.kind === "change");
    assert.equal(put.found, true);
    assert.deepEqual(
      [...(put.change.look?.found ?? [])],
      [
        ["given_name", "there"],
        ["nickname", "other"],
      ],
    );
  });
});
