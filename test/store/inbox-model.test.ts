/**
 * The inbox of both stores against the one in memory: drainers that come late, die and let others have their entries,
 * events that come again, an inbox that is full, and time that passes must be answered alike and leave the same. And of all
 * together: each event that was taken in ends once, and what is counted is what is there.
 *
 * What fails is shrunk to a few steps. `POOLSYNC_TEST_SEED` repeats a run, `POOLSYNC_TEST_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { REPEAT_MS } from "../../src/core/inbox.ts";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { inboxKeys } from "../../src/store/redis/redis-inbox.ts";
import type { Store } from "../../src/store/store.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { testRedis } from "../support/redis.ts";
import { clockedRedis } from "./redis-clock.ts";

const START_MS = 1_795_478_400_000;
const LEASE_MS = 3_000;
const EVENTS = ["a", "b", "c", "d", "e", "f", "g"] as const;
const RUN = { id: "run", source: "file", pool: "pool", feed: "feed", identity: "", asOf: START_MS } as const;

interface Subject {
  /** Two processes on Redis; the embedded store has one. */
  readonly stores: readonly [Store, Store];
  setClock(ms: number): Promise<void>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

async function openRedis(): Promise<Subject> {
  const clocked = await clockedRedis(testRedis());
  const { keys, redis } = clocked;
  const stores = [await clocked.openStore(), await clocked.openStore()] as const;
  const held = [keys.arrivals, keys.mailboxes, keys.ledger, keys.runs, keys.runIndex, keys.books, keys.due("pool")];
  return {
    stores,
    setClock: (ms) => clocked.setClock(ms),
    reset: async () => void (await redis.del(...held, ...inboxKeys(keys))),
    close: () => clocked.close(),
  };
}

