import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { z } from "zod";

// The linter's rules are only worth what they refuse: each line here is a file that it must, or must not, refuse.

const IMPORTS = "no-restricted-imports";
const PROPERTIES = "no-restricted-properties";

const refused: [file: string, rule: string, text: string][] = [
  ["src/core/upward.ts", IMPORTS, 'export { a } from "../store/mailboxes.ts";'],
  ["src/core/io.ts", IMPORTS, 'export { readFile } from "node:fs/promises";'],
  ["src/core/queue.ts", IMPORTS, 'export type { Job } from "bullmq";'],
  ["src/core/clock.ts", PROPERTIES, "export const now = (): number => Date.now();"],
  ["src/core/timer.ts", "no-restricted-globals", "export const timer = setTimeout(() => undefined, 1);"],
  ["src/core/logging.ts", IMPORTS, 'export type { Logger } from "../log.ts";'],
  ["src/store/upward.ts", IMPORTS, 'export { a } from "../feeds/csv.ts";'],
  ["src/store/redis/deep.ts", IMPORTS, 'export { a } from "../../delivery/pool.ts";'],
  ["src/store/redis/upward.ts", IMPORTS, 'export { a } from "../../queues/producer.ts";'],
  ["src/store/redis/lite.ts", IMPORTS, 'export { PGlite } from "@electric-sql/pglite";'],
  ["src/store/postgres/redis.ts", IMPORTS, 'export { Redis } from "ioredis";'],
  ["src/feeds/upward.ts", IMPORTS, 'export { a } from "../cognito/client.ts";'],
  ["src/cognito/upward.ts", IMPORTS, 'import type { A } from "../queues/pool.ts";\nexport type B = A;'],
  ["src/cognito/queue.ts", IMPORTS, 'export { Queue } from "bullmq";'],
  ["src/feeds/global.ts", "no-restricted-globals", 'export const answer = fetch("https://example.com");'],
  ["src/cli/web.ts", IMPORTS, 'export { request } from "undici";'],
  ["src/queues/upward.ts", IMPORTS, 'export { a } from "../http/health.ts";'],
  ["src/queues/plans.ts", IMPORTS, 'export { a } from "../plan/plan.ts";'],
  ["src/queues/deliveries.ts", IMPORTS, 'import type { A } from "../delivery/pool.ts";\nexport type B = A;'],
  ["src/queues/cognito.ts", IMPORTS, 'export { a } from "../cognito/client.ts";'],
  ["src/delivery/queue.ts", IMPORTS, 'export { DelayedError } from "bullmq";'],
  ["src/delivery/settings.ts", IMPORTS, 'export { a } from "../config/config.ts";'],
  ["src/delivery/upward.ts", IMPORTS, 'export { a } from "../app/opening.ts";'],
  ["src/plan/use-case.ts", IMPORTS, 'export { a } from "../app/opening.ts";'],
  ["src/config/upward.ts", IMPORTS, 'export { a } from "../delivery/pool.ts";'],
  ["src/app/runs/terminal.ts", IMPORTS, 'import type { A } from "../../cli/io.ts";\nexport type B = A;'],
  ["src/app/runs/shown.ts", IMPORTS, 'export { a } from "../../views/table.ts";'],
  ["src/app/runs/commander.ts", IMPORTS, 'export { Command } from "commander";'],
  ["src/app/ending.ts", PROPERTIES, "process.exitCode = 1;"],
  ["src/app/printing.ts", PROPERTIES, 'process.stderr.write("");'],
  ["src/views/terminal.ts", IMPORTS, 'export { a } from "../cli/io.ts";'],
  ["src/views/store.ts", IMPORTS, 'export { a } from "../cognito/client.ts";'],
  ["src/http/use-case.ts", IMPORTS, 'export { a } from "../app/opening.ts";'],
  ["src/plan/upward.ts", IMPORTS, 'export { a } from "../cli/main.ts";'],
  ["src/queues/sdk.ts", IMPORTS, 'export { NodeHttpHandler } from "@smithy/node-http-handler";'],
  ["src/app/web.ts", IMPORTS, 'export { Hono } from "hono";'],
  ["src/app/listening.ts", IMPORTS, 'export { a } from "../ingest/ingest-server.ts";'],
  ["src/cli/listening.ts", IMPORTS, 'export { a } from "../ingest/ingest-server.ts";'],
  ["src/ingest/terminal.ts", IMPORTS, 'export { a } from "../cli/io.ts";'],
  ["src/http/upward.ts", IMPORTS, 'export { a } from "../cli/main.ts";'],
  ["src/http/printing.ts", PROPERTIES, 'process.stdout.write("");'],
  ["src/http/console.ts", "no-console", 'console.log("");'],
  ["src/http/ending.ts", PROPERTIES, "process.exit(1);"],
  ["src/cli/sdk.ts", IMPORTS, 'export { a } from "@aws-sdk/client-cognito-identity-provider";'],
  ["src/cli/environment.ts", PROPERTIES, "export const home = process.env.HOME;"],
  ["src/cli/face.ts", IMPORTS, 'export { a } from "../index.ts";'],
  ["src/emulator/operations/upward.ts", IMPORTS, 'export { a } from "../../store/keyring.ts";'],
  ["src/emulator/settings.ts", IMPORTS, 'export { a } from "../config/config.ts";'],
  ["src/log.ts", IMPORTS, 'export { a } from "./store/keyring.ts";'],
  ["src/exit-codes.ts", IMPORTS, 'export { a } from "./app/app-error.ts";'],
  ["src/index.ts", IMPORTS, 'export { a } from "./cli/io.ts";'],
  ["src/testing.ts", IMPORTS, 'export { a } from "../test/support/redis.ts";'],
  ["workers/environment.ts", PROPERTIES, "export const home = process.env.HOME;"],
  ["workers/terminal.ts", IMPORTS, 'export { a } from "../src/cli/io.ts";'],
  ["demo/terminal.ts", IMPORTS, 'export { a } from "../src/cli/io.ts";'],
  ["workers/queue.ts", IMPORTS, 'export { Worker } from "bullmq";'],
  ["src/core/cycle.ts", "no-cycle", 'export { b } from "./cycle-back.ts";\nexport const c = 1;'],
  ["src/core/default.ts", "no-default-export", "export default 1;"],
  ["src/core/loose.ts", "no-explicit-any", "export const f = (a: any): number => (a ? 1 : 2);"],
  ["src/core/sure.ts", "no-non-null-assertion", "export const f = (a?: string): string => a!;"],
  ["src/core/type.ts", "consistent-type-imports", 'import { A } from "./allowed.ts";\nexport type B = A;'],
  ["src/core/floating.ts", "no-floating-promises", "export function f(p: Promise<void>): void {\n  p;\n}"],
  ["src/core/awaiting.ts", "await-thenable", "export const f = async (): Promise<number> => await 1;"],
  [
    "src/core/parsed.ts",
    "no-unsafe-type-assertion",
    "export const f = (t: string): number => JSON.parse(t) as number;",
  ],
  ["src/core/misused.ts", "no-misused-promises", "export const f = (p: Promise<void>): number => (p ? 1 : 2);"],
];

