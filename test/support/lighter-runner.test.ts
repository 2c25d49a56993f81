import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "./temporary-directory.ts";

const TESTS = `
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
const ran = [];
describe("a suite", () => {
  beforeEach(() => ran.push("hook"));
  test("has its own hooks", async () => {
    await new Promise(setImmediate);
    assert.deepEqual(ran, ["hook"]);
  });
});
describe("another", () => {
  test("has none", () => assert.deepEqual(ran, ["hook"]));
});
test("no promise is followed", () => {
  const followed = Object.getOwnPropertySymbols(Promise.resolve());
  assert.deepEqual(followed, []);
});
`;

const CAUGHT_BY_NOBODY = `
test("passes by itself", () => void Promise.reject(new Error("rejected")));
test("passes as well", async () => {
  await new Promise(setImmediate);
  const { promise, resolve } = Promise.withResolvers();
  setTimeout(() => {
    setImmediate(resolve);
    throw new Error("thrown");
  });
  await promise;
});
`;

test("a whole run's tests have their own hooks, and what nobody catches fails its file and says where it was thrown", async (t) => {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  const run = async (name: string, tests: string) => {
    const file = join(directory.path, name);
    await writeFile(file, tests);
    const lighter = import.meta.resolve("./lighter-runner.ts");
    const args = ["--test", "--test-reporter=tap", `--import=${lighter}`, file];
    return spawnSync(process.execPath, args, { encoding: "utf8", env: {} });
  };
  const passed = await run("passing.test.mjs", TESTS);
  assert.equal(passed.status, 0, passed.stdout);
  const { status, stdout } = await run("errors.test.mjs", TESTS + CAUGHT_BY_NOBODY);
  assert.equal(status, 1, stdout);
  for (const said of ["rejected", "thrown"]) {
    assert.match(stdout, new RegExp(`Error: ${said}\\n# +at .*errors\\.test\\.mjs:\\d+`), stdout);
  }
});
