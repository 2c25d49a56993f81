/** Commands that one process runs for another, over the socket of a data directory: both ends, without an engine. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { requestInput } from "../../src/cli/aws/request-input.ts";
import type { Context } from "../../src/cli/command.ts";
import type { Io } from "../../src/cli/io.ts";
import { run } from "../../src/cli/program.ts";
import { serveCommands } from "../../src/cli/serve-commands.ts";
import { digestOfFile, keyProof } from "../../src/cli/served-command.ts";
import { readConfig } from "../../src/config/config.ts";
import type { WrappedBy } from "../../src/store/namespace-keys.ts";
import { commandHolder, lockDirectory } from "../../src/store/postgres/directory-lock.ts";
import type { Wire } from "../../src/store/postgres/wire.ts";
import { packageVersion } from "../../src/version.ts";
import { until } from "../support/condition.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runCommand } from "./command-run.ts";

const keyOf = (byte: number): string => Buffer.alloc(32, byte).toString("base64");
const LOOK = { isTTY: false };

interface Stage {
  readonly path: string;
  readonly tail: readonly string[];
  close(): Promise<void>;
}

async function serving(
  t: TestContext,
  runIt: Context["run"],
  environment: Readonly<Record<string, string>> = {},
  wrappedBy: WrappedBy = "none",
): Promise<Stage> {
  const directory = await temporaryDirectory();
  const lock = await lockDirectory(directory.path);
  const config = await readConfig({}, { HOME: "/nonexistent", ...environment });
  const served = serveCommands({ config, engine: { serve: (on) => lock.serve(on), wrappedBy } }, runIt);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= served.close();
    return closing;
  };
  t.after(async () => {
    await close();
    await lock.release();
    await directory.remove();
  });
  return { path: directory.path, tail: ["--data-dir", directory.path], close };
}

const print =
  (said: string): Context["run"] =>
  async (_argv, io) => {
    io.stdout.write(said);
    return 0;
  };

async function request(more: Readonly<Record<string, unknown>> = {}) {
  const file = digestOfFile(await readConfig({}, { HOME: "/nonexistent" }));
  const looks = { stdin: LOOK, stdout: LOOK, stderr: LOOK };
  return { version: packageVersion(), argv: ["dead", "list"], files: [], file, ...looks, ...more };
}

/** What comes over a wire until it ends. */
async function heard(wire: Wire): Promise<readonly string[]> {
  const said: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  wire.closed.addEventListener("abort", () => resolve(), { once: true });
  wire.onMessage((message) => void said.push(JSON.stringify(message)));
  if (!wire.closed.aborted) await promise;
  return said;
}

test("files are read where the command is given, in every form, and once", async (t) => {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  const at = (name: string): string => join(directory.path, name);
  execFileSync("sh", ["-c", `mkfifo '${at("pipe")}'`]);
  writeFileSync(at("name"), "By hand");
  writeFileSync(at("pool.json"), JSON.stringify({ UserPoolId: "eu-west-1_A" }));
  const flags = {
    username: `file://${at("pipe")}`,
    userAttributes: [`Name=nickname,Value@=file://${at("name")}`, `Name=name,Value@='file://${at("name")}'`],
    cliInputJson: `file://${at("pool.json")}`,
  };
  const stage = await serving(t, async (_argv, io) => {
    for (const name of ["pipe", "name", "pool.json"]) rmSync(at(name));
    io.stdout.write(JSON.stringify(requestInput(flags, io.readParameter)));
    assert.throws(() => io.readParameter?.("--username", "file:///etc/hostname"), /was not sent with the command/);
    return 0;
  });
  const writer = spawn("sh", ["-c", `printf u1 > '${at("pipe")}'`]);
  t.after(() => writer.kill("SIGKILL"));
  const words = ["--username", flags.username, "--user-attributes", ...flags.userAttributes];
  const said = await runCommand([
    "admin-update-user-attributes",
    ...words,
    "--cli-input-json",
    flags.cliInputJson,
    ...stage.tail,
  ]);
  assert.equal(said.code, 0, said.stderr);
  assert.deepEqual(JSON.parse(said.stdout), {
    UserPoolId: "eu-west-1_A",
    Username: "u1",
    UserAttributes: [
      { Name: "nickname", Value: "By hand" },
      { Name: "name", Value: "By hand" },
    ],
  });
});

test("where the keys are wrapped, a command is run for who has the key that wraps them, and for nobody else", async (t) => {
  const there = { POOLSYNC_KEY: keyOf(1), POOLSYNC_KEY_PREVIOUS: keyOf(2) };
  const stages = {
    key: await serving(t, print("done\n"), there, "key"),
    "previous key": await serving(t, print("done\n"), there, "previous key"),
  };
  const ask = async (by: keyof typeof stages, environment: Readonly<Record<string, string>>) => {
    const { code, stdout, stderr } = await runCommand(["dead", "list", ...stages[by].tail], { environment });
    return `${code} ${stdout}${stderr}`;
  };
  assert.equal(await ask("key", { POOLSYNC_KEY: keyOf(1) }), "0 done\n");
  assert.equal(await ask("key", { POOLSYNC_KEY: keyOf(3), POOLSYNC_KEY_PREVIOUS: keyOf(1) }), "0 done\n");
  assert.match(await ask("key", { POOLSYNC_KEY: keyOf(2) }), /^64 .*another POOLSYNC_KEY than this command/);
  assert.match(await ask("key", {}), /^64 .*works with a POOLSYNC_KEY, and none is set here/);
  assert.equal(await ask("previous key", { POOLSYNC_KEY: keyOf(2) }), "0 done\n");
  assert.match(await ask("previous key", { POOLSYNC_KEY: keyOf(1) }), /^64 /);
});

