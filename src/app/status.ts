/**
 * How a namespace stands, as one document: `status` prints it, and a process that has the data directory answers it to
 * a `status` that finds the directory in use.
 */
import { z } from "zod";
import type { Ceilings } from "../config/ceilings.ts";
import { imbalance, TERMS, type Books } from "../core/books.ts";
import { LETTER_KINDS } from "../core/failure.ts";
import { readScanWait } from "./events/scan-wait.ts";
import { runGate } from "../core/gate.ts";
import { waitingFloods } from "./events/flood-gate.ts";
import { pausedGates } from "./gates/pause.ts";
import { CHANGE_SOURCES } from "../store/runs.ts";
import { forgottenRuns } from "./runs/forgotten-runs.ts";
import { deadLetterQueue } from "../queues/dead-letters.ts";
import type { Queues } from "../queues/bullmq.ts";
import type { Engine } from "../queues/engine.ts";
import { CHANGES_QUEUE } from "../queues/change-jobs.ts";
import { scheduledTimes } from "../queues/schedules.ts";
import { LANES, wakeUpQueue } from "../queues/wake-ups.ts";
import { countUnsealed } from "../store/sealing.ts";
import { aliveWorker } from "../store/workers.ts";

const books = z.record(z.enum(TERMS), z.number());

const pace = z.object({ ratePerSecond: z.number(), ceilingPerSecond: z.number(), lastCutAt: z.string().optional() });

const namespaceStatus = z.object({
  engine: z.enum(["redis", "embedded"]),
  /** Since when what the store says of the past is whole: when it was begun, or restored. Absent where nobody knows. */
  since: z.string().optional(),
  /** True where the Redis says that it keeps no append-only file. */
  withoutAof: z.boolean(),
  /** Runs of an earlier store, and when it was found that this one does not know them. */
  forgottenRuns: z.array(z.object({ run: z.string(), at: z.string() })),
  pools: z.array(
    z.object({
      pool: z.string(),
      endpoint: z.string(),
      due: z.number(),
      queue: z.record(z.string(), z.number()),
      /** Of UserUpdate, and of UserList. */
      pace,
      listPace: pace,
    }),
  ),
  /** Processes that deliver, run schedules or carry out replay orders, and have said so within half a minute. */
  workers: z.array(aliveWorker),
  /** When feeds run by their schedule next; of a time that is past the order waits for a worker. */
  schedules: z.array(z.object({ feed: z.string(), next: z.string().optional() })),
  /** Letters by kind. */
  deadLetters: z.record(z.string(), z.number()),
  holds: z.array(
    z.object({ pool: z.string(), scope: z.string(), kind: z.string(), since: z.string(), probeAt: z.string() }),
  ),
  /** What somebody has paused. `users`: of whom something is kept. */
  pauses: z.array(
    z.object({ gate: z.string(), since: z.string(), by: z.string(), reason: z.string(), users: z.number() }),
  ),
  /** Runs of events that wait for an approval. `users`: of whom something is kept. Absent where there are none. */
  floods: z
    .array(z.object({ run: z.string(), feed: z.string(), pool: z.string(), since: z.string(), users: z.number() }))
    .optional(),
  runs: z.array(
    z.object({
      run: z.string(),
      feed: z.string(),
      pool: z.string(),
      source: z.enum(CHANGE_SOURCES),
      state: z.string(),
      startedAt: z.string(),
      books,
    }),
  ),
  /** Events that came and are no changes yet. Absent where none has come. */
  inbox: z
    .object({
      /** May be drained now. */
      waiting: z.number(),
      /** Wait for their time. */
      ahead: z.number(),
      /** In the hands of a drainer. */
      taken: z.number(),
      /** Of all these, as they are kept. */
      bytes: z.number(),
      /** When the oldest came of those that may be drained. */
      oldestAt: z.string().optional(),
      /** Cannot become changes, by feed. */
      parked: z.object({ entries: z.number(), bytes: z.number(), feeds: z.record(z.string(), z.number()) }),
      /** Of which feeds events wait for a scan of their pool, and until when, about. */
      scans: z.array(z.object({ pool: z.string(), feeds: z.array(z.string()), until: z.string() })).optional(),
    })
    .optional(),
  /** Jobs in the queue `changes`, and whether a process that is alive takes them. Absent where there are none. */
  jobs: z.object({ waiting: z.number(), taken: z.boolean() }).optional(),
  /** How many documents lie aside because they broke. */
  damaged: z.number(),
  books,
  balanced: z.boolean(),
  /**
   * While what an older version kept is sealed anew: about how many documents are still to be looked at.
   */
  unsealed: z.number().optional(),
  /** Present where everything was recounted. */
  verified: z
    .object({
      differences: z.array(
        z.object({ run: z.string(), term: z.enum(["pending", "dead"]), books: z.number(), counted: z.number() }),
      ),
      /** Users who waited, and letters, that nobody would have looked at again: they are found again now. */
      lost: z.object({ users: z.number(), letters: z.number() }),
      /** Events that nobody would have drained or found, and counts that said something else: they are right now. */
      inbox: z.object({ lost: z.number(), miscounted: z.number() }).optional(),
    })
    .optional(),
});
export type NamespaceStatus = z.infer<typeof namespaceStatus>;

