import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { PlannedRow } from "../../src/plan/planned-row.ts";
import { openPlanFile } from "../../src/plan/plan-file.ts";
import { planLines } from "../../src/plan/plan-lines.ts";
import { APPROVAL_MS, checkStoredPlan, openApprovedPlan, storePlan } from "../../src/plan/stored-plan.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { createKeyring, freshSecret } from "../../src/store/keyring.ts";
import type { Plans } from "../../src/store/plans.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const USERS = 700;
/** Long enough that the plan takes several chunks: sealing a few long values takes less time than many short ones. */
const NAME = "Zoë-of-the-plan".padEnd(1000, "!");
const TARGET = { pool: "eu-west-1_Example", endpoint: "localhost", region: "eu-west-1", arn: "arn" };
const SECRET = freshSecret();
const keyring = createKeyring(SECRET, Buffer.alloc(32, 7));

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
const unit = { name: "given_name", value: { kind: "text", text: NAME } } as const;
function* manyRows(): Generator<PlannedRow> {
  for (let line = 2; line < USERS + 2; line += 1) {
    const units = [{ unit, action: "change", message: false, beforeName: "digest" }] as const;
    yield { ...common, line, user: String(line), username: `u${line}`, units };
  }
}

function* aFewRows(): Generator<PlannedRow> {
  yield* manyRows().take(3);
}

describe("a plan that waits in the store", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(() => directory.remove());
  const now = Date.now();
  const facts = { asOfMs: 5, guards: DEFAULT_GUARDS, now };
  const where = { target: TARGET, keyring };
  const RUN = { id: "r", feed: "hr", pool: TARGET.pool, asOf: 5 };
  const expiresAt = now + APPROVAL_MS;
  async function kept(plan = planOf(manyRows)) {
    const { store } = openMemoryStore();
    assert.equal(await storePlan(store.plans, plan, where, { ...facts, run: "r" }), true);
    return { plans: store.plans, chunks: await Array.fromAsync(store.plans.read("r")) };
  }
  async function put(plans: Plans, run: string, chunks: AsyncIterable<string> | readonly string[]) {
    async function* given() {
      yield* chunks;
    }
    await plans.keep({ run, expiresAt }, given());
  }
  const check = (plans: Plans, run = RUN, at = now, ring = keyring) =>
    checkStoredPlan({ plans, keyring: ring }, run, at);
  const open = (plans: Plans, run = RUN) => openApprovedPlan({ plans, keyring }, run, directory.path);

  test("is read as it was made, with what people are shown", async () => {
    const { plans, chunks } = await kept();
    assert.ok(chunks.length > 1);
    assert.ok(chunks.every((chunk) => !Buffer.from(chunk, "base64").includes("Zoë-of-the-plan")));
    const written = await check(plans);
    assert.equal(written?.header.expiresAt, expiresAt);
    assert.deepEqual(written.summary, { ...written.summary, id: "p-1", feed: "hr" });
    assert.deepEqual(
      [written.summary?.figures.users.changed, written.summary?.broken[0]?.guard, written.summary?.examples[0]?.after],
      [USERS, "changed", "Zoë-of-the-plan"],
    );
    const opened = await open(plans);
    assert.ok(opened);
    const records = await Array.fromAsync(opened.records());
    await opened.close();
    assert.equal(records.length, USERS);
    const [first] = records;
    assert.ok(first?.kind === "change");
    assert.deepEqual(
      [first.change.username, first.change.units, first.before],
      ["u2", [unit], { given_name: "digest" }],
    );
    const other = { ...RUN, id: "other" };
    assert.deepEqual([await check(plans, other), await open(plans, other)], [undefined, undefined]);
  });

  test("is refused where it was altered, cut off, is of another namespace or has expired", async () => {
    const { plans, chunks } = await kept();
    const refused = async (some: readonly string[], ring = keyring, at = now) => {
      const { store } = openMemoryStore();
      await put(store.plans, "r", some);
      await assert.rejects(check(store.plans, RUN, at, ring), { name: "PlanFileError" });
    };
    await refused(chunks.slice(0, -1));
    await refused(chunks.slice(1));
    await refused([]);
    await refused(chunks.map((chunk, nth) => (nth === 1 ? chunk.replaceAll("A", "B") : chunk)));
    await refused(chunks, createKeyring(freshSecret(), Buffer.alloc(32, 7)));
    await refused(chunks, keyring, expiresAt);
    assert.ok(await check(plans, RUN, 0));
  });

  test("is carried out as it was checked, whatever is put in its place meanwhile or afterwards", async () => {
    const { plans, chunks } = await kept();
    const opened = await open(plans);
    assert.ok(opened);
    await put(plans, "r", chunks.slice(0, 1));
    assert.equal((await Array.fromAsync(opened.records())).length, USERS);
    await opened.close();
    // The others are changed while the first is read.
    const [first = "", ...others] = chunks;
    const changing: Plans = {
      ...plans,
      async *read() {
        yield first;
        yield* others.map((chunk) => chunk.replaceAll("A", "B"));
      },
    };
    await assert.rejects(open(changing), { name: "PlanFileError" });
  });

  test("is refused where it was kept for another run, and so is a plan file in its place", async () => {
    const { plans, chunks } = await kept(planOf(aFewRows));
    await put(plans, "s", chunks);
    const expected = {
      name: "PlanFileError",
      message:
        /kept for run s was altered or cut off, or is another run's, and nothing of it is written: end the run with `poolsync runs cancel s`, and plan its feed again with `poolsync sync --feed hr`\./,
    };
    const another = { ...RUN, id: "s" };
    await assert.rejects(check(plans, another), expected);
    await assert.rejects(open(plans, another), expected);
    await put(plans, "s", packed(planLines(planOf(aFewRows), where, { ...facts, lifeMs: APPROVAL_MS })));
    await assert.rejects(open(plans, another), expected);
  });

  test("is no plan file", async () => {
    const { plans, chunks } = await kept(planOf(aFewRows));
    const path = join(directory.path, "kept.psplan");
    await writeFile(path, gunzipSync(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk, "base64")))));
    assert.ok(await check(plans));
    await assert.rejects(openPlanFile(path, { keyring, now, directory: directory.path }), { name: "PlanFileError" });
  });

  test("that says no run, as older ones do, is that of the run of the same feed, pool and time", async () => {
    const { plans } = await kept(planOf(aFewRows));
    const lines = [...planLines(planOf(aFewRows), where, { ...facts, lifeMs: APPROVAL_MS, run: "r" })];
    const signer = keyring.signer("plan file");
    const old = lines.slice(0, -1).map((line) => {
      const text = line.replace(',"run":"r"', "");
      signer.update(`${text}\n`);
      return text;
    });
    assert.notEqual(old[0], lines[0]);
    await put(plans, "r", packed([...old, JSON.stringify({ signature: signer.digest() })]));
    assert.ok(await check(plans));
    for (const another of [{ feed: "crm" }, { pool: "eu-west-1_Other" }, { asOf: 6 }]) {
      await assert.rejects(check(plans, { ...RUN, ...another }), { name: "PlanFileError" });
    }
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

/** As a store keeps lines. */
async function* packed(lines: Iterable<string>): AsyncGenerator<string> {
  yield gzipSync([...lines].map((line) => `${line}\n`).join("")).toString("base64");
}
