import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "./temporary-directory.ts";

const CAUGHT_BY_NOBODY = `
import { test } from "node:test";
test("passes by itself", () => void Promise.reject(new Error("rejected")));
test("passes as well", async () => {
  const { promise, resolve } = Promise.withResolvers();
  setTimeout(() => {
    setImmediate(resolve);
    throw new Error("thrown");
  });
  await promise;
});
`;

test("an error that nobody catches fails its file in a whole run too, and it is said where it was thrown", async (t) => {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  const file = join(directory.path, "errors.test.mjs");
  await writeFile(file, CAUGHT_BY_NOBODY);
  const lighter = import.meta.resolve("./lighter-runner.ts");
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=tap", `--import=${lighter}`, file],
    { encoding: "utf8", env: {} },
  );
  assert.equal(status, 1, stdout);
  assert.match(stdout, /^# pass 2\n# fail 1$/m);
  for (const said of ["rejected", "thrown"]) {
    assert.match(stdout, new RegExp(`Error: ${said}\\n# +at .*errors\\.test\\.mjs:\\d+`), stdout);
  }
});
