/**
 * `npm run bench -- <scenario>`: prints tables, and with `--save` keeps the figures in bench/results.json. Exits with 1
 * only where something was lost or failed: figures are told, not judged, on a machine that is small and noisy.
 */
import { table } from "../src/views/table.ts";
import { paceSim } from "./pace-sim.ts";
import { feed } from "./feed.ts";
import { ingest } from "./ingest.ts";
import { latency } from "./latency.ts";
import { plan } from "./plan.ts";
import { quota } from "./quota.ts";
import { keepResult, readResults } from "./results.ts";
import type { Outcome, Scenario } from "./scenario.ts";
import { throughput } from "./throughput.ts";

const SCENARIOS: readonly Scenario[] = [quota, throughput, feed, latency, ingest, paceSim, plan];
const WIDTH = 180;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const isSaved = process.argv.includes("--save");
const [name = "", ...args] = process.argv.slice(2).filter((arg) => arg !== "--save");
const scenario = SCENARIOS.find((each) => each.name === name);
if (scenario === undefined) {
  say(`Expected one of the scenarios, such as \`npm run bench -- throughput\`, got \`${name}\`:\n`);
  for (const each of SCENARIOS) say(`  ${each.name.padEnd(12)}${each.about}`);
  process.exitCode = 64;
} else {
  const command = ["npm run bench --", name, ...args].join(" ");
  const kept = (await readResults())[name]?.figures;
  const keep = async (figures: object): Promise<void> => {
    if (isSaved) await keepResult(name, command, figures);
  };
  const outcome = await scenario.run({ args, say, kept, keep });
  await keep(outcome.figures);
  print(outcome);
  if (!isSaved) say("These figures are not kept: with `--save` they go to bench/results.json.");
  if (outcome.failed > 0) process.exitCode = 1;
}

function print({ tables, failed }: Outcome): void {
  for (const { title, columns, rows, notes = [] } of tables) {
    process.stdout.write(`\n${title}\n\n${table(columns, rows, WIDTH)}${notes.map((note) => `\n${note}`).join("")}\n`);
  }
  if (failed > 0) say(`${failed} were lost or failed.`);
}