async function openEmbedded(): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-inbox-"));
  putMadeDirectory(dataDir);
  let nowMs = START_MS;
  const store = await openEmbeddedStore({ dataDir, now: () => nowMs });
  return {
    stores: [store, store],
    setClock: async (ms) => void (nowMs = ms),
    async reset() {
      await store.database.query(
        `TRUNCATE poolsync.inbox, poolsync.events_seen, poolsync.users, poolsync.runs, poolsync.progress, poolsync.books;
         UPDATE poolsync.inbox_size SET entries = 0, bytes = 0, parked_entries = 0, parked_bytes = 0;
         UPDATE poolsync.arrivals SET last = 0`,
      );
    },
    async close() {
      await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

interface Model {
  readonly memory: ReturnType<typeof openMemoryStore>;
  /** What drainers have taken, some of it long ago. */
  readonly taken: { readonly token: string; readonly ids: readonly string[] }[];
  tokens: number;
  added: number;
  ended: number;
}

type Step = (store: Store, model: Model) => Promise<unknown>;
type Command = fc.AsyncCommand<Model, Subject>;

/** Either process takes the step, and so does the memory; `then` is told the answer. */
function same(text: string, step: Step, then: (model: Model, answer: unknown) => void = () => {}) {
  return fc.nat(1).map((process): Command => {
    return {
      check: () => true,
      async run(model, { stores }) {
        const wanted = await step(model.memory.store, model);
        assert.deepEqual(await step(stores[process === 0 ? 0 : 1], model), wanted, text);
        then(model, wanted);
      },
      toString: () => text,
    };
  });
}

const ids = fc.subarray([...EVENTS], { minLength: 1, maxLength: 4 });
const drainer = fc.record({ whose: fc.nat(3), ids: fc.subarray([...EVENTS], { minLength: 1 }), isWhole: fc.boolean() });
type Drainer = typeof drainer extends fc.Arbitrary<infer T> ? T : never;

/** Entries that some drainer has taken lately: all of them, or whatever ids. */
const takenBy = ({ taken }: Model, { whose, ids: others, isWhole }: Drainer) => {
  const { token = "nobody", ids: all = [] } = taken.at(-1 - whose) ?? {};
  return { token, ids: isWhole ? all : others };
};
const count = (answer: unknown) => (Array.isArray(answer) ? answer.length : 0);
const ends = (model: Model, answer: unknown) => void (model.ended += count(answer));

const adding = fc
  .record({
    events: fc.array(fc.constantFrom(...EVENTS), { minLength: 1, maxLength: 3 }),
    waitMs: fc.constantFrom(0, 0, 2_000),
    most: fc.constantFrom(3, 100),
  })
  .chain(({ events, waitMs, most }) =>
    same(
      `add ${events.join(" ")}, in ${waitMs} ms, ${most} at most`,
      ({ inbox }, { memory: { clock } }) => {
        const notBefore = clock.nowMs + waitMs;
        const entries = events.map((id, index) => ({
          id,
          feed: id < "d" ? "hr" : "crm",
          notBefore,
          body: `b:${index}`,
        }));
        return inbox.add(entries, { entries: most, bytes: 10 * most });
      },
      (model, answer) => {
        if (Array.isArray(answer)) model.added += answer.filter(({ is }: { is: string }) => is === "added").length;
      },
    ),
  );
const taking = fc
  .record({ limit: fc.integer({ min: 1, max: 4 }), maxBytes: fc.constantFrom(1, 6, 100) })
  .chain((options) => {
    const text = `take ${options.limit} of ${options.maxBytes} bytes`;
    return same(
      text,
      ({ inbox }, { tokens }) => inbox.take(`token ${tokens}`, { leaseMs: LEASE_MS, ...options }),
      (model, answer) => {
        const { entries } = answer as Awaited<ReturnType<Store["inbox"]["take"]>>;
        model.taken.push({ token: `token ${model.tokens++}`, ids: entries.map(({ id }) => id) });
      },
    );
  });
const putting = fc
  .tuple(drainer, fc.constantFrom([0, 0], [0, 0], [1, 0], [0, 1]))
  .chain(([from, [rests = 0, keeps = 0]]) =>
    same(
      `put what ${from.whose} has, and park ${rests} and keep ${keeps} of it`,
      async ({ mailboxes }, model) => {
        const taken = takenBy(model, from);
        const parked = taken.ids.slice(0, rests).map((id) => ({ id, reason: "several", body: "b:the rest" }));
        const kept = taken.ids.slice(rests, rests + keeps).map((id) => ({ id, body: "b:what is left" }));
        const entries = { ...taken, parked, kept };
        const units = [{ name: "given_name", digest: "d", body: "b:" }];
        const changes = [{ user: "ann", username: "b:", units }];
        const rows = { read: 1, faulty: 0 };
        const page = { pool: "pool", run: "run", priority: 1, invalid: 0, rows, changes, entries };
        const { accepted, arrival } = await mailboxes.put(page);
        return { accepted, arrival, ids: accepted ? entries.ids.slice(parked.length + kept.length) : [] };
      },
      (model, answer) => ends(model, (answer as { ids: readonly string[] }).ids),
    ),
  );
const passing = fc.constantFrom(1, 500, LEASE_MS, REPEAT_MS / 2).map((ms): Command => {
  return {
    check: () => true,
    async run({ memory: { clock } }, subject) {
      clock.advance(ms);
      await subject.setClock(clock.nowMs);
    },
    toString: () => `${ms} ms pass`,
  };
});
const STEPS: fc.Arbitrary<Command>[] = [
  adding,
  adding,
  taking,
  taking,
  putting,
  passing,
  drainer.chain((from) => same(`done ${from.whose}`, ({ inbox }, model) => inbox.done(takenBy(model, from)), ends)),
  drainer.chain((from) => same(`park ${from.whose}`, ({ inbox }, model) => inbox.park(takenBy(model, from), "nobody"))),
  drainer.chain((from) =>
    same(`renew what ${from.whose} has`, ({ inbox }, model) => inbox.renew(takenBy(model, from), LEASE_MS)),
  ),
  fc
    .tuple(drainer, fc.constantFrom(-5, 1_000))
    .chain(([from, ms]) =>
      same(`defer ${from.whose} by ${ms}`, ({ inbox }, model) =>
        inbox.defer(takenBy(model, from), model.memory.clock.nowMs + ms),
      ),
    ),
  ids.chain((some) => same(`replay ${some.join(" ")}`, ({ inbox }) => inbox.replay(some))),
  ids.chain((some) => same(`discard ${some.join(" ")}`, ({ inbox }) => inbox.discard(some), ends)),
  fc.constantFrom([LEASE_MS, 100], [REPEAT_MS, 1]).chain(([keepMs = 0, entries = 0]) =>
    same(
      `trim to ${entries} of ${keepMs} ms`,
      ({ inbox }) => inbox.trim({ keepMs, entries, bytes: 1_000 }, 2),
      (model, answer) => void (model.ended += Number(answer)),
    ),
  ),
];

/** What a store shows of its inbox. */
async function contentOf({ inbox }: Store) {
  // What is forgotten is forgotten sooner or later.
  const { isUsed: _, ...counts } = await inbox.counts();
  return {
    counts,
    parked: await Array.fromAsync(inbox.parked({})),
    entries: await Promise.all(EVENTS.map((id) => inbox.get(id))),
  };
}

async function compareAll({ memory }: Model, { stores: [store] }: Subject): Promise<void> {
  assert.deepEqual(await store.inbox.verify(), { lost: 0, miscounted: 0 });
  assert.deepEqual(await contentOf(store), await contentOf(memory.store));
}

function modelSuite(name: string, open: () => Promise<Subject>, runs: number): void {
  describe(`histories of the inbox: ${name}`, () => {
    let subject: Subject;
    before(async () => {
      subject = await open();
    });
    after(() => subject.close());

    test("any steps end as those in memory, and each event ends once", async (t) => {
      const lives = fc.asyncProperty(fc.commands(STEPS, { maxCommands: 40, size: "max" }), async (commands) => {
        await subject.reset();
        await subject.setClock(START_MS);
        const model: Model = { memory: openMemoryStore(START_MS), taken: [], tokens: 0, added: 0, ended: 0 };
        for (const { runs: of } of [model.memory.store, subject.stores[0]]) await of.begin(RUN);
        await fc.asyncModelRun(() => ({ model, real: subject }), commands);
        await compareAll(model, subject);
        const { clock } = model.memory;
        clock.advance(LEASE_MS);
        await subject.setClock(clock.nowMs);
        const { inbox } = subject.stores[0];
        const { waiting, parked } = await inbox.counts();
        assert.equal(model.ended + waiting + parked.entries, model.added, "each event ends once");
        const { entries } = await inbox.take("last", { leaseMs: LEASE_MS, limit: 100, maxBytes: 1_000 });
        assert.equal(entries.length, waiting, "and none is left that nobody can take");
        const arrivals = entries.map(({ arrival }) => arrival);
        assert.deepEqual(
          arrivals,
          arrivals.toSorted((a, b) => a - b),
        );
      });
      await fc.assert(lives, fuzzParameters(t, runs));
    });
  });
}

modelSuite("Redis", openRedis, 40);
modelSuite("embedded", openEmbedded, 8);
