import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { PlannedRow } from "../../src/plan/planned-row.ts";
import { APPROVAL_MS, storePlan, openStoredPlan } from "../../src/plan/stored-plan.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { testKeyring } from "../support/keyring.ts";
import { openMemoryStore } from "../support/memory-store.ts";

const USERS = 700;
/** Long enough that the plan takes several chunks, whatever is packed: a few long values take less time than many. */
const nameOf = (line: number): string => {
  const hash = (nth: number) => createHash("sha256").update(`${line} ${nth}`).digest("hex");
  return `Zoë-of-the-plan ${Array.from({ length: 16 }, (_, nth) => hash(nth)).join("")}`;
};
const TARGET = { pool: "eu-west-1_Example", endpoint: "localhost", region: "eu-west-1", arn: "arn" };
const keyring = testKeyring();

function planOf(rows: () => Iterable<PlannedRow>): Plan {
  const pace = { updatesPerSecond: 1, listsPerSecond: 1 };
  const federated = { users: 0, overwritten: 0, unchecked: [] };
  const figures = createTally().figures({ baseline: "live", matched: USERS, changed: USERS, pace, federated });
  const broken = { guard: "changed", limit: 0.2, found: 1, count: USERS, of: USERS, examples: [] } as const;
  const example = {
    line: 2,
    username: "u0",
    attribute: "given_name",
    deed: "change",
    after: "Zoë-of-the-plan",
  } as const;
  return {
    id: "p-1",
    feed: "hr",
    broken: [broken],
    examples: [example],
    figures,
    rows,
    feedRows: () => assert.fail("not asked for"),
    close: () => undefined,
  };
}

const common = { kind: "user", found: true, version: { timeMs: 5, sequence: 6 }, invalid: [], federated: [] } as const;
const unitOf = (line: number) => ({ name: "given_name", value: { kind: "text", text: nameOf(line) } }) as const;
function* manyRows(): Generator<PlannedRow> {
  for (let line = 2; line < USERS + 2; line += 1) {
    const units = [{ unit: unitOf(line), action: "change", message: false, beforeName: "digest" }] as const;
    yield { ...common, line, user: String(line), username: `u${line}`, units };
  }
}

describe("a plan that waits in the store", () => {
  const now = Date.now();
  const facts = { asOfMs: 5, guards: DEFAULT_GUARDS, now };
  const where = { target: TARGET, keyring };
  async function kept(plan = planOf(manyRows)) {
    const { store } = openMemoryStore();
    assert.equal(await storePlan(store.plans, plan, where, { ...facts, run: "r" }), true);
    return { plans: store.plans, chunks: await Array.fromAsync(store.plans.read("r")) };
  }

  test("is read as it was made, with what people are shown", async () => {
    const { plans, chunks } = await kept();
    assert.ok(chunks.length > 1);
    for (const chunk of chunks) assert.throws(() => gunzipSync(Buffer.from(chunk, "base64")), /incorrect header/);
    const written = await openStoredPlan(plans, keyring, { run: "r", now });
    assert.equal(written?.header.expiresAt, now + APPROVAL_MS);
    assert.deepEqual(written.summary, { ...written.summary, id: "p-1", feed: "hr" });
    assert.deepEqual(
      [written.summary?.figures.users.changed, written.summary?.broken[0]?.guard, written.summary?.examples[0]?.after],
      [USERS, "changed", "Zoë-of-the-plan"],
    );
    const records = await Array.fromAsync(written.records());
    assert.equal(records.length, USERS);
    const [first] = records;
    assert.ok(first?.kind === "change");
    assert.deepEqual(
      [first.change.username, first.change.units, first.before],
      ["u2", [unitOf(2)], { given_name: "digest" }],
    );
    assert.equal(await openStoredPlan(plans, keyring, { run: "other", now }), undefined);
  });

  test("is refused where it was altered, cut off, is of another namespace or has expired", async () => {
    const { plans, chunks } = await kept();
    const refused = async (some: readonly string[], ring = keyring, at = now) => {
      const { store } = openMemoryStore();
      async function* given() {
        yield* some;
      }
      await store.plans.keep({ run: "r", expiresAt: now }, given());
      await assert.rejects(openStoredPlan(store.plans, ring, { run: "r", now: at }), { name: "PlanFileError" });
    };
    await refused(chunks.slice(0, -1));
    await refused(chunks.slice(1));
    await refused([]);
    await refused(chunks.with(0, chunks[1] ?? "").with(1, chunks[0] ?? ""));
    await refused(chunks.map((chunk, nth) => (nth === 1 ? chunk.replaceAll("A", "B") : chunk)));
    await refused(chunks, testKeyring());
    await refused(chunks, keyring, now + APPROVAL_MS);
    assert.ok(await openStoredPlan(plans, keyring, { run: "r", now: 0 }));
  });

  test("is not kept at all where it could not be read to its end", async () => {
    const { store } = openMemoryStore();
    const broken = planOf(function* () {
      yield* manyRows();
      throw new Error("the scratch is gone");
    });
    await assert.rejects(storePlan(store.plans, broken, where, { ...facts, run: "r" }), /the scratch is gone/);
    assert.deepEqual(await store.plans.list(), []);
  });
});