const accepted: [file: string, text: string][] = [
  ["src/core/allowed.ts", "export interface A {\n  readonly b: string;\n}"],
  ["src/core/cycle-back.ts", 'export { c as b } from "./cycle.ts";'],
  ["src/store/redis/allowed.ts", 'export type { A } from "../../core/allowed.ts";\nexport { Redis } from "ioredis";'],
  ["src/queues/allowed.ts", 'export { Queue } from "bullmq";\nexport { Redis as R } from "../store/redis/allowed.ts";'],
  ["src/cli/allowed.ts", 'export { Queue } from "../queues/allowed.ts";\nconsole.log("");\nprocess.stdout.write("");'],
  // The entry hands over what no command may know.
  ["src/cli/main.ts", 'export { Hono } from "../ingest/allowed.ts";'],
  ["src/config/config.ts", "export const home = process.env.HOME;"],
  ["src/lifecycle.ts", "process.exit(1);"],
  ["src/delivery/allowed.ts", 'export { Queue } from "../queues/allowed.ts";'],
  ["src/app/runs/allowed.ts", 'export { Queue } from "../../delivery/allowed.ts";'],
  ["src/views/allowed.ts", 'export { Queue } from "../app/runs/allowed.ts";'],
  ["src/ingest/allowed.ts", 'export { Hono } from "hono";\nexport { Queue } from "../app/runs/allowed.ts";'],
  ["src/plan/allowed.ts", 'export { Redis as R } from "../queues/allowed.ts";'],
  ["workers/allowed.ts", 'export { Queue } from "../src/queues/allowed.ts";'],
];

