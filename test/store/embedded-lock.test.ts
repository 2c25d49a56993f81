import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { askHolder, lockDirectory, type DirectoryTurn } from "../../src/store/postgres/directory-lock.ts";
import { StoreError } from "../../src/store/store-error.ts";

const LOCK = new URL("../../src/store/postgres/directory-lock.ts", import.meta.url).href;
/** Waits for a line, tries to take the lock, says what came of it, and keeps it until it is killed. */
const RIVAL = `
  const { lockDirectory } = await import(${JSON.stringify(LOCK)});
  console.log("ready");
  process.stdin.once("data", async () => {
    try {
      const lock = await lockDirectory(process.argv[1]);
      lock.answer(async () => ({ pid: process.pid }));
      console.log("held");
    } catch (error) {
      console.log(error.kind ?? error.stack);
    }
  });
`;

interface Rival {
  readonly process: ChildProcess;
  go(): void;
  next(): Promise<string>;
}

function startRival(directory: string): Rival {
  const rival = spawn(process.execPath, ["--input-type=module", "--eval", RIVAL, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: rival.stdout })[Symbol.asyncIterator]();
  return {
    process: rival,
    go: () => void rival.stdin.write("go\n"),
    next: async () => String((await lines.next()).value),
  };
}

async function killRival({ process: rival }: Rival): Promise<void> {
  const ended = once(rival, "exit");
  rival.kill("SIGKILL");
  await ended;
}

function isInUse(error: unknown): boolean {
  return error instanceof StoreError && error.kind === "in-use" && /--data-dir/.test(error.message);
}

/** `waits` resolves when the process begins to wait. */
function newTurn(given: Partial<DirectoryTurn> = {}) {
  const { promise: waits, resolve } = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const turn: DirectoryTurn = {
    as: "command",
    waitsFor: ["command"],
    withinMs: 300_000,
    signal,
    onWait: resolve,
    ...given,
  };
  return { turn, waits };
}

describe("the lock of a data directory", () => {
  let root: string;
  const fresh = () => mkdtemp(join(root, "d-"));
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "poolsync-lock-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  test("a directory that is held is refused, and is free again after the release", async () => {
    const directory = await fresh();
    const lock = await lockDirectory(directory);
    await assert.rejects(lockDirectory(directory), isInUse);
    await lock.release();
    const again = await lockDirectory(directory);
    await again.release();
  });

  test("the holder answers how it stands; nobody answers for a free directory", async () => {
    const directory = await fresh();
    assert.equal(await askHolder(directory), undefined);
    const lock = await lockDirectory(directory);
    assert.deepEqual(await askHolder(directory), { status: {} });
    lock.answer(async () => ({ due: 3, text: "ü" }));
    assert.deepEqual(await askHolder(directory), { status: { due: 3, text: "ü" } });
    await lock.release();
    assert.equal(await askHolder(directory), undefined);
  });

  test("a holder whose status fails is said to give no answer", async () => {
    const directory = await fresh();
    const lock = await lockDirectory(directory);
    lock.answer(() => Promise.reject(new Error("no")));
    await assert.rejects(askHolder(directory), (error) => error instanceof StoreError && error.kind === "in-use");
    await lock.release();
  });

  test("a path too long for a socket is locked all the same", async () => {
    const directory = join(await fresh(), "x".repeat(120), "y");
    await mkdir(directory, { recursive: true });
    const lock = await lockDirectory(directory);
    await assert.rejects(lockDirectory(directory), isInUse);
    lock.answer(async () => "here");
    assert.deepEqual(await askHolder(directory), { status: "here" });
    await lock.release();
    assert.deepEqual(await readdir(directory), ["lock.1.sock"]);
  });

  test("a process that was killed leaves the directory free", async () => {
    const directory = await fresh();
    const rival = startRival(directory);
    await rival.next();
    rival.go();
    assert.equal(await rival.next(), "held");
    await assert.rejects(lockDirectory(directory), isInUse);
    assert.deepEqual(await askHolder(directory), { status: { pid: rival.process.pid } });
    const { turn, waits } = newTurn({ waitsFor: ["process"] });
    const next = lockDirectory(directory, turn);
    await waits;
    await killRival(rival);
    const lock = await next;
    await lock.release();
    assert.equal((await readdir(directory)).length, 1, "what is left of older locks is taken away");
  });

  test("of processes that race for what a killed one left, exactly one wins", async () => {
    const directory = await fresh();
    for (let round = 0; round < 3; round++) {
      const rivals = Array.from({ length: 4 }, () => startRival(directory));
      await Promise.all(rivals.map((rival) => rival.next()));
      for (const rival of rivals) rival.go();
      const said = await Promise.all(rivals.map((rival) => rival.next()));
      assert.deepEqual(said.toSorted(), ["held", "in-use", "in-use", "in-use"]);
      await Promise.all(rivals.map(killRival));
    }
  });

  test("of many in one process that race, exactly one wins, every time", async () => {
    const directory = await fresh();
    for (let round = 0; round < 20; round++) {
      const tries = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(directory)));
      const held = tries.filter((outcome) => outcome.status === "fulfilled");
      assert.equal(held.length, 1);
      for (const outcome of tries)
        assert.ok(outcome.status === "fulfilled" || isInUse(outcome.reason), String(outcome.status));
      await held[0]?.value.release();
    }
  });

  test("commands that wait for one get it one after the other", async () => {
    const directory = await fresh();
    const first = await lockDirectory(directory, newTurn().turn);
    let holders = 1;
    let most = 1;
    const turns = Array.from({ length: 8 }, () => newTurn());
    const others = turns.map(async ({ turn }) => {
      const lock = await lockDirectory(directory, turn);
      most = Math.max(most, ++holders);
      await readdir(directory);
      holders--;
      await lock.release();
    });
    await Promise.all(turns.map(({ waits }) => waits));
    holders--;
    await first.release();
    await Promise.all(others);
    assert.equal(most, 1);
  });

  test("what lives on, or is not waited for, is told at once", async () => {
    const directory = await fresh();
    for (const as of ["process", "run"] as const) {
      const lock = await lockDirectory(directory, newTurn({ as }).turn);
      await assert.rejects(lockDirectory(directory, newTurn().turn), isInUse);
      await lock.release();
    }
  });

  test("a command that does not end in time is not waited for any longer", async () => {
    const directory = await fresh();
    const lock = await lockDirectory(directory, newTurn().turn);
    await assert.rejects(lockDirectory(directory, newTurn({ withinMs: 10 }).turn), (error) => {
      assert.match(String(error), /in use by another poolsync process, which did not end within 0.01 seconds: wait/);
      return isInUse(error);
    });
    await lock.release();
  });

  test("a signal ends the waiting, and leaves the directory as it is", async () => {
    const directory = await fresh();
    const lock = await lockDirectory(directory, newTurn().turn);
    const interrupt = new AbortController();
    const { turn, waits } = newTurn({ signal: interrupt.signal });
    const waiting = lockDirectory(directory, turn);
    const ended = assert.rejects(waiting, (error) => error === interrupt.signal.reason);
    await waits;
    interrupt.abort();
    await ended;
    await assert.rejects(lockDirectory(directory), isInUse);
    await lock.release();
    await (await lockDirectory(directory)).release();
  });
});
