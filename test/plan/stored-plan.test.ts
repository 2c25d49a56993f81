import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { PlannedRow } from "../../src/plan/planned-row.ts";
import { openPlanFile } from "../../src/plan/plan-file.ts";
import { planLines } from "../../src/plan/plan-lines.ts";
import {
  APPROVAL_MS,
  checkStoredPlan,
  openApprovedPlan,
  readStoredPlan,
  storePlan,
} from "../../src/plan/stored-plan.ts";
import type { Plan } from "../../src/plan/plan.ts";
import type { Signer } from "../../src/store/keyring.ts";
import { chunkPlace } from "../../src/store/sealed-unit.ts";
import type { Plans } from "../../src/store/plans.ts";
import { testKeyring } from "../support/keyring.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

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
    blind: [],
    examples: [example],
    kinds: [{ attribute: "given_name", difference: "set where nothing was", count: USERS }],
    notPut: [],
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
  async function put(plans: Plans, run: string, chunks: readonly string[]) {
    async function* given() {
      yield* chunks;
    }
    await plans.keep({ run, expiresAt }, given());
  }
  const check = (plans: Plans, run = RUN, at = now, ring = keyring) =>
    checkStoredPlan({ plans, keyring: ring }, run, at);
  const open = (plans: Plans, run = RUN) => openApprovedPlan({ plans, keyring }, run, directory.path);

  test("is read with the changes that a page shows, and what was there", async () => {
    function* rows(): Generator<PlannedRow> {
      for (const line of [2, 3, 4]) {
        const unit = { ...unitOf(line), value: { kind: "text", text: `New${line}` } } as const;
        const units = [{ unit, action: "change", message: false, before: "Zoë" }] as const;
        yield { ...common, line, user: String(line), username: `u${line}`, units };
      }
    }
    const kinds = [{ attribute: "given_name", difference: "other value", count: 3 }] as const;
    const { plans } = await kept({ ...planOf(rows), kinds });
    const read = await readStoredPlan({ plans, keyring }, RUN, now);
    assert.deepEqual(read?.summary?.kinds, kinds);
    assert.deepEqual(
      read?.changes,
      [2, 3, 4].map((line) => ({
        line,
        username: `u${line}`,
        attribute: "given_name",
        deed: "change",
        difference: "other value",
        before: "Zoë",
        after: `New${line}`,
      })),
    );
  });

  test("is read as it was made, with what people are shown", async () => {
    const { plans, chunks } = await kept();
    assert.ok(chunks.length > 1);
    for (const chunk of chunks) assert.throws(() => gunzipSync(Buffer.from(chunk, "base64")), /incorrect header/);
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
      ["u2", [unitOf(2)], { given_name: "digest" }],
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
    await refused(chunks.with(0, chunks[1] ?? "").with(1, chunks[0] ?? ""));
    await refused(chunks.map((chunk, nth) => (nth === 1 ? chunk.replaceAll("A", "B") : chunk)));
    await refused(chunks, testKeyring());
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
    assert.equal(await open(plans, another), undefined, "it was set aside");
    await put(plans, "s", chunks);
    await assert.rejects(open(plans, another), expected);
    // Sealed at the place of a chunk, which nobody without the keys can do.
    const file = packed(planLines(planOf(aFewRows), where, { ...facts, lifeMs: APPROVAL_MS }));
    await put(plans, "s", [keyring.seal(chunkPlace("s", 0), file)]);
    await assert.rejects(open(plans, another), expected);
  });

  test("is no plan file", async () => {
    const path = join(directory.path, "kept.psplan");
    const lines = planLines(planOf(aFewRows), where, { ...facts, lifeMs: APPROVAL_MS, run: "r" });
    await writeFile(path, gunzipSync(packed(lines)));
    await assert.rejects(openPlanFile(path, { keyring, now, directory: directory.path }), {
      name: "PlanFileError",
      message: /was altered/,
    });
  });

  describe("from before format 3 of the store", () => {
    const sealing = { isSealed: false };
    const ring = testKeyring(undefined, { encrypts: false, isSealed: () => sealing.isSealed });
    /** Signed so, in clear, and says no run. */
    function former(signer: Signer, format = 1): string {
      const given = { ...facts, lifeMs: APPROVAL_MS, run: "r" };
      const lines = [...planLines(planOf(aFewRows), { ...where, keyring: ring }, given)].slice(0, -1).map((line) => {
        const unnamed = line.replace(',"run":"r"', "").replace('"format":2', `"format":${format}`);
        const text = unnamed.replaceAll(/"(username|body|summary)":"/g, '"$1":"p:');
        signer.update(`${text}\n`);
        return text;
      });
      return packed([...lines, JSON.stringify({ signature: signer.digest() })]).toString("base64");
    }

    test("is that of the run of the same feed, pool and time", async () => {
      const { plans } = openMemoryStore().store;
      const chunk = former(ring.namer("plan file"));
      await put(plans, "r", [chunk]);
      assert.ok(await check(plans, RUN, now, ring));
      for (const another of [{ feed: "crm" }, { pool: "eu-west-1_Other" }, { asOf: 6 }]) {
        await put(plans, "r", [chunk]);
        await assert.rejects(check(plans, { ...RUN, ...another }, now, ring), { name: "PlanFileError" });
      }
      await put(plans, "r", [former(ring.signer("plan file"), 2)]);
      await assert.rejects(check(plans, RUN, now, ring), { name: "PlanFileError" });
    });

    test("is read until all is sealed, and then only where it was sealed with the rest", async (t) => {
      t.after(() => (sealing.isSealed = false));
      const { plans } = openMemoryStore().store;
      const chunk = former(ring.namer("plan file"));
      await put(plans, "r", [chunk]);
      const opened = await openApprovedPlan({ plans, keyring: ring }, RUN, directory.path);
      sealing.isSealed = true;
      assert.equal(opened && (await Array.fromAsync(opened.records())).length, 3);
      await opened?.close();
      await assert.rejects(check(plans, RUN, now, ring), { name: "PlanFileError" });
      await put(plans, "r", [ring.seal(chunkPlace("r", 0), Buffer.from(chunk, "base64"))]);
      assert.ok(await check(plans, RUN, now, ring));
    });
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

function packed(lines: Iterable<string>): Buffer {
  return gzipSync([...lines].map((line) => `${line}\n`).join(""));
}
