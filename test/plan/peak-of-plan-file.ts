/**
 * Writes a plan file of many rows and reads it as `apply` does, in a process of its own, so that a test can compare the
 * memory that it takes. Prints one line of JSON: how many rows were read, and the most memory it took.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import { createTally } from "../../src/plan/figures.ts";
import { openPlanFile, writePlanFile } from "../../src/plan/plan-file.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { testKeyring } from "../support/keyring.ts";

const [, , directory = "", rowsText = "0"] = process.argv;
const rows = Number(rowsText);
const text = "Ann".padEnd(2048, "!");

const plan: Plan = {
  id: "p-1",
  feed: "f",
  broken: [],
  blind: [],
  examples: [],
  kinds: [],
  notPut: [],
  figures: createTally().figures({
    baseline: "live",
    matched: rows,
    changed: rows,
    pace: { updatesPerSecond: 1, listsPerSecond: 1 },
    federated: { users: 0, overwritten: 0, unchecked: [] },
  }),
  *rows() {
    const common = {
      kind: "user",
      found: true,
      invalid: [],
      federated: [],
      version: { timeMs: 5, sequence: 6 },
    } as const;
    const unit = { name: "given_name", value: { kind: "text", text } } as const;
    const units = [{ unit, action: "change", message: false, beforeName: "name" }] as const;
    for (let line = 2; line < rows + 2; line += 1) yield { ...common, line, user: "1", username: `u${line}`, units };
  },
  feedRows: () => assert.fail("not asked for"),
  close: () => undefined,
};

const keyring = testKeyring();
const target = { pool: "eu-west-1_Example", endpoint: "localhost", region: "eu-west-1", arn: "arn" };
const path = join(directory, `${rows}.psplan`);
await writePlanFile(plan, { target, keyring }, { path, asOfMs: 5, guards: DEFAULT_GUARDS, now: Date.now() });
const file = await openPlanFile(path, { keyring, now: Date.now(), directory });
let read = 0;
for await (const { kind } of file.records()) if (kind === "change") read += 1;
await file.close();
const maxRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ rows: read, maxRssMb })}\n`);
