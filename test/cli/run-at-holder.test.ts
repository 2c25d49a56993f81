/** What a command says and does where another process has the data directory, and answers in its place. */
import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test, type TestContext } from "node:test";
import { run } from "../../src/cli/program.ts";
import { lockDirectory, type OnCommand } from "../../src/store/postgres/directory-lock.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runCommand } from "./command-run.ts";

async function holder(t: TestContext, onCommand?: OnCommand): Promise<readonly string[]> {
  const directory = await temporaryDirectory();
  const lock = await lockDirectory(directory.path);
  t.after(async () => {
    await lock.release();
    await directory.remove();
  });
  if (onCommand !== undefined) lock.serve(onCommand);
  return ["--data-dir", directory.path];
}
const LIST = ["dead", "list"];
const USED = /is in use by another poolsync process: wait until it ends/;

test("a process that takes no commands leaves it at the refusal", async (t) => {
  const { code, stderr } = await runCommand([...LIST, ...(await holder(t))]);
  assert.equal(code, 1);
  assert.match(stderr, USED);
});

test("commands that take long, read standard input or say a pace are not handed over", async (t) => {
  let asked = 0;
  const tail = await holder(t, (_request, wire) => {
    asked += 1;
    wire.end();
  });
  const change = ["admin-update-user-attributes", "--user-pool-id", "eu-west-1_A", "--username", "u"];
  for (const words of [
    ["runs", "wait", "r-1"],
    ["dead", "replay", "--kind", "user-not-found"],
    ["undo", "r-1"],
    [...change, "--rate", "1", "--user-attributes", "Name=name,Value=x"],
  ]) {
    const { code, stderr } = await runCommand([...words, ...tail]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, USED, words.join(" "));
  }
  assert.equal(asked, 0);
  assert.match((await runCommand([...LIST, ...tail])).stderr, USED);
  assert.equal(asked, 1);
});

test("what the other process prints is printed, and its exit code is the command's", async (t) => {
  const requests: unknown[] = [];
  const tail = await holder(t, (request, wire) => {
    requests.push(request);
    for (const message of [{ accepted: true }, { out: "a list\n" }, { err: "a warning\n" }, { exit: 2 }])
      wire.send(message);
    wire.end();
  });
  const secret = { POOLSYNC_KEY: Buffer.alloc(32, 7).toString("base64"), AWS_SECRET_ACCESS_KEY: "its-secret" };
  const said = await runCommand([...LIST, ...tail], { environment: secret });
  assert.deepEqual(said, { code: 2, stdout: "a list\n", stderr: "a warning\n" });
  const sent = JSON.stringify(requests);
  assert.match(sent, /"argv":\["dead","list"/);
  assert.doesNotMatch(sent, /BwcHBwcH|its-secret/, "nothing of its environment is sent");
});

test("one of another version, and one that dies in the middle, give one clear error", async (t) => {
  const refusing = await holder(t, (_request, wire) => {
    wire.send({ refused: "It is of version 9." });
    wire.end();
  });
  assert.deepEqual(await runCommand([...LIST, ...refusing]), { code: 1, stdout: "", stderr: "It is of version 9.\n" });
  const dying = await holder(t, (_request, wire) => {
    wire.send({ accepted: true });
    wire.end();
  });
  const { code, stdout } = await runCommand([...LIST, ...dying, "--json"]);
  assert.equal(code, 1);
  assert.match(stdout, /"kind": "holder-ended"/);
  assert.match(stdout, /whether it was carried out is not known/);
});

test("a signal interrupts the command where it runs, and what is typed is read there", async (t) => {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const drain = new AbortController();
  const tail = await holder(t, (_request, wire) => {
    wire.onMessage((message) => {
      if (JSON.stringify(message) === JSON.stringify({ typed: "y\n" })) drain.abort();
      if (JSON.stringify(message) !== JSON.stringify({ interrupted: true })) return;
      wire.send({ exit: 130 });
      wire.end();
    });
    wire.send({ accepted: true });
    stdin.write("y\n");
  });
  const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });
  const code = await run([...LIST, ...tail], {
    stdin,
    stdout: nowhere(),
    stderr: nowhere(),
    interrupts: { drain: drain.signal, abort: new AbortController().signal },
    environment: { HOME: "/nonexistent", POOLSYNC_LOG_LEVEL: "silent" },
  });
  assert.equal(code, 130);
});
