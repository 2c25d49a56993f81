import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { dirname, join, matchesGlob } from "node:path";
import { pathToFileURL } from "node:url";
import { Redis } from "ioredis";
import { provideRedis, type ProvidedRedis } from "./support/redis-server.ts";
import { batchesOf, writeBatches } from "./support/batches.ts";
import { needsOf } from "./support/test-needs.ts";

// What `npm test` runs: it finds a real Redis where a test file needs one, runs the tests and ends with their exit code.
//   npm test -- [--install] [part of a file's name, or a glob]... [an option of `node --test`]...

const root = dirname(import.meta.dirname);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const args = process.argv.slice(2);
const install = args.includes("--install") || process.env["CI"] === "true";
const options = args.filter((arg) => arg.startsWith("-") && arg !== "--install");
const wanted = args.filter((arg) => !arg.startsWith("-"));
const files = globSync("test/**/*.test.ts", { cwd: root })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part) || matchesGlob(file, part)))
  .sort();
const needs = files.map((file) => needsOf(join(root, file)));
/**
 * How many small files of a room share a process, one after the other, where everything is run: to load what one of them
 * needs takes longer than most of its tests. A file that was asked for is run by itself.
 */
const FEW = 5;
/** Each of these starts a fleet of processes, the longest one first. */
const FLEETS = ["chaos/short", "chaos/killed-sync", "chaos/fleet"];
/**
 * These take half a minute and more as well: begun last, they would keep one core busy and the other idle. Those that
 * mostly wait are begun beside those that compute.
 */
const LONG = [
  "cli/directory",
  "queues/delivery-embedded",
  "app/upgraded",
  "plan/memory",
  "queues/delivery-redis",
  "privacy",
  "cli/passing-faults",
  "store/fence",
  "cli/directory-killed",
  "store/embedded",
  "cli/redis-lost",
  "feeds/memory",
  "cli/foreign-format",
  "package",
  "store/upgrade-embedded",
  "demo",
  "cli/store-replaced",
  "store/embedded-store",
  "store/damaged",
];
const long = new Set([...FLEETS, ...LONG].map((name) => join("test", `${name}.test.ts`)));
/** A hook of no suite: it would be one of all the files of its process. */
const HOOK = /^(?:before|after)(?:Each)?\(/m;
/** What shares processes: unit tests, and the others room by room. */
const shared = wanted.length > 0 ? [] : sharing();
const LIGHTER = pathToFileURL(join(root, "test", "support", "lighter-runner.ts")).href;

let interrupted: NodeJS.Signals | undefined;
let tests: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    interrupted = signal;
    // A terminal sends Ctrl-C to the tests as well, and a second one would keep them from saying what they did.
    if (signal !== "SIGINT" || !process.stdin.isTTY) tests?.kill(signal);
  });
}

if (files.length === 0) {
  process.stderr.write(
    `Expected ${wanted.join(", ") || "test"} to name a test file: none of test/**/*.test.ts does.\n`,
  );
  process.exitCode = 64;
} else {
  process.exitCode = await main();
}

/**
 * Puts the fleets at equal distances, the longest one first: they starve one another where they run side by side. Between
 * them the long ones are first.
 */
function spread(all: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const isOf = (name: string, [first = "", ...more]: readonly string[]): boolean =>
    more.length === 0 && first === join("test", `${name}.test.ts`);
  const isFleet = (batch: readonly string[]): boolean => FLEETS.some((name) => isOf(name, batch));
  const rank = (names: readonly string[], batch: readonly string[]): number => {
    const at = names.findIndex((name) => isOf(name, batch));
    return at === -1 ? names.length : at;
  };
  const ranked = (names: readonly string[], batches: readonly (readonly string[])[]) =>
    batches.toSorted((a, b) => rank(names, a) - rank(names, b));
  const others = ranked(
    LONG,
    all.filter((batch) => !isFleet(batch)),
  );
  const fleets = ranked(FLEETS, all.filter(isFleet));
  const distance = Math.ceil(others.length / Math.max(1, fleets.length));
  return [
    ...fleets.flatMap((fleet, index) => [fleet, ...others.slice(index * distance, (index + 1) * distance)]),
    ...others.slice(fleets.length * distance),
  ];
}

