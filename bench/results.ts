/** bench/results.json: the newest figures of each scenario, with where, when and by which command they were made. */
import { execFile } from "node:child_process";
import { readFile, rename, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

const FILE = new URL("results.json", import.meta.url);

/** Dev dependencies whose version the figures depend on. */
const PEERS = new Set(["p-throttle"]);

const text = z.record(z.string(), z.string());
const packages = z.object({ dependencies: text, devDependencies: text });
const result = z.object({
  date: z.string(),
  command: z.string(),
  machine: z.object({ cpu: z.string(), cores: z.number(), memoryGiB: z.number(), load: z.number().optional() }),
  versions: text,
  figures: z.unknown(),
});
export type Result = z.infer<typeof result>;

/** Of all scenarios, by name. None where there is no file yet. */
export async function readResults(): Promise<Readonly<Record<string, Result>>> {
  const kept = await readFile(FILE, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "{}";
    throw error;
  });
  return z.record(z.string(), result).parse(JSON.parse(kept));
}

/** Keeps a scenario's figures beside those of the others, which another process may have written meanwhile. */
export async function keepResult(name: string, command: string, figures: object): Promise<void> {
  const newest: Result = {
    date: new Date().toISOString(),
    command,
    machine: {
      cpu: cpus()[0]?.model ?? "",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      // Above the number of cores others were at work as well, and figures of time are worth little.
      load: loadavg()[0] ?? 0,
    },
    versions: await versions(),
    figures,
  };
  const results = { ...(await readResults()), [name]: newest };
  const draft = new URL(`results.${process.pid}.json`, import.meta.url);
  await writeFile(draft, `${JSON.stringify(results, undefined, 2)}\n`);
  // `npm run check` wants the file as the formatter writes it, which takes the draft for one by its ending.
  await promisify(execFile)("npx", ["--no", "oxfmt", fileURLToPath(draft)], { cwd: new URL("../", import.meta.url) });
  await rename(draft, FILE);
}

async function versions(): Promise<Result["versions"]> {
  const manifest: unknown = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const { dependencies, devDependencies } = packages.parse(manifest);
  const peers = Object.entries(devDependencies).filter(([name]) => PEERS.has(name));
  return { node: process.version, ...dependencies, ...Object.fromEntries(peers) };
}
