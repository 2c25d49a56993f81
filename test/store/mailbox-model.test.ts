/**
 * The stores against the pure rules of core: steps in any order (put, claim, settle in part, late or of unknown fate,
 * bury, replay, discard, a worker lost) must be answered alike and leave the same documents, books and letters. And
 * of both together: the books balance and are what a walk counts, no ledger goes back, everything drains in the end,
 * and the newest value is in the ledger unless it was set aside.
 *
 * What fails is shrunk to a few steps. `POOLSYNC_TEST_SEED` repeats a run, `POOLSYNC_TEST_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { imbalance, TERMS } from "../../src/core/books.ts";
import type { Letter } from "../../src/core/letter.ts";
import { runGate } from "../../src/core/gate.ts";
import { contactOf } from "../../src/core/unit.ts";
import { ordinalOf } from "../../src/core/version.ts";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import type { Store } from "../../src/store/store.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { testRedis } from "../support/redis.ts";
import { drain, steps } from "./mailbox-steps.ts";
import { freshModel, GATES, poolOf, POOLS, RUNS, USERS, type Model, type Real } from "./model-step.ts";
import { clockedRedis } from "./redis-clock.ts";

const START_MS = 1_795_478_400_000;

/** A store whose clock is the test's, and which can be made as new. */
interface Subject extends Real {
  reset(): Promise<void>;
  close(): Promise<void>;
}

async function openRedis(): Promise<Subject> {
  const clocked = await clockedRedis(testRedis());
  const { keys } = clocked;
  // Named one by one: to look for them would be to walk through all that is in the server.
  // Without the one by which the stores are known.
  const { memory: _, ...emptied } = keys;
  const held = Object.values(emptied).filter((key) => typeof key === "string");
  for (const pool of POOLS) held.push(keys.due(pool), keys.sweep(pool));
  // Two processes: neither knows the pools that the other has met.
  const stores = [await clocked.openStore(), await clocked.openStore()] as const;
  return {
    stores,
    answersTwice: true,
    setClock: (ms) => clocked.setClock(ms),
    reset: async () => void (await clocked.redis.del(...held)),
    close: () => clocked.close(),
  };
}

async function openEmbedded(): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-model-"));
  let nowMs = START_MS;
  const store = await openEmbeddedStore({ dataDir, now: () => nowMs });
  return {
    stores: [store, store],
    answersTwice: false,
    async setClock(ms) {
      nowMs = ms;
    },
    async reset() {
      await store.database.query(
        `TRUNCATE poolsync.users, poolsync.letters, poolsync.runs, poolsync.progress, poolsync.books, poolsync.sweeps,
           poolsync.gates, poolsync.kept;
         UPDATE poolsync.arrivals SET last = 0`,
      );
    },
    async close() {
      await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function lettersOf(store: Store): Promise<readonly Letter[]> {
  const letters: Letter[] = [];
  for await (const letter of store.letters.list({})) letters.push(letter);
  return letters.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Everything that a store shows must be what the rules have. */
async function compareAll({ memory }: Model, { stores: [store] }: Real): Promise<void> {
  const wanted = memory.store;
  for (const user of USERS) {
    assert.deepEqual(await store.mailboxes.read(user), await wanted.mailboxes.read(user), `the documents of ${user}`);
  }
  const counts = await store.mailboxes.recount();
  assert.deepEqual(counts, await wanted.mailboxes.recount());
  for (const run of ["", ...RUNS]) {
    const books = await store.runs.books(run);
    assert.deepEqual({ ...books }, { ...(await wanted.runs.books(run)) }, `the books of ${run || "all runs"}`);
    assert.equal(imbalance(books), 0, `the books of ${run || "all runs"} balance`);
    for (const term of TERMS) assert.ok(books[term] >= 0, `${term} of ${run || "all runs"} is not below 0`);
    if (run === "") continue;
    const { pending, dead } = counts.get(run) ?? { pending: 0, dead: 0 };
    assert.deepEqual({ pending, dead }, { pending: books.pending, dead: books.dead }, `a walk finds what ${run} says`);
  }
  assert.deepEqual(await lettersOf(store), await lettersOf(wanted));
  assert.deepEqual((await store.pools()).toSorted(), (await wanted.pools()).toSorted());
  assert.deepEqual(await store.gates.list(), await wanted.gates.list());
  assert.deepEqual(await store.gates.opened(), await wanted.gates.opened());
  for (const gate of [...GATES, ...RUNS.map(runGate)]) {
    assert.equal(await store.gates.kept(gate), await wanted.gates.kept(gate), `the users that ${gate} keeps`);
  }
  for (const pool of POOLS) {
    assert.equal(await store.mailboxes.dueCount(pool), await wanted.mailboxes.dueCount(pool));
    const sweep = { holder: "the test", leaseMs: 1, offset: 0, limit: 100 };
    const byUser = (due: Awaited<ReturnType<Store["mailboxes"]["sweep"]>>) =>
      due
        .map(({ user, priority, runs }) => ({ user, priority, runs: runs.toSorted() }))
        .toSorted((a, b) => (a.user < b.user ? -1 : 1));
    assert.deepEqual(
      byUser(await store.mailboxes.sweep(pool, sweep)),
      byUser(await wanted.mailboxes.sweep(pool, sweep)),
    );
  }
}

/** What the rules promise, whatever carries them out. */
async function assertPromises(model: Model, { stores: [store] }: Real): Promise<void> {
  for (const { user, unit, ordinal } of model.newest.values()) {
    const { mailbox, ledger } = await store.mailboxes.read(user);
    assert.equal(mailbox, undefined, `the mailbox of ${user} is gone in the end`);
    // A flag yields to any newer address, and so need not be the last that was written.
    if (contactOf(unit) !== undefined || model.buried.has(`${user} ${unit}`)) continue;
    const entry = Object.hasOwn(ledger, unit) ? ledger[unit] : undefined;
    assert.ok(entry && ordinalOf(entry.version) >= ordinal, `the newest ${unit} of ${user} is in the ledger`);
  }
  for (const user of USERS) assert.ok(POOLS.includes(poolOf(user)));
}

function modelSuite(name: string, open: () => Promise<Subject>, runs: number): void {
  describe(`mailbox and ledger: ${name}`, () => {
    let subject: Subject;
    before(async () => {
      subject = await open();
    });
    after(() => subject.close());

    test("any steps end as the pure rules say", async (t) => {
      const lives = fc.asyncProperty(fc.commands(steps, { maxCommands: 40, size: "max" }), async (commands) => {
        await subject.reset();
        await subject.setClock(START_MS);
        const model = freshModel(openMemoryStore(START_MS));
        for (const id of RUNS) {
          const run = { id, source: "file" as const, pool: "any", feed: `feed of ${id}`, identity: "", asOf: START_MS };
          for (const { runs } of [model.memory.store, subject.stores[0]]) await runs.begin(run);
        }
        await fc.asyncModelRun(() => ({ model, real: subject }), commands);
        await compareAll(model, subject);
        await drain(model, subject);
        await compareAll(model, subject);
        await assertPromises(model, subject);
      });
      await fc.assert(lives, fuzzParameters(t, runs));
    });
  });
}

modelSuite("Redis", openRedis, 60);
modelSuite("embedded", openEmbedded, 20);
