/**
 * `npm run bench -- throughput`: prints a table and writes bench/results.json. Exits with 1 only where something was
 * lost or failed: figures are told, not judged, on a machine that is small and noisy.
 */
import { readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { throughput, type Throughput } from "./throughput.ts";

const SCENARIOS = ["throughput"];
const RESULTS = new URL("results.json", import.meta.url);

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const [scenario = "throughput", ...rest] = process.argv.slice(2);
if (!SCENARIOS.includes(scenario) || rest.length > 0) {
  say(`Expected one of the scenarios ${SCENARIOS.join(", ")}: \`npm run bench -- throughput\``);
  process.exitCode = 64;
} else {
  const result = await throughput(say);
  print(result);
  await keep(result);
  if (result.poolsync.failed > 0 || result.loop.failed > 0) process.exitCode = 1;
}

function print({ users, concurrency, loop, poolsync, ratio }: Throughput): void {
  const rows = [
    ["", "calls/s", "changes/s", "calls", "failed"],
    [
      "SDK loop",
      loop.callsPerSecond.toFixed(0),
      (loop.callsPerSecond * 3).toFixed(0),
      String(users),
      String(loop.failed),
    ],
    [
      "poolsync, end to end",
      poolsync.callsPerSecond.toFixed(0),
      poolsync.changesPerSecond.toFixed(0),
      String(poolsync.calls),
      String(poolsync.failed),
    ],
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  process.stdout.write(
    `\n${users} users, three attributes each, ${concurrency} calls in flight, unmetered emulator, one worker over Redis\n\n` +
      `${rows.map(line).join("\n")}\n\nratio of calls a second: ${ratio.toFixed(2)}\n`,
  );
}

async function keep(result: Throughput): Promise<void> {
  const machine = { cpu: cpus()[0]?.model ?? "", cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) };
  const lock: unknown = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const versions = { node: process.version, dependencies: Reflect.get(Object(lock), "dependencies") as unknown };
  const results = {
    date: new Date().toISOString(),
    command: "npm run bench -- throughput",
    machine,
    versions,
    throughput: result,
  };
  await writeFile(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
}
