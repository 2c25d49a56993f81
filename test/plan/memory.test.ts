/**
 * A plan takes no more memory for many rows of one user than for as many of as many users, and counts each of them; a
 * plan file takes as much however long it is.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** More than a call can have arguments on a stack of `STACK_KB`, which is what a list of them must not be spread into. */
const ROWS = 30_000;
const STACK_KB = 200;
/** What is not held any more is given back at once: rows that are held show, though they are not many. */
const GIVES_BACK = "--max-semi-space-size=1";
/** What two processes that do the same differ by, and a fifth of what these rows take where they are held. */
const ROWS_LEEWAY_MB = 8;
/** Each is compared with those who want the same, of whom there must be no walk for each. */
const CLAIMS = 40_000;
/** Of two kilobytes each, so that all of them would be seen. */
const FILE_ROWS = 40_000;
/** A tenth of what the values of all of them take. */
const FILE_LEEWAY_MB = 40;

const told = z.object({
  rows: z.number(),
  deeds: z.record(z.string(), z.record(z.string(), z.number())),
  invalid: z.record(z.string(), z.number()),
  maxRssMb: z.number(),
});

const toldOfFile = told.pick({ rows: true, maxRssMb: true });

describe("a plan of many rows", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(() => directory.remove());

  async function planOf(users: "one" | "many", values: "equal" | "differ" | "alias", rows = ROWS) {
    const child = fileURLToPath(import.meta.resolve("./peak-of-plan.ts"));
    const args = [GIVES_BACK, `--stack-size=${STACK_KB}`, child, directory.path, users, String(rows), values];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return told.parse(JSON.parse(stdout));
  }

  test("takes as much memory of one user as of many", async () => {
    const many = await planOf("many", "equal");
    assert.deepEqual([many.rows, many.deeds["given_name"]?.["change"]], [ROWS, ROWS]);
    const equal = await planOf("one", "equal");
    const { change, superseded } = equal.deeds["given_name"] ?? {};
    assert.deepEqual([equal.rows, change, superseded], [ROWS, 1, ROWS - 1]);
    const differ = await planOf("one", "differ");
    assert.deepEqual([differ.rows, differ.invalid], [ROWS, { "rows-disagree": ROWS }]);
    for (const one of [equal, differ]) {
      assert.ok(
        one.maxRssMb < many.maxRssMb + ROWS_LEEWAY_MB,
        `took ${one.maxRssMb} MB, and of many ${many.maxRssMb} MB`,
      );
    }
  });

  test("takes as much memory as one of few rows where it is read from a file", async () => {
    const child = fileURLToPath(import.meta.resolve("./peak-of-plan-file.ts"));
    const peak = async (rows: number) => {
      // What is not held any more is given back at once.
      const args = ["--max-semi-space-size=2", child, directory.path, String(rows)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return toldOfFile.parse(JSON.parse(stdout));
    };
    const few = await peak(100);
    const many = await peak(FILE_ROWS);
    assert.equal(many.rows, FILE_ROWS);
    assert.ok(many.maxRssMb < few.maxRssMb + FILE_LEEWAY_MB, `took ${many.maxRssMb} MB, and of few ${few.maxRssMb} MB`);
  });

  test("judges an address that everybody wants, and one that one user wants in every row", async () => {
    const many = await planOf("many", "alias", CLAIMS);
    assert.deepEqual(many.invalid, { "alias-wanted-twice": CLAIMS });
    const one = await planOf("one", "alias", CLAIMS);
    assert.deepEqual(one.invalid, {});
    assert.equal(one.deeds["email"]?.["superseded"], CLAIMS - 1);
  });
});
