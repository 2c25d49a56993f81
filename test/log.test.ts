import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "../src/log.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

test("a log line has the name of its level, and of a foreign error no message", async () => {
  const directory = await temporaryDirectory();
  const path = join(directory.path, "log");
  const fd = openSync(path, "a");
  const log = createLog("info", fd);
  log.debug({}, "not shown");
  log.warn({ err: new TypeError("jane@example.com") }, "shown");
  closeSync(fd);
  const { time, ...line } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  assert.equal(typeof time, "string");
  assert.deepEqual(line, { level: "warn", err: { name: "TypeError" }, msg: "shown" });
  await directory.remove();
});
