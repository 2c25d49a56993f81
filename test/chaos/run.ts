/** `npm run chaos -- --seed N --minutes M --engine redis|embedded`: see docs/reliability.md. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makePlan, type Topology } from "./plan.ts";
import { runEmbedded } from "./embedded-run.ts";
import { runOnRedis } from "./redis-run.ts";
import { planText, reportText } from "./report.ts";
import { LEASE_MS } from "./run-settings.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "3" },
    engine: { type: "string", default: "redis" },
    topology: { type: "string" },
    users: { type: "string", default: "300" },
    json: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const forMs = Number(values.minutes) * 60_000;
const { engine, topology } = values;
if (!Number.isSafeInteger(seed) || !(forMs > 0) || (engine !== "redis" && engine !== "embedded")) {
  say(
    "Expected --seed N --minutes M --engine redis|embedded [--topology aof-always|aof-everysec|sentinel] [--json FILE]",
  );
  process.exit(64);
}
const isTopology = (text: string | undefined): text is Topology =>
  text === "aof-always" || text === "aof-everysec" || text === "sentinel";

const plan = makePlan({ seed, engine, forMs, leaseMs: LEASE_MS, ...(isTopology(topology) ? { topology } : {}) });
say(planText(plan));
const directory = await mkdtemp(join(tmpdir(), "poolsync-chaos-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  const report = await (engine === "redis" ? runOnRedis : runEmbedded)({
    plan,
    directory,
    users: Number(values.users),
    singlesPerSecond: 40,
    feedEveryMs: 6_000,
    say,
  });
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ ...report, plan }, undefined, 2)}\n`);
  say(reportText(report));
  process.exitCode = report.holds ? 0 : 1;
  if (!report.holds) say(`Logs of its processes: ${directory}`);
  else if (!values.keep) await rm(directory, { recursive: true, force: true });
} catch (error) {
  say(`The run could not be carried out: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  say(`Logs of its processes: ${directory}`);
  process.exitCode = 1;
}