/** Reads the document that another process answered. Undefined for anything else. */
export function parseStatus(document: unknown): NamespaceStatus | undefined {
  const parsed = namespaceStatus.safeParse(document);
  return parsed.success ? parsed.data : undefined;
}

const RUNS = 10;
const RECOUNTED_RUNS = 100_000;

export interface StatusOptions {
  /** The ceilings of a pool's calls, as configured. */
  readonly ceilingsOf: (pool: string) => Ceilings;
  readonly verify: boolean;
}

export async function statusOf(engine: Engine, { ceilingsOf, verify }: StatusOptions): Promise<NamespaceStatus> {
  const { store, queues } = engine;
  // A recount meets every mailbox and letter, and sets aside what is broken.
  if (verify) await store.mailboxes.recount();
  await store.damaged.reckon();
  const pools: NamespaceStatus["pools"] = [];
  for (const { pool, endpoint, arn, region } of await store.targets()) {
    const account = arn.split(":")[4] ?? "";
    const paceOf = async (category: string, ceiling: number): Promise<z.infer<typeof pace>> => {
      const view = await store.pace.view(`${account}:${region}:${category}`, ceiling);
      const { ratePerSecond, ceilingPerSecond, cutAt } = view;
      return { ratePerSecond, ceilingPerSecond, ...(cutAt > 0 ? { lastCutAt: iso(cutAt) } : {}) };
    };
    const { ratePerSecond, listsPerSecond } = ceilingsOf(pool);
    pools.push({
      pool,
      endpoint,
      due: await store.mailboxes.dueCount(pool),
      queue: await wakeUpCounts(queues, pool),
      pace: await paceOf("UserUpdate", ratePerSecond),
      listPace: await paceOf("UserList", listsPerSecond),
    });
  }
  const pauses: NamespaceStatus["pauses"] = [];
  for (const { gate, since, by, reason } of await pausedGates(store)) {
    pauses.push({ gate, since: iso(since), by, reason, users: await store.gates.kept(gate) });
  }
  const floods: NonNullable<NamespaceStatus["floods"]> = [];
  for (const { id, feed, pool, startedAt } of await waitingFloods(store)) {
    floods.push({ run: id, feed, pool, since: iso(startedAt), users: await store.gates.kept(runGate(id)) });
  }
  const runs: NamespaceStatus["runs"] = [];
  for (const { id, feed, pool, source, state, startedAt } of await store.runs.list(RUNS)) {
    runs.push({
      run: id,
      feed,
      pool,
      source,
      state,
      startedAt: iso(startedAt),
      books: { ...(await store.runs.books(id)) },
    });
  }
  const total = await store.runs.books();
  const verified = verify ? await recount(engine, total) : undefined;
  const { isUsed, oldestAt, ...inbox } = await store.inbox.counts();
  const scans: NonNullable<NamespaceStatus["inbox"]>["scans"] = [];
  // A note is left by whoever waited for a scan that nobody makes any more, because its feed is gone.
  const mayWait = inbox.waiting + inbox.ahead + inbox.taken > 0;
  for (const { pool } of mayWait ? pools : []) {
    const wait = await readScanWait(store, pool);
    if (wait) scans.push({ pool, feeds: [...wait.feeds], until: iso(wait.until) });
  }
  const deadLetters = await countLetters(engine, total);
  const unbalanced = imbalance(total) !== 0 || runs.some((run) => imbalance(run.books) !== 0);
  const { since, withoutAof } = store;
  const workers = [...(await store.workers.list())];
  const waiting = engine.kind === "redis" ? await queues.queue(CHANGES_QUEUE).count() : 0;
  return {
    engine: engine.kind,
    ...(since === undefined ? {} : { since: iso(since) }),
    withoutAof,
    forgottenRuns: (await forgottenRuns(store)).map(({ run, at }) => ({ run, at: iso(at) })),
    pools,
    workers,
    schedules: engine.kind === "redis" ? await schedulesOf(queues) : [],
    deadLetters,
    holds: (await store.holds.list()).map(({ pool, scope, kind, since, probeAt }) => ({
      pool,
      scope,
      kind,
      since: iso(since),
      probeAt: iso(probeAt),
    })),
    pauses,
    ...(floods.length === 0 ? {} : { floods }),
    runs,
    ...(isUsed
      ? {
          inbox: {
            ...inbox,
            ...(oldestAt === undefined ? {} : { oldestAt: iso(oldestAt) }),
            ...(scans.length === 0 ? {} : { scans }),
          },
        }
      : {}),
    ...(waiting === 0 ? {} : { jobs: { waiting, taken: workers.some(({ does }) => does === "jobs") } }),
    damaged: (await store.damaged.list()).length,
    books: { ...total },
    balanced: !unbalanced,
    ...(engine.keyring.isSealed ? {} : { unsealed: await countUnsealed(store) }),
    ...(verified ? { verified } : {}),
  };
}

