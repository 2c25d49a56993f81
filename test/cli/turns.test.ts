/** What several commands on one data directory say and do, where each has to wait for the others. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { run } from "../../src/cli/program.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { lockDirectory, type Holder } from "../../src/store/postgres/directory-lock.ts";
import { awsVariables } from "../support/pool-stage.ts";
import { onePool, POOL, runCommand } from "./command-run.ts";

const COMMANDS = 8;
const changeOf = (username: string, dataDir: string): readonly string[] => {
  const user = ["--user-pool-id", POOL, "--username", username];
  const change = ["--user-attributes", "Name=nickname,Value=New"];
  return ["admin-update-user-attributes", ...user, ...change, "--data-dir", dataDir];
};
const { signal } = new AbortController();
const lockAs = (dataDir: string, as: Holder) =>
  lockDirectory(dataDir, { as, waitsFor: [], withinMs: 0, signal, onWait: () => undefined });

test("single commands that are given at once on one data directory all succeed", async (t) => {
  const { pool, directory } = await onePool(t);
  const users = Array.from({ length: COMMANDS }, (_, nth) => `u${nth}`);
  for (const username of users) pool.addUser({ username });
  const said = await Promise.all(users.map((username) => runCommand(changeOf(username, join(directory, "data")))));
  for (const { code, stderr } of said) assert.equal(code, EXIT.done, stderr);
  for (const username of users) assert.equal(pool.user(username)?.attributes["nickname"], "New");
});

test("a command that waits for another says so, and a signal ends it with 130", async (t) => {
  const { directory } = await onePool(t);
  const dataDir = join(directory, "data");
  const lock = await lockAs(dataDir, "command");
  const interrupt = new AbortController();
  let said = "";
  const stderr = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        said += chunk.toString("utf8");
        if (/\d+ seconds at most/.test(said.replaceAll(/\s+/g, " "))) interrupt.abort();
        done();
      },
    }),
    { isTTY: true, columns: 80 },
  );
  const code = await run(changeOf("u0", dataDir), {
    stdin: Readable.from([]),
    stdout: new Writable({ write: (_chunk, _encoding, done) => done() }),
    stderr,
    interrupts: { drain: interrupt.signal, abort: signal },
    environment: { ...awsVariables(), HOME: "/nonexistent" },
  });
  assert.equal(code, EXIT.interrupted);
  assert.match(
    said.replaceAll(/\s+/g, " "),
    /Another poolsync command has the data directory \S+: waiting for it, 60 seconds at most\. .*Interrupted before anything was put\.\s*$/,
  );
  await lock.release();
});

test("what stops or asks does not wait for a run, and nobody waits for a process that lives on", async (t) => {
  const { directory } = await onePool(t);
  const dataDir = join(directory, "data");
  const run = await lockAs(dataDir, "run");
  const paused = await runCommand(["pause", "--reason", "why", "--data-dir", dataDir]);
  assert.equal(paused.code, EXIT.failed);
  assert.match(paused.stderr, /press Ctrl-C in it first/);
  await run.release();
  const living = await lockAs(dataDir, "process");
  const refused = await runCommand(changeOf("u0", dataDir));
  assert.equal(refused.code, EXIT.failed);
  assert.match(refused.stderr, /is in use by another poolsync process: wait until it ends/);
  await living.release();
});
