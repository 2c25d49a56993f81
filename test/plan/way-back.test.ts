import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Account } from "../../src/core/person.ts";
import type { Unit, Verified } from "../../src/core/unit.ts";
import type { PlannedRow, PlannedUnit } from "../../src/plan/planned-row.ts";
import { stateName } from "../../src/plan/unit-state.ts";
import { keepBeforeImages, openWayBack } from "../../src/plan/way-back.ts";
import { testKeyring } from "../support/keyring.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { PROFILE } from "../support/pool-profile.ts";

const keyring = testKeyring();

const text = (name: string, value: string, verified?: Verified): Unit => ({
  name,
  value: { kind: "text", text: value, ...(verified === undefined ? {} : { verified }) },
});
const clear = (name: string): Unit => ({ name, value: { kind: "clear" } });
const flag = (name: string, verified: boolean): Unit => ({ name, value: { kind: "as-is", verified } });
type State = NonNullable<PlannedUnit["was"]>;

function row(username: string, ...units: readonly PlannedUnit[]): PlannedRow {
  const version = { timeMs: 1, sequence: 1 };
  return { kind: "user", line: 2, user: username, username, found: true, version, units, invalid: [], federated: [] };
}
/** The same of an account that a look found. */
function found(username: string, account: Account, ...units: readonly PlannedUnit[]): PlannedRow {
  const one = row(username, ...units);
  return one.kind === "user" ? { ...one, person: { account } } : one;
}
const judged = (unit: Unit, was: State, action: PlannedUnit["action"] = "change"): PlannedUnit => ({
  unit,
  action,
  was,
  message: false,
});

async function wayBackOf(rows: readonly PlannedRow[], of = PROFILE) {
  const { store } = openMemoryStore();
  assert.equal(await keepBeforeImages(store.beforeImages, { keyring, pool: of.id }, "run", rows), true);
  const bodies = (await Array.fromAsync(store.beforeImages.read("run"))).map(({ body }) => body);
  const back = await openWayBack(store, { keyring, profile: of }, "run", { timeMs: 5, begunAt: 0 });
  return { bodies, back, records: back ? await Array.fromAsync(back.records()) : [] };
}

describe("the way back of a run", () => {
  const address = (value: string, verified: string): State => ({ value, flag: verified });
  for (const [title, unit, was, after, units] of [
    ["a value", text("nickname", "new"), { value: "old" }, { value: "new" }, [text("nickname", "old")]],
    ["a value where none was", text("nickname", "new"), { value: "" }, { value: "new" }, [clear("nickname")]],
    ["a value that was cleared", clear("nickname"), { value: "old" }, { value: "" }, [text("nickname", "old")]],
    [
      "an address that was verified",
      text("email", "new@a.b", "ask"),
      address("old@a.b", "true"),
      address("new@a.b", "false"),
      [text("email", "old@a.b", "mark")],
    ],
    [
      "an address that was not",
      text("email", "new@a.b", "mark"),
      address("old@a.b", "false"),
      address("new@a.b", "true"),
      [text("email", "old@a.b", "ask")],
    ],
    [
      "an address whose flag was kept",
      text("email", "new@a.b", "keep"),
      address("old@a.b", "true"),
      address("new@a.b", "true"),
      [text("email", "old@a.b", "mark")],
    ],
    [
      "an address where none was",
      text("email", "new@a.b", "mark"),
      address("", ""),
      address("new@a.b", "true"),
      [clear("email")],
    ],
    [
      "an address that was cleared",
      clear("email"),
      address("old@a.b", "true"),
      address("", ""),
      [text("email", "old@a.b", "mark")],
    ],
    [
      "a flag",
      flag("email_verified", true),
      address("old@a.b", "false"),
      address("old@a.b", "true"),
      [flag("email_verified", false)],
    ],
  ] as const) {
    test(`leads to ${title}, from what the run left there`, async () => {
      const { records } = await wayBackOf([row("ann", judged(unit, was))]);
      const [record] = records;
      assert.ok(record?.kind === "change" && records.length === 1);
      assert.deepEqual(record.change.units, units);
      assert.deepEqual(record.before, { [unit.name]: stateName(keyring, unit.name, after) });
      assert.equal(record.change.version?.timeMs, 5);
    });
  }

  for (const [left, unit, units] of [
    [
      "another address",
      text("email", "new@a.b", "mark"),
      [text("email", "old@a.b", "keep"), flag("email_verified", false)],
    ],
    ["no address", clear("email"), [text("email", "old@a.b", "keep")]],
  ] as const) {
    test(`asks nobody to confirm an address that was there unverified, where the run left ${left}`, async () => {
      const asks = { ...PROFILE, autoVerified: ["email"] };
      const { records } = await wayBackOf([row("ann", judged(unit, address("old@a.b", "false")))], asks);
      const [record] = records;
      assert.ok(record?.kind === "change");
      assert.deepEqual(record.change.units, units);
    });
  }

  test("is for the account that was written; where that was not kept yet, for nobody who is younger than the run", async () => {
    const account = { sub: "sub-of-ann", createdAt: 0 };
    const was = judged(text("nickname", "new"), { value: "old" });
    const known = await wayBackOf([found("ann", account, was)]);
    const [record] = known.records;
    assert.ok(record?.kind === "change");
    assert.deepEqual([record.change.person?.account?.sub, record.madeBefore], ["sub-of-ann", undefined]);
    const [old] = (await wayBackOf([row("ann", was)])).records;
    assert.ok(old?.kind === "change");
    assert.deepEqual([old.change.person, old.madeBefore], [undefined, 60_000]);
  });

  test("is a row for each unit that was written, sealed, and of nothing else", async () => {
    const rows = [
      row(
        "ann",
        judged(text("nickname", "new"), { value: "secret-old" }),
        judged(text("given_name", "new"), { value: "secret-old" }),
        judged(text("family_name", "same"), { value: "same" }, "unchanged"),
      ),
      row("bob", { unit: text("nickname", "new"), action: "write", message: false }),
    ];
    const { bodies, records } = await wayBackOf(rows);
    assert.equal(records.length, 2);
    for (const body of bodies) assert.match(body, /^b:/);
    assert.ok(!bodies.join("").includes("secret-old"));
  });

  test("leaves alone what was altered in the store", async () => {
    const { store } = openMemoryStore();
    const { bodies } = await wayBackOf([row("ann", judged(text("nickname", "new"), { value: "old" }))]);
    const [body = ""] = bodies;
    // Sealed for another run's place.
    await store.beforeImages.keep("other", [{ unit: "ann nickname", body }], 1000);
    const back = await openWayBack(store, { keyring, profile: PROFILE }, "other", { timeMs: 5, begunAt: 0 });
    assert.ok(back);
    const [record] = await Array.fromAsync(back.records());
    assert.ok(record?.kind === "fault");
    assert.equal(record.reason, "altered");
  });

  test("is none where nothing was kept", async () => {
    assert.equal((await wayBackOf([])).back, undefined);
  });
});
