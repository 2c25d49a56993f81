/**
 * The Lua scripts and the pure state machine of core/mailbox.ts must say the same. Random steps run on both; documents,
 * books, letters and answers are compared after each one.
 */
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { TERMS, imbalance } from "../../src/core/books.ts";
import type { Entry, Term } from "../../src/core/books.ts";
import { claim as claimStep } from "../../src/core/claim.ts";
import { dueAt, QUIET_MS, SUSPECT_MS } from "../../src/core/mailbox.ts";
import { put as putStep } from "../../src/core/put.ts";
import { replay as replayStep } from "../../src/core/replay.ts";
import { settle as settleStep } from "../../src/core/settle.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { Mailbox, Units, UserState } from "../../src/core/mailbox.ts";
import type { Wanted } from "../../src/core/put.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import { MAX_LEAD_MS, ordinalText } from "../../src/core/version.ts";
import type { UserChange } from "../../src/store/mailboxes.ts";
import type { Store } from "../../src/store/store.ts";
import { testRedis } from "../support/redis.ts";
import { clockedRedis } from "./redis-clock.ts";
import type { ClockedRedis } from "./redis-clock.ts";

const START_MS = 1_795_478_400_000;
const POOLS = ["eu-west-1_Alpha", "eu-west-1_Beta"] as const;
const USERS = ["ann", "bob", "cem", "dee", "eli"] as const;
const UNITS = ["given_name", "email", "email_verified", "phone_number", "phone_number_verified", "custom:x"] as const;
const RUNS = ["run-1", "run-2"] as const;
const OWNERS: Readonly<Record<string, string>> = {
  ann: POOLS[0],
  bob: POOLS[1],
  cem: POOLS[0],
  dee: POOLS[0],
  eli: POOLS[1],
};
const STEPS = Number(process.env["POOLSYNC_TEST_STEPS"] ?? 1500);

/** Repeatable numbers from a seed: mulberry32. */
function randomFrom(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    below: (limit: number) => Math.floor(next() * limit),
    chance: (share: number) => next() < share,
    pick<T>(list: readonly [T, ...T[]]): T {
      return list[Math.floor(next() * list.length)] ?? list[0];
    },
    some: <T>(list: readonly T[], share: number) => list.filter(() => next() < share),
  };
}

/** What the store must hold, kept by the pure machine. */
class Model {
  readonly states = new Map<string, UserState>();
  readonly letters = new Map<string, Letter>();
  readonly books = new Map<string, number>();
  arrival = 0;

  state(user: string): UserState {
    return this.states.get(user) ?? { ledger: {} };
  }

  take(user: string, outcome: { state: UserState; entries: readonly Entry[] }): void {
    this.states.set(user, outcome.state);
    for (const { run, term, by } of outcome.entries) this.book(run, term, by);
  }

  book(run: string, term: Term, by: number): void {
    for (const key of [run, ""]) this.books.set(`${key}|${term}`, (this.books.get(`${key}|${term}`) ?? 0) + by);
  }

  booksOf(run: string): Record<Term, number> {
    const [...entries] = TERMS.map((term) => [term, this.books.get(`${run}|${term}`) ?? 0] as const);
    return { ...EMPTY, ...Object.fromEntries(entries) };
  }
}
const EMPTY = {
  received: 0,
  applied: 0,
  unchanged: 0,
  superseded: 0,
  stale: 0,
  invalid: 0,
  dead: 0,
  discarded: 0,
  pending: 0,
};

