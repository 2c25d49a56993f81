import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const MODULE = new URL("../src/log.ts", import.meta.url).href;
const UNTIL_WARNING = 1001;

/** A process with two logs that writes lines in one turn, and to stdout how many of them were written by the warning. */
const program = (file: string, end: string): string => `
import { readFileSync } from "node:fs";
import { createLog } from ${JSON.stringify(MODULE)};
const [one, other] = [createLog("info"), createLog("info")];
const said = () => readFileSync(${JSON.stringify(file)}, "utf8").split("\\n").length - 1;
for (let nth = 1; nth < ${UNTIL_WARNING}; nth += 1) (nth % 2 ? one : other).info({ nth }, "line");
one.warn({ nth: ${UNTIL_WARNING} }, "line");
process.stdout.write(String(said()));
other.info({ nth: ${UNTIL_WARNING + 1} }, "line");
${end}`;

for (const [how, end, code] of [
  ["ends", `setImmediate(() => one.info({ nth: ${UNTIL_WARNING + 2} }, "line"))`, 0],
  ["exits", `process.exit(3)`, 3],
  ["fails", `throw new Error("it failed")`, 1],
] as const) {
  test(`a process that ${how} has written every line, in order, and a warning before it went on`, async () => {
    const directory = await temporaryDirectory();
    const file = join(directory.path, "log");
    const fd = openSync(file, "w");
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program(file, end)], {
      stdio: ["ignore", "pipe", fd],
      encoding: "utf8",
    });
    closeSync(fd);
    assert.deepEqual([status, stdout], [code, String(UNTIL_WARNING)]);
    const lines = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => (JSON.parse(line) as { nth: number }).nth);
    const count = UNTIL_WARNING + (how === "ends" ? 2 : 1);
    assert.deepEqual(
      lines,
      Array.from({ length: count }, (_, at) => at + 1),
    );
    await directory.remove();
  });
}
