import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

// What a test file needs is what it imports, itself or by what it imports: nobody keeps a list.

/** Packages that open a connection, a store or a queue. What `@smithy/core` gives reads files at most. */
const PACKAGES = /^(bullmq|ioredis|undici|testcontainers|@electric-sql\/.*|@aws-sdk\/.*|@smithy\/undici-http-handler)$/;
const BUILTINS = /^node:(child_process|cluster|dgram|dns|http|http2|https|net|tls|worker_threads)(\/.*)?$/;

/** What searches random or simulated cases takes many seconds, which an inner loop does not have. */
const SEARCHING = /^fast-check$|\/bench\//;

const REDIS = join(import.meta.dirname, "redis.ts");
const MADE_DIRECTORY = join(import.meta.dirname, "made-directory.ts");

export interface TestNeeds {
  readonly redis: boolean;
  /** The data directory that is made once for all tests. */
  readonly dataDirectory: boolean;
  /** Neither Redis, engine, emulator, another process nor the network, and no search of random or simulated cases. */
  readonly isUnit: boolean;
}

/** Whether a module runs outside of the test's process, or reaches out of it: no unit test loads it. */
export function isOutside(specifier: string): boolean {
  return PACKAGES.test(specifier) || BUILTINS.test(specifier);
}

/** What the test file at this path needs; paths are absolute. */
export function needsOf(file: string): TestNeeds {
  const files = new Set([file]);
  let outside = false;
  let searches = false;
  // A set hands out what is added to it on the way.
  for (const path of files) {
    for (const specifier of importsOf(path)) {
      if (isOutside(specifier)) outside = true;
      if (SEARCHING.test(specifier)) searches = true;
      const target = join(dirname(path), specifier);
      if (specifier.startsWith(".") && existsSync(target)) files.add(target);
    }
  }
  const redis = files.has(REDIS);
  return { redis, dataDirectory: files.has(MADE_DIRECTORY), isUnit: !outside && !searches && !redis };
}

/** The modules that a file loads, and the files that it names as modules, such as a script that it starts. */
function importsOf(path: string): readonly string[] {
  const known = imports.get(path);
  if (known) return known;
  const text = path.endsWith(".ts") ? readFileSync(path, "utf8") : "";
  const found = [STATEMENT, CALL].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, specifier = ""]) => specifier),
  );
  imports.set(path, found);
  return found;
}

const imports = new Map<string, readonly string[]>();

/** Types are erased. A test that holds an import in a string has it within a line. */
const STATEMENT = /^(?:import|export)\b(?! type\b)(?:[^"';]*\bfrom)?\s*"([^"]+)"/gm;
const CALL = /\bimport(?:\.meta\.resolve)?\(\s*"([^"]+)"/g;