describe("the scripts and the pure machine", () => {
  let clocked: ClockedRedis;
  before(async () => {
    clocked = await clockedRedis(testRedis());
  });
  after(async () => {
    await clocked.close();
  });

  test("end alike after every random step", async (t) => {
    const seed = Number(process.env["POOLSYNC_TEST_SEED"] ?? randomInt(2 ** 31));
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const model = new Model();
    let now = START_MS;
    let cursor = 0;
    await clocked.setClock(now);
    // Two processes: the second opened before any pool was known.
    const stores: [Store, Store] = [await clocked.openStore(), await clocked.openStore()];
    const flights: { user: string; token: string; units: Units }[] = [];
    let tokens = 0;

    let lastOrdinal = ordinalText({ timeMs: now, sequence: 0 });
    const ordinalOf = () => {
      if (random.chance(0.25)) return lastOrdinal;
      const ahead = random.chance(0.05) ? MAX_LEAD_MS + random.below(2) : -random.below(random.pick([3000, 1_000_000]));
      lastOrdinal = ordinalText({ timeMs: now + ahead, sequence: random.below(2) });
      return lastOrdinal;
    };
    const wanted = (): Wanted => {
      const digest = `digest-${random.below(3)}`;
      const body = `p:{"text":"\u00e9\\"/${digest}\\u0000"}`;
      return { name: random.pick(UNITS), digest, body, ...(random.chance(0.2) ? {} : { ordinal: ordinalOf() }) };
    };

    const put = async (store: Store) => {
      const pool = random.pick(POOLS);
      const run = random.pick(RUNS);
      const priority = random.pick([1, 10]);
      const users = USERS.filter((user) => OWNERS[user] === pool);
      const changes = Array.from({ length: random.below(4) }, (): UserChange => {
        const user = users[random.below(users.length)] ?? users[0] ?? "";
        return { user, username: `p:${user}`, units: Array.from({ length: random.below(4) }, wanted) };
      });
      const invalid = random.below(2);
      const withCursor = run === "run-1";
      const stale = withCursor && random.chance(0.2);
      const from = cursor === 0 ? "" : String(cursor);
      const answer = await store.mailboxes.put({
        pool,
        run,
        priority,
        changes,
        invalid,
        rows: { read: 1, faulty: 0 },
        ...(withCursor ? { cursor: { from: stale ? "elsewhere" : from, to: String(cursor + 1) } } : {}),
      });
      assert.equal(answer.accepted, !stale);
      if (stale) return assert.equal(answer.cursor, from);
      if (withCursor) cursor += 1;
      model.book(run, "received", invalid);
      model.book(run, "invalid", invalid);
      for (const { user, username, units } of changes) {
        const arrivals = units.map(() => (model.arrival += 1));
        model.take(user, putStep(model.state(user), { user, pool, username, priority, run, units }, arrivals, now));
      }
    };

    const claim = async (store: Store) => {
      const user = random.pick(USERS);
      const token = `token-${(tokens += 1)}`;
      const leaseMs = 1000 + random.below(5000);
      const { result, ...outcome } = claimStep(model.state(user), user, token, leaseMs, now);
      model.take(user, outcome);
      const answer = await store.mailboxes.claim(user, token, leaseMs);
      if (result.is === "claimed") {
        const { pool, username, priority } = result.mailbox;
        const { units, leaseUntil } = result;
        assert.deepEqual(answer, { is: "claimed", pool, username, priority, units, leaseUntil });
        // The same call once more, as after a lost connection.
        if (random.chance(0.2)) assert.deepEqual(await store.mailboxes.claim(user, token, leaseMs), answer);
        flights.push({ user, token, units });
      } else if (result.is === "idle") {
        assert.deepEqual(answer, { is: "idle" });
      } else {
        assert.deepEqual(answer, { is: result.is, retryInMs: result.retryAt - now });
      }
    };

    const settle = async (store: Store) => {
      const flight = flights[flights.length - 1 - random.below(Math.min(flights.length, 4))];
      if (!flight) return;
      const { user, token, units } = flight;
      const inMs: Record<string, Settlement> = {};
      const atTimes: Record<string, Settlement> = {};
      for (const [name, { version }] of random.some(Object.entries(units), 0.8)) {
        const settlement = settlementOf(user, name, version);
        inMs[name] = settlement;
        atTimes[name] = settlement.is === "retry" ? { ...settlement, at: now + settlement.at } : settlement;
      }
      const { result, ...outcome } = settleStep(model.state(user), user, token, atTimes, 3000, now);
      model.take(user, outcome);
      for (const letter of result.letters) model.letters.set(letter.id, letter);
      const answer = await store.mailboxes.settle(user, token, inMs, 3000);
      const left = outcome.state.mailbox;
      const due = left ? { dueInMs: Math.max(0, dueAt(left) - now) } : {};
      assert.deepEqual(answer, { ...result, ...due });
    };

    const settlementOf = (user: string, name: string, version: string): Settlement => {
      const kind = random.below(10);
      if (kind < 5) return { is: "applied", version };
      if (kind < 6) return { is: "unchanged", version };
      if (kind < 8) {
        const counts = random.pick(["attempt", "fault", "nothing"] as const);
        return { is: "retry", version, at: random.below(3) * 700, counts, fateUnknown: random.chance(0.3) };
      }
      return {
        is: "bury",
        version,
        letter: `${user}.${name}.${version}`,
        kind: "gave-up",
        reason: "Because",
        fateUnknown: random.chance(0.3),
      };
    };

    const letterIds = () => [...random.some([...model.letters.keys()], 0.4), "nobody's letter"];

    const replay = async (store: Store) => {
      const ids = letterIds();
      const due = [];
      for (const id of ids) {
        const letter = model.letters.get(id);
        if (!letter) continue;
        model.letters.delete(id);
        model.take(letter.user, replayStep(model.state(letter.user), letter, 5, now));
        const priority = model.state(letter.user).mailbox?.priority ?? 5;
        due.push({ user: letter.user, priority, letter: id, pool: letter.pool });
      }
      assert.deepEqual(await store.mailboxes.replay(ids, 5), due);
    };

    const discard = async (store: Store) => {
      const ids = letterIds();
      let count = 0;
      for (const id of ids) {
        const letter = model.letters.get(id);
        if (!letter) continue;
        model.letters.delete(id);
        model.book(letter.run, "dead", -1);
        model.book(letter.run, "discarded", 1);
        count += 1;
      }
      assert.equal(await store.letters.discard(ids), count);
    };

    const compare = async () => {
      const [store] = stores;
      for (const user of USERS) {
        const state = model.state(user);
        assert.deepEqual(await store.mailboxes.read(user), state, `the documents of ${user}`);
        const score = await clocked.redis.zscore(clocked.keys.due(OWNERS[user] ?? ""), user);
        assertDue(state.mailbox, score, now);
      }
      for (const run of ["", ...RUNS]) {
        const books = await store.runs.books(run);
        assert.deepEqual(books, model.booksOf(run), `the books of ${run || "all runs"}`);
        assert.equal(imbalance(books), 0);
      }
      const letters = [];
      for await (const letter of store.letters.list({})) letters.push(letter);
      const byId = (a: Letter, b: Letter) => (a.id < b.id ? -1 : 1);
      assert.deepEqual(letters.toSorted(byId), [...model.letters.values()].toSorted(byId));
      for (const [run, { pending, dead }] of await store.mailboxes.recount()) {
        const books = model.booksOf(run);
        assert.deepEqual({ pending, dead }, { pending: books.pending, dead: books.dead });
      }
      const busy = POOLS.filter(
        (pool) =>
          USERS.some((user) => OWNERS[user] === pool && model.state(user).mailbox) ||
          [...model.letters.values()].some((letter) => letter.pool === pool),
      );
      assert.deepEqual((await store.pools()).toSorted(), busy);
    };

    for (let step = 0; step < STEPS; step += 1) {
      const store = random.pick(stores);
      const action = random.pick([
        put,
        put,
        claim,
        claim,
        claim,
        claim,
        settle,
        settle,
        settle,
        settle,
        replay,
        discard,
      ]);
      try {
        await action(store);
        await compare();
      } catch (error) {
        throw new Error(`Step ${step} of seed ${seed} differs (${action.name})`, { cause: error });
      }
      if (random.chance(0.5)) now += random.pick([1, 300, 2000, 6000, QUIET_MS, SUSPECT_MS]);
      await clocked.setClock(now);
    }
  });
});

/** "At once" is a time that has come; everything else is the machine's own time. */
function assertDue(mailbox: Mailbox | undefined, score: string | null, now: number): void {
  if (!mailbox) return assert.equal(score, null);
  const at = dueAt(mailbox);
  if (at > 0) assert.equal(Number(score), at);
  else assert.ok(score !== null && Number(score) <= now);
}
