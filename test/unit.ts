import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { getCompileCacheDir } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { batchesOf, writeBatches } from "./support/batches.ts";
import { needsOf } from "./support/test-needs.ts";

// What `npm run test:unit` and `npm run test:watch` run: the test files that need nothing but their own process.
//   npm run test:unit -- [part of a file's name]... [an option of `node --test`]...

const root = dirname(import.meta.dirname);
const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith("-"));
const wanted = args.filter((arg) => !arg.startsWith("-"));
const files = globSync("test/**/*.test.ts", { cwd: root })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => join(root, file))
  .filter((file) => needsOf(file).isUnit)
  .sort();

/** Batches that run beside those which have a core: some tests wait more than they compute. */
const WAITING = 2;

if (files.length === 0) {
  process.stderr.write(`Expected ${wanted.join(", ") || "test"} to name a unit test: \`npm test\` runs the others.\n`);
  process.exitCode = 64;
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  const scratch = await mkdtemp(join(tmpdir(), "poolsync-unit-"));
  try {
    // A watched file is run by itself, when it or what it imports has changed.
    const run = options.includes("--watch") ? files : await writeBatches(scratch, batchesOf(files));
    const guard = pathToFileURL(join(import.meta.dirname, "support", "unit-guard.ts")).href;
    const nodeArgs = ["--test", `--test-concurrency=${availableParallelism() + WAITING}`, "--test-timeout=60000"];
    const reporter = options.some((option) => option.startsWith("--test-reporter")) ? [] : ["--test-reporter=dot"];
    const child = spawn(process.execPath, [...nodeArgs, `--import=${guard}`, ...reporter, ...options, ...run], {
      cwd: root,
      stdio: "inherit",
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? compileCache(),
      },
    });
    // Ctrl-C reaches the tests as well, which end by themselves.
    process.on("SIGINT", () => undefined);
    process.on("SIGTERM", () => child.kill());
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The folder that bin/launch.js keeps compiled sources in. */
function compileCache(): string {
  const folder = getCompileCacheDir();
  return folder === undefined ? "" : dirname(folder);
}
