/**
 * What the embedded engine takes of memory. Most of it would be V8's optimising compiler at work on PGlite, which is
 * kept off by flags that Node's documentation calls unpredictable after the start: so it is measured.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { emulatorWith, POOL } from "../cli/command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";

const BOUND_MB = 300;
const ROOT = join(import.meta.dirname, "../..");
/** Says at the end of the process what it took at most. */
const TELL = `data:text/javascript,process.on("exit",()=>console.error("peak "+process.resourceUsage().maxRSS))`;

test(`a sync in a data directory that is there takes less than ${BOUND_MB} MB`, async (t) => {
  const emulator = await emulatorWith(2);
  t.after(() => emulator.close());
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  putMadeDirectory(join(directory.path, "data"));
  const file = join(directory.path, "users.csv");
  const environment = {
    ...AWS_ENVIRONMENT,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_LOG_LEVEL: "silent",
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
  };

  const sync = async (name: string): Promise<number> => {
    await writeFile(file, `username,given_name\nu0,${name}\nu1,${name}\n`);
    const words = ["sync", file, "--user-pool-id", POOL, "--data-dir", join(directory.path, "data"), "--json"];
    const { stderr } = await promisify(execFile)(
      process.execPath,
      ["--import", TELL, join(ROOT, "bin/poolsync.js"), ...words],
      { env: environment },
    );
    return Number(/^peak (\d+)$/m.exec(stderr)?.[1]) / 1024;
  };

  await sync("New");
  const peakMb = await sync("Newer");
  assert.ok(peakMb < BOUND_MB, `took ${Math.round(peakMb)} MB`);
  assert.equal(emulator.pools.get(POOL)?.user("u1")?.attributes["given_name"], "Newer");
});