/**
 * Letters by kind. Their jobs say it at once, however many there are, but some may be missing, or left of a letter that is
 * gone: where they are not as many as the books have, the letters themselves are counted.
 */
async function countLetters({ store, queues }: Engine, { dead }: Books): Promise<Record<string, number>> {
  const jobs: Record<string, number> = {};
  let sum = 0;
  for (const kind of LETTER_KINDS) {
    const count = await queues.queue(deadLetterQueue(kind)).count();
    if (count > 0) jobs[kind] = count;
    sum += count;
  }
  if (sum === dead) return jobs;
  const letters: Record<string, number> = {};
  for await (const { kind } of store.letters.list({})) letters[kind] = (letters[kind] ?? 0) + 1;
  return letters;
}

/** Walks every mailbox and letter, and compares what is there with the books of each run and with the total. */
async function recount(engine: Engine, total: Books): Promise<NonNullable<NamespaceStatus["verified"]>> {
  const { mailboxes, runs } = engine.store;
  const counted = await mailboxes.recount();
  const known = new Set([...(await runs.list(RECOUNTED_RUNS)).map(({ id }) => id), ...counted.keys()]);
  const differences: NonNullable<NamespaceStatus["verified"]>["differences"] = [];
  const compare = (run: string, booked: Books, seen: { readonly pending: number; readonly dead: number }): void => {
    for (const term of ["pending", "dead"] as const) {
      if (booked[term] !== seen[term]) differences.push({ run, term, books: booked[term], counted: seen[term] });
    }
  };
  const sum = { pending: 0, dead: 0 };
  for (const run of known) {
    const seen = counted.get(run) ?? { pending: 0, dead: 0 };
    sum.pending += seen.pending;
    sum.dead += seen.dead;
    compare(run, await runs.books(run), seen);
  }
  compare("total", total, sum);
  return { differences, lost: await mailboxes.lineUp(), inbox: await engine.store.inbox.verify() };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

async function schedulesOf(queues: Queues): Promise<NamespaceStatus["schedules"]> {
  const times = await scheduledTimes(queues);
  return times.map(({ feed, next }) => ({ feed, ...(next === undefined ? {} : { next: iso(next) }) }));
}

/** Wake-ups of a pool by BullMQ's states. */
async function wakeUpCounts(queues: Queues, pool: string): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const lane of LANES) {
    const counts = await queues.queue(wakeUpQueue(pool, lane)).getJobCounts();
    for (const [state, count] of Object.entries(counts)) sums[state] = (sums[state] ?? 0) + count;
  }
  return sums;
}