const Report = z.object({ diagnostics: z.array(z.object({ code: z.string(), filename: z.string() })) });

describe("the linter", () => {
  const root = dirname(import.meta.dirname);
  const copy = mkdtempSync(join(tmpdir(), "poolsync-rooms-"));
  after(() => rmSync(copy, { recursive: true, force: true }));

  for (const file of ["oxlint.config.ts", "tsconfig.json", "package.json"])
    copyFileSync(join(root, file), join(copy, file));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  for (const [file, text] of [...refused.map(([file, , text]) => [file, text] as const), ...accepted]) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), `${text}\n`);
  }
  const oxlint = join(root, "node_modules", "oxlint", "bin", "oxlint");
  const run = spawnSync(process.execPath, [oxlint, "-f", "json", "src", "workers", "demo"], {
    cwd: copy,
    encoding: "utf8",
  });
  const report = Report.safeParse(parsed(run.stdout));

  test("reads its configuration and every file", () => {
    assert.ok(report.success, `${run.stdout}\n${run.stderr}`);
  });
  const found = report.data?.diagnostics ?? [];
  const rulesOf = (file: string): string[] =>
    found.filter(({ filename }) => filename.endsWith(file)).map(({ code }) => /\((.*)\)/.exec(code)?.[1] ?? code);

  for (const [file, rule] of refused) {
    test(`refuses ${file} by ${rule}`, () => assert.ok(rulesOf(file).includes(rule), `found ${rulesOf(file).join()}`));
  }
  for (const [file] of accepted.filter(([file]) => !file.includes("cycle"))) {
    test(`accepts the imports of ${file}`, () => {
      const about = [IMPORTS, PROPERTIES, "no-console", "no-restricted-globals"];
      assert.deepEqual(
        rulesOf(file).filter((rule) => about.includes(rule)),
        [],
      );
    });
  }
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The text is shown by the test that expects a report.
    return undefined;
  }
}

describe("the files of src", () => {
  // The linter's rule passes over imports of types.
  test("import each other in no circle, types included", () => {
    const root = dirname(import.meta.dirname);
    const circles = findCircles(importsBelow(join(root, "src")));
    const named = circles.map((circle) => circle.map((file) => relative(root, file)));
    assert.deepEqual(
      named.map((circle) => circle.join(" -> ")),
      [],
      "Expected no circle of imports",
    );
  });

  test("are told where they do", () => {
    const imports = new Map([
      ["a", ["b"]],
      ["b", ["c", "d"]],
      ["c", []],
      ["d", ["b"]],
    ]);
    assert.deepEqual(findCircles(imports), [["b", "d", "b"]]);
  });
});

function importsBelow(directory: string): ReadonlyMap<string, readonly string[]> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  return new Map(
    files.map((file) => {
      const path = join(directory, file);
      const specifiers = readFileSync(path, "utf8").matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
      return [path, Array.from(specifiers, ([, specifier = ""]) => resolve(dirname(path), specifier))];
    }),
  );
}

/** Circles, each closed by its first file: one at least of any files that import each other. */
function findCircles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  function walk(file: string, way: readonly string[]): void {
    const begin = way.indexOf(file);
    if (begin >= 0) circles.push([...way.slice(begin), file]);
    if (begin >= 0 || done.has(file)) return;
    for (const imported of imports.get(file) ?? []) walk(imported, [...way, file]);
    done.add(file);
  }
  for (const file of imports.keys()) walk(file, []);
  return circles;
}
