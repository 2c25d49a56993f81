import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { imbalance } from "../../src/core/books.ts";
import { withoutPlace } from "../suites/mailbox-user.ts";
import type { Page } from "../../src/store/mailboxes.ts";
import { askHolder } from "../../src/store/postgres/directory-lock.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { StoreError, type StoreFault } from "../../src/store/store-error.ts";

const POOL = "eu-west-1_Example";
const LEASE_MS = 60_000;

function page(users: readonly string[], units: readonly string[] = ["given_name"]): Page {
  const changes = users.map((user) => ({
    user,
    username: `p:${user}`,
    units: units.map((name) => ({ name, digest: "digest", body: 'p:{"text":"Zoë"}' })),
  }));
  return { pool: POOL, run: "run", priority: 10, changes, invalid: 0, rows: { read: users.length, faulty: 0 } };
}

function isFault(kind: StoreFault, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, words);
    return true;
  };
}

describe("the embedded store's directory", () => {
  let root: string;
  /** One directory, opened again and again: the first time takes seconds. */
  let dataDir: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "poolsync-store-"));
    dataDir = join(root, "data");
  });
  after(() => rm(root, { recursive: true, force: true }));

  const open = () => openEmbeddedStore({ dataDir });
  async function withStore<T>(act: (store: EmbeddedStore) => Promise<T>): Promise<T> {
    const store = await open();
    try {
      return await act(store);
    } finally {
      await store.close();
    }
  }

  test("it is made for its owner alone, and what was put is there when it is opened again", async () => {
    await withStore(async (store) => {
      for (const id of ["run", "killed"]) {
        await store.runs.begin({ id, source: "file", pool: POOL, feed: "feed", identity: "", asOf: 0 });
      }
      await store.mailboxes.put(page(["ann"]));
    });
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
    assert.equal((await stat(join(dataDir, "postgres"))).mode & 0o077, 0);
    await withStore(async (store) => {
      const { mailbox } = await store.mailboxes.read("ann");
      assert.deepEqual(Object.keys(mailbox?.pending ?? {}), ["given_name"]);
      assert.equal((await store.runs.books()).received, 1);
      assert.deepEqual(await store.pools(), [POOL]);
    });
  });

  test("a process that was killed before PostgreSQL's lock file was written leaves a database that opens", async () => {
    await withStore(async (store) => {
      await store.mailboxes.put(page(["pid"]));
    });
    await writeFile(join(dataDir, "postgres", "postmaster.pid"), "");
    await withStore(async (store) => {
      assert.deepEqual(Object.keys((await store.mailboxes.read("pid")).mailbox?.pending ?? {}), ["given_name"]);
    });
  });

  test("one process has it: others are refused, and may ask how it stands", async () => {
    await withStore(async (store) => {
      await assert.rejects(open(), isFault("in-use", /in use by another poolsync process.*--data-dir/));
      store.answer(() => store.runs.books());
      const answer = await askHolder(dataDir);
      assert.deepEqual(answer?.status, await store.runs.books());
    });
    assert.equal(await askHolder(dataDir), undefined);
  });

  test("claims, sweeps and events in hand from before the start are void at once, and such a claim counts as a death", async () => {
    const sweep = { leaseMs: LEASE_MS, offset: 0, limit: 10 };
    const take = { leaseMs: LEASE_MS, limit: 10, maxBytes: 100 };
    await withStore(async (store) => {
      await store.inbox.add([{ id: "event", feed: "hr", body: "b:" }], { entries: 10, bytes: 100 });
      assert.equal((await store.inbox.take("token-1", take)).entries.length, 1);
      await store.mailboxes.put(page(["bob"]));
      assert.equal((await store.mailboxes.claim("bob", "token-1", LEASE_MS)).is, "claimed");
      assert.equal((await store.mailboxes.claim("bob", "token-2", LEASE_MS)).is, "busy");
      await store.mailboxes.sweep(POOL, { holder: "one", ...sweep });
      assert.deepEqual(await store.mailboxes.sweep(POOL, { holder: "two", ...sweep }), []);
    });
    await withStore(async (store) => {
      assert.equal((await store.inbox.take("token-2", take)).entries[0]?.id, "event");
      assert.deepEqual(await store.inbox.done({ token: "token-1", ids: ["event"] }), []);
      const dues = await store.mailboxes.sweep(POOL, { holder: "two", ...sweep });
      assert.ok(dues.some(({ user }) => user === "bob"));
      const answer = await store.mailboxes.claim("bob", "token-3", LEASE_MS);
      assert.ok(answer.is === "claimed");
      const held = answer.units["given_name"];
      assert.equal(held?.deaths, 1);
      assert.ok((await store.mailboxes.settle("bob", "token-1", {}, LEASE_MS)).late);
      const settled = { given_name: { is: "applied", version: held.version } } as const;
      assert.equal((await store.mailboxes.settle("bob", "token-3", settled, LEASE_MS)).late, false);
    });
  });

  test("who is due at once keeps the place that an earlier change has given", async () => {
    let nowMs = Date.now();
    const store = await openEmbeddedStore({ dataDir, now: () => nowMs });
    try {
      const row = async () => {
        const dues = await store.mailboxes.sweep("other", { holder: "h", leaseMs: 1000, offset: 0, limit: 10 });
        return dues.map(({ user }) => user);
      };
      const put = (user: string, unit: string) => store.mailboxes.put({ ...page([user], [unit]), pool: "other" });
      await put("zoe", "given_name");
      nowMs += 1;
      await put("abe", "given_name");
      nowMs += 1;
      await put("zoe", "family_name");
      assert.deepEqual(await row(), ["zoe", "abe"]);
      assert.deepEqual(await store.mailboxes.dueCount("other"), 2);
    } finally {
      await store.close();
    }
  });

  test("text of any kind is kept as it is", async () => {
    await withStore(async (store) => {
      const odd = 'p:\u0000\ud800"\\{},é';
      const body = `p:${JSON.stringify({ text: odd })}`;
      const units = [{ name: "custom:ö\u0001", digest: "d", body }];
      await store.mailboxes.put({ ...page([]), changes: [{ user: "odd", username: odd, units }] });
      const answer = await store.mailboxes.claim("odd", "token", LEASE_MS);
      assert.ok(answer.is === "claimed");
      assert.equal(answer.username, odd);
      const [[name, unit]] = Object.entries(answer.units) as [[string, (typeof answer.units)[string]]];
      assert.equal(unit.body, body);
      const bury = {
        is: "bury",
        version: unit.version,
        letter: "odd-letter",
        kind: "invalid-value",
        reason: odd,
        fateUnknown: false,
      } as const;
      await store.mailboxes.settle("odd", "token", { [name]: bury }, LEASE_MS);
      assert.equal((await store.letters.get("odd-letter"))?.reason, odd);
    });
  });

  test("a process that is killed while it writes loses nothing that it was told is done", async () => {
    const writer = `
      const { openEmbeddedStore } = await import(${JSON.stringify(new URL("../../src/store/postgres/embedded-store.ts", import.meta.url).href)});
      const store = await openEmbeddedStore({ dataDir: process.argv[1] });
      const units = [{ name: "given_name", digest: "d", body: "p:{}" }];
      for (let n = 1; ; n++) {
        const changes = Array.from({ length: 20 }, (_, i) => ({ user: "k" + n + "-" + i, username: "p:k", units }));
        const put = await store.mailboxes.put({ pool: "killed", run: "killed", priority: 10, changes, invalid: 0,
          rows: { read: 20, faulty: 0 }, cursor: { from: n === 1 ? "" : String(n - 1), to: String(n) } });
        if (!put.accepted) throw new Error("Expected the page to be accepted");
        console.log(n);
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", writer, dataDir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exit = once(child, "exit");
    let told = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      told = Number(line);
      if (told === 30) child.kill("SIGKILL");
    }
    await exit;
    await withStore(async (store) => {
      const books = await store.runs.books("killed");
      const pages = books.received / 20;
      assert.ok(pages >= told && Number.isInteger(pages), `Expected ${told} whole pages or more, got ${pages}`);
      assert.equal(imbalance(books), 0);
      assert.equal((await store.mailboxes.recount()).get("killed")?.pending, books.pending);
      assert.equal(await store.mailboxes.dueCount("killed"), books.pending);
      const again = await store.mailboxes.put({ ...page([]), run: "killed", cursor: { from: "0", to: "1" } });
      assert.deepEqual(withoutPlace(again), {
        accepted: false,
        cursor: String(pages),
        ahead: 0,
        stale: [],
        waiting: [],
      });
    });
  });

  test("a process in whose directory's place another was put writes nothing into that, and keeps its own", async () => {
    const other = join(root, "other");
    const aside = join(root, "aside");
    await cp(dataDir, other, { recursive: true, filter: (path) => !path.endsWith(".sock") });
    const files = async () => {
      const names = await readdir(dataDir, { recursive: true });
      const stats = await Promise.all(names.map((name) => stat(join(dataDir, name))));
      return names.map((name, index) => [name, stats[index]?.size, stats[index]?.mtimeMs]);
    };
    const store = await open();
    await store.setValue("replaced", "before");
    await rename(dataDir, aside);
    await assert.rejects(store.look(), isFault("store-replaced", /Another data directory is in the place/));
    await rename(other, dataDir);
    const before = await files();
    const steps = [
      () => store.look(),
      () => store.setValue("replaced", "after"),
      () => store.getValue("replaced"),
      () => store.database.pool.query("SELECT 1"),
      () => store.database.tidy(),
    ];
    for (const step of steps) await assert.rejects(step(), isFault("store-replaced", /Start this process again/));
    assert.ok(store.lost.aborted);
    await store.close();
    assert.deepEqual(await files(), before);

    assert.equal(await withStore((opened) => opened.getValue("replaced")), undefined);
    await rename(dataDir, other);
    await rename(aside, dataDir);
    assert.equal(await withStore((opened) => opened.getValue("replaced")), "before");
  });

  test("a directory that was not made to the end is made anew", async () => {
    const cut = join(root, "cut");
    await mkdir(join(cut, "postgres", "base"), { recursive: true });
    await writeFile(join(cut, "postgres", "PG_VERSION"), "18\n");
    await writeFile(join(cut, "poolsync.json"), JSON.stringify({ format: 1, postgres: 18, ready: false }));
    const store = await openEmbeddedStore({ dataDir: cut });
    assert.equal((await store.runs.books()).received, 0);
    await store.close();
  });

  test("a directory with other things in it is refused and left as it is", async () => {
    const foreign = join(root, "foreign");
    await mkdir(foreign);
    await writeFile(join(foreign, "letter.txt"), "dear");
    await assert.rejects(
      openEmbeddedStore({ dataDir: foreign }),
      isFault("foreign-format", /not a data directory of poolsync.*--data-dir/),
    );
    assert.deepEqual(await readdir(foreign), ["letter.txt"]);
  });

  test("a file in the directory's place is refused", async () => {
    const file = join(root, "file");
    await writeFile(file, "");
    await assert.rejects(openEmbeddedStore({ dataDir: file }), isFault("misconfigured", /EEXIST.*--data-dir/));
    await assert.rejects(
      openEmbeddedStore({ dataDir: join(file, "below") }),
      isFault("misconfigured", /ENOTDIR.*--data-dir/),
    );
  });

  test("what a newer version wrote is refused", async () => {
    const marker = join(dataDir, "poolsync.json");
    const ours = await readFile(marker, "utf8");
    await writeFile(marker, JSON.stringify({ format: 99, postgres: 18, ready: true }));
    await assert.rejects(open(), isFault("foreign-format", /format 99 .*use the version of poolsync that wrote it/));
    await writeFile(marker, JSON.stringify({ format: 1, postgres: 19, ready: true }));
    await assert.rejects(open(), isFault("foreign-format", /on PostgreSQL 19/));
    await writeFile(marker, ours);
    await withStore((store) => store.database.query("UPDATE poolsync.format SET steps = 99"));
    await assert.rejects(open(), isFault("foreign-format", /format 99.*use the newer version/));
    assert.equal(await askHolder(dataDir), undefined, "who was refused holds nothing");
  });

  test("a database that does not open is said to be damaged", async () => {
    const damaged = join(root, "damaged");
    await mkdir(join(damaged, "postgres"), { recursive: true });
    await writeFile(join(damaged, "postgres", "PG_VERSION"), "18\n");
    await writeFile(join(damaged, "poolsync.json"), JSON.stringify({ format: 1, postgres: 18, ready: true }));
    await assert.rejects(openEmbeddedStore({ dataDir: damaged }), isFault("damaged", /does not open.*--data-dir/));
    assert.equal(await askHolder(damaged), undefined);
  });
});
