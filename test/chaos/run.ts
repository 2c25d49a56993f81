/** `npm run chaos -- --seed N --minutes M --engine redis|embedded`: see docs/reliability.md. */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { openChaos } from "./chaos.ts";
import { TOPOLOGIES, type Topology } from "./plan.ts";
import { planText, reportText } from "./report.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "3" },
    engine: { type: "string", default: "redis" },
    topology: { type: "string" },
    users: { type: "string", default: "300" },
    json: { type: "string" },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const isTopology = (text: string | undefined): text is Topology | undefined =>
  text === undefined || TOPOLOGIES.some((topology) => topology === text);

const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const forMs = Number(values.minutes) * 60_000;
const users = Number(values.users);
const { engine, topology, json } = values;
const sound = Number.isSafeInteger(seed) && seed >= 0 && forMs > 0 && Number.isSafeInteger(users) && users > 0;
if (!sound || (engine !== "redis" && engine !== "embedded") || !isTopology(topology)) {
  say(
    `Expected --seed N --minutes M --engine redis|embedded [--topology ${TOPOLOGIES.join("|")}] [--users N] [--json FILE]`,
  );
  process.exit(64);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const chaos = await openChaos({
  seed,
  engine,
  forMs,
  users,
  say,
  provoke: true,
  ...(topology === undefined ? {} : { topology }),
});
say(planText(chaos.plan));
try {
  const report = await chaos.run();
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ ...report, plan: chaos.plan }, undefined, 2)}\n`);
  say(reportText(report));
  if (report.holds) await chaos.clear();
  else say(`What its processes logged: ${chaos.directory}`);
  process.exitCode = report.holds ? 0 : 1;
} catch (error) {
  say(`The run could not be carried out: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  say(`What its processes logged: ${chaos.directory}`);
  process.exitCode = 1;
}
