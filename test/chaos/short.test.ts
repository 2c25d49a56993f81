import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { openChaos, type ChaosOptions } from "./chaos.ts";
import { makePlan } from "./plan.ts";
import { redisVersion } from "./redis-processes.ts";
import { planText, reportText } from "./report.ts";
import { LEASE_MS } from "./run-settings.ts";

/** The short form of the chaos run; docs/reliability.md has the long ones. */
const FOR_MS = 20_000;
const GAP_MS = 2_500;

async function survives(t: TestContext, options: Omit<ChaosOptions, "forMs">): Promise<void> {
  const chaos = await openChaos({ ...options, forMs: FOR_MS, gapMs: GAP_MS, users: 150 });
  const report = await chaos.run();
  const text = `${planText(chaos.plan)}\n${reportText(report)}\nWhat its processes logged: ${chaos.directory}`;
  assert.ok(report.holds, text);
  for (const { title, facts } of report.verdicts) t.diagnostic(`${title}: ${JSON.stringify(facts)}`);
  await chaos.clear();
}

const noServer = redisVersion() === "none" ? "there is no redis-server on the PATH for a run of its own" : false;
const seed = Number(process.env["POOLSYNC_TEST_SEED"] ?? Date.now() % 1_000_000);

test("a plan is the same for the same seed", () => {
  const options = { seed, engine: "redis", forMs: FOR_MS, leaseMs: LEASE_MS } as const;
  assert.deepEqual(makePlan(options), makePlan(options));
});

/** One of them each time, by the seed. */
const FLEETS = [
  { of: "a fleet on a Redis that is killed", run: { engine: "redis", topology: "aof-always" } },
  { of: "a fleet on a Redis that loses its last second", run: { engine: "redis", topology: "aof-everysec" } },
  { of: "a fleet on a Redis that is emptied", run: { engine: "redis", topology: "replaced" } },
  { of: "one process that is killed again and again", run: { engine: "embedded" } },
] as const;
const { of, run } = FLEETS[seed % FLEETS.length] ?? FLEETS[0];

test(`${of} keeps every invariant, seed ${seed}`, { skip: run.engine === "redis" && noServer }, (t) =>
  survives(t, { seed, ...run }),
);