/** Unit tests first. Those that are long, or have hooks of no suite, share with nobody. */
function sharing(): readonly (readonly string[])[] {
  const isUnit = (index: number): boolean => needs[index]?.isUnit ?? false;
  const others = files.filter((file, index) => {
    return !isUnit(index) && !long.has(file) && !HOOK.test(readFileSync(join(root, file), "utf8"));
  });
  return [files.filter((_file, index) => isUnit(index)), ...Map.groupBy(others, dirname).values()];
}

async function main(): Promise<number> {
  let redis: ProvidedRedis | undefined;
  try {
    const { POOLSYNC_TEST_REDIS_URL: url, POOLSYNC_TEST_REDIS_IMAGE: image } = process.env;
    if (needs.some((need) => need.redis)) redis = await provideRedis({ url, image, install, say });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? withCause(error) : String(error)}\n`);
    return 1;
  }
  const run = randomBytes(4).toString("hex");
  const scratch = await mkdtemp(join(tmpdir(), "poolsync-tests-"));
  try {
    if (needs.some((need) => need.dataDirectory)) await makeDirectory(dataDirIn(scratch));
    if (interrupted) return 128 + constants.signals[interrupted];
    say(redis ? `Redis: ${redis.origin}.` : "No Redis: no file that was asked for needs one.");
    const exitCode = await runTests(redis?.url ?? "", run, scratch);
    return interrupted ? 128 + constants.signals[interrupted] : exitCode;
  } finally {
    await rm(scratch, { recursive: true, force: true });
    if (redis?.ours === false) await removeKeys(redis.url, run);
    await redis?.stop();
  }
}

function dataDirIn(scratch: string): string {
  return join(scratch, "data");
}

/** The data directory that tests copy. Where it cannot be made, they make their own, and say what is wrong. */
async function makeDirectory(dataDir: string): Promise<void> {
  await once(
    spawn(process.execPath, ["test/support/made-directory.ts", dataDir], { cwd: root, stdio: "inherit" }),
    "exit",
  );
}

async function runTests(url: string, run: string, scratch: string): Promise<number> {
  const nodeArgs = ["--test", "--test-concurrency=5", "--test-timeout=300000", "--test-reporter=spec"];
  if (wanted.length === 0) nodeArgs.push(`--import=${LIGHTER}`);
  const batches = shared.flatMap((group, index) =>
    batchesOf(group, index === 0 ? undefined : Math.ceil(group.length / FEW)),
  );
  const others = files.filter((file) => !shared.some((group) => group.includes(file))).map((file) => [file]);
  const ordered = spread([...batches, ...others]).map((batch) => batch.map((file) => join(root, file)));
  const written = await writeBatches(scratch, ordered);
  const child = spawn(process.execPath, [...nodeArgs, ...options, ...written], {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      // Hundreds of processes read the same sources.
      NODE_COMPILE_CACHE: join(scratch, "compiled"),
      POOLSYNC_TEST_REDIS_URL: url,
      POOLSYNC_TEST_RUN: run,
      POOLSYNC_TEST_DATA_DIR: dataDirIn(scratch),
    },
  });
  tests = child;
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** Removes what the run's tests left in a Redis that is not ours to throw away. */
async function removeKeys(url: string, run: string): Promise<void> {
  const redis = new Redis(url);
  try {
    let cursor = "0";
    do {
      const [next, keys] = await redis.scan(cursor, "MATCH", `*test-${run}-*`, "COUNT", 1_000);
      if (keys.length > 0) await redis.unlink(...keys);
      cursor = next;
    } while (cursor !== "0");
  } finally {
    redis.disconnect();
  }
}

function withCause(error: Error): string {
  return error.cause instanceof Error ? `${error.message}\n  because: ${error.cause.message}` : error.message;
}
