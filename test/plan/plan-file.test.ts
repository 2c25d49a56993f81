import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import { openPlanFile, writePlanFile } from "../../src/plan/plan-file.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { createTally } from "../../src/plan/figures.ts";
import { testKeyring } from "../support/keyring.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const MADE_AT = 1_800_000_000_000;
const DAY_MS = 24 * 60 * 60_000;
const TARGET = { pool: "eu-west-1_Example", endpoint: "localhost", region: "eu-west-1", arn: "arn" };

const PLAN: Plan = {
  id: "p-1",
  feed: "f",
  broken: [],
  examples: [],
  figures: createTally().figures({
    baseline: "live",
    matched: 1,
    changed: 1,
    pace: { updatesPerSecond: 1, listsPerSecond: 1 },
    federated: { users: 0, overwritten: 0, unchecked: [] },
  }),
  *rows() {
    yield { kind: "fault", line: 2, reason: "no-username", detail: "" };
    const common = {
      kind: "user",
      found: true,
      version: { timeMs: 5, sequence: 6 },
      invalid: [],
      federated: [],
    } as const;
    const unit = { name: "given_name", value: { kind: "text", text: "Zoë-of-the-plan" } } as const;
    yield { ...common, line: 3, user: "1", username: "ann", units: [{ unit, action: "unchanged", message: false }] };
    const units = [
      { unit, action: "change", message: false, before: "Zoe-of-before", beforeName: "name of Zoe" },
    ] as const;
    yield { ...common, line: 4, user: "2", username: "bobs-own-name", units };
  },
  feedRows: () => assert.fail("not asked for"),
  close: () => undefined,
};

describe("a plan file", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let path: string;
  const keyring = testKeyring();
  before(async () => {
    directory = await temporaryDirectory();
    path = join(directory.path, "a.psplan");
    const facts = { path, asOfMs: 5, guards: DEFAULT_GUARDS, now: MADE_AT };
    await writePlanFile(PLAN, { target: TARGET, keyring }, facts);
  });
  after(() => directory.remove());

  test("holds what would change and nothing else, as it was", async () => {
    const file = await openPlanFile(path, keyring, MADE_AT + 1);
    assert.deepEqual(await Array.fromAsync(file.usernames()), ["bobs-own-name"]);
    assert.deepEqual(await Array.fromAsync(file.records()), [
      {
        kind: "change",
        line: 4,
        invalid: [],
        change: {
          username: "bobs-own-name",
          version: { timeMs: 5, sequence: 6 },
          units: [{ name: "given_name", value: { kind: "text", text: "Zoë-of-the-plan" } }],
        },
        before: { given_name: "name of Zoe" },
      },
    ]);
    assert.deepEqual([file.header.id, file.header.target, file.header.guarded], ["p-1", TARGET, false]);
  });

  test("shows no value or username where values are encrypted", async () => {
    const text = await readFile(path, "utf8");
    assert.ok(!/Zoë-of|bobs-own|Zoe-of/.test(text));
  });

  test("is refused once it has expired, and by another namespace", async () => {
    await openPlanFile(path, keyring, MADE_AT + DAY_MS - 1);
    await assert.rejects(openPlanFile(path, keyring, MADE_AT + DAY_MS), {
      kind: "plan-file",
      message: /older than 24 hours/,
    });
    await assert.rejects(openPlanFile(path, testKeyring(), MADE_AT), {
      message: /another namespace/,
    });
    await assert.rejects(openPlanFile(join(directory.path, "none"), keyring, MADE_AT), {
      message: /cannot be read \(ENOENT\)/,
    });
    await assert.rejects(openPlanFile(import.meta.filename, keyring, MADE_AT), {
      message: /is no plan of this version/,
    });
  });
});