test("a proof is of one command on one connection", async (t) => {
  let runs = 0;
  const counting: Context["run"] = async () => {
    runs += 1;
    return 0;
  };
  const stage = await serving(t, counting, { POOLSYNC_KEY: keyOf(1) }, "key");
  const connect = async (asked: unknown): Promise<Wire> => {
    const wire = await commandHolder(stage.path, asked);
    assert.ok(wire);
    return wire;
  };
  const list = await request();
  const nonces: string[] = [];
  const answering = async (asked: unknown, proofs: (nonce: string) => readonly string[]): Promise<string> => {
    const wire = await connect(asked);
    wire.onMessage((message) => {
      const [, nonce] = /^\{"nonce":"(.*)"\}$/.exec(JSON.stringify(message)) ?? [];
      if (nonce === undefined) return;
      nonces.push(nonce);
      wire.send({ proofs: proofs(nonce) });
    });
    return (await heard(wire)).join(" ");
  };
  const own = (nonce: string, asked: unknown): string => keyProof(Buffer.alloc(32, 1), nonce, asked);
  const discard = { ...list, argv: ["dead", "discard", "--all"] };
  assert.match(await answering(discard, (nonce) => [own(nonce, list)]), /"kind":"wrong-key"/);
  assert.match(await answering(list, () => [own(nonces[0] ?? "", list)]), /"kind":"wrong-key"/);
  assert.match(await answering(list, () => ["", "x"]), /"kind":"wrong-key"/);
  assert.equal(runs, 0);
  assert.match(await answering(list, (nonce) => ["x", own(nonce, list)]), /"exit":0/);
  assert.equal(runs, 1);
  const silent = await connect(list);
  await stage.close();
  assert.doesNotMatch((await heard(silent)).join(" "), /accepted/, "it waits for no proof once it is to end");
});

test("the end of what is typed is the end of it there, too", async (t) => {
  const stage = await serving(t, async (_argv, io) => {
    io.stdout.write(await text(io.stdin));
    return 130;
  });
  const parts: string[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const collected = new Writable({ write: (chunk, _encoding, done) => (parts.push(String(chunk)), done()) });
  stdin.write("not y");
  stdin.end();
  const code = await run(["dead", "list", ...stage.tail], asked(stdin, collected));
  assert.deepEqual([code, parts.join("")], [130, "not y"]);
});

function asked(stdin: Io["stdin"], stdout: Io["stdout"]): Io {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const signal = new AbortController().signal;
  const environment = { HOME: "/nonexistent", POOLSYNC_LOG_LEVEL: "silent" };
  return { stdin, stdout, stderr: nowhere, interrupts: { drain: signal, abort: signal }, environment };
}

test("who reads slowly gets all of it, and the end after it", async (t) => {
  const long = "long 👋 line\n".repeat(100_000);
  let hasLeft = false;
  const stage = await serving(t, async (_argv, io) => {
    io.stdout.write(long, () => (hasLeft = true));
    return 2;
  });
  const parts: string[] = [];
  const waiting: (() => void)[] = [];
  let isSlow = true;
  const slow = new Writable({
    write(chunk, _encoding, done) {
      parts.push(String(chunk));
      if (isSlow) waiting.push(done);
      else done();
    },
  });
  const code = run(["dead", "list", ...stage.tail], asked(new PassThrough(), slow));
  await until("it stands still", () => waiting.length > 0);
  // A second command goes its way meanwhile.
  assert.equal((await runCommand(["dead", "list", ...stage.tail])).code, 2);
  assert.equal(slow.writableLength < long.length, true);
  isSlow = false;
  waiting.forEach((go) => go());
  assert.equal(await code, 2);
  assert.equal(hasLeft, true);
  assert.equal(parts.join("") === long, true);
});

for (const [first, next, parts] of [
  [70_000_000, 10, 1],
  [60_000_000, 10_000_000, 10],
] as const) {
  test(`askers that stand still fill no memory: beyond a bound nothing is printed for others (${parts} at a time)`, async (t) => {
    let length: number = first;
    let printed = 0;
    const stage = await serving(t, async (_argv, io) => {
      for (let part = 0; part < parts; part += 1) io.stdout.write("x".repeat(length / parts));
      printed += 1;
      return 0;
    });
    const still = await commandHolder(stage.path, await request());
    assert.ok(still);
    still.pause();
    await until("its output waits", () => printed === 1);
    length = next;
    const refused = await runCommand(["dead", "list", ...stage.tail]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /What other commands have printed waits to be read/);
    still.end();
    still.resume();
    await until("what waited is gone", async () => (await runCommand(["dead", "list", ...stage.tail])).code === 0);
    length = 5_000_000;
    const before = printed;
    const last = await commandHolder(stage.path, await request());
    assert.ok(last);
    last.pause();
    await until("its output waits", () => printed > before);
    // Whoever stands still does not keep the process from ending.
    await stage.close();
  });
}
