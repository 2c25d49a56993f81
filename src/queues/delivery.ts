/**
 * The delivery of one pool in one process: woken by jobs, it takes a slot of the pace, claims the mailbox and sends.
 * It sweeps the due set for wake-ups that were lost, respects holds, and drains when it is stopped.
 */
import { randomBytes } from "node:crypto";
import { DelayedError, type Job } from "bullmq";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { AttributeWriter } from "../cognito/attribute-writer.ts";
import type { OwnWriter } from "../cognito/own-writer.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import type { Log } from "../log.ts";
import { deliverClaim, type Delivered, type DeliveryMeans, type HoldWanted } from "./claim-delivery.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import { StoreError } from "../store/store-error.ts";
import { createBurialLog } from "./burial-log.ts";
import type { JobWorker } from "./bullmq.ts";
import { publishLetters } from "./dead-letters.ts";
import type { Engine } from "./engine.ts";
import { createHoldWatch } from "./hold-watch.ts";
import { LANES, PRIORITY, type WakeUp, wakeUpQueue } from "./wake-ups.ts";

export interface DeliveryOptions {
  readonly engine: Engine;
  readonly profile: PoolProfile;
  readonly writer: AttributeWriter;
  readonly ownWriter: OwnWriter;
  readonly directory: UserDirectory;
  readonly updates: QuotaGovernor;
  readonly lists: QuotaGovernor;
  /** Calls in flight, at most. */
  readonly concurrency: number;
  /** Connect and request time-outs together, and a margin, in ms. */
  readonly leaseMs: number;
  readonly log: Log;
}

export interface Delivery {
  /** True while this process takes work: false while its credentials are refused, and while Redis is lost or full. */
  readonly ready: boolean;
  /** Why it does not, as a failure kind. */
  readonly heldBy: string | undefined;
  /**
   * Takes no more work and waits for what is under way; after `drainMs` the calls in flight are aborted, and what
   * they carried stays queued.
   */
  stop(drainMs: number): Promise<void>;
  /** Aborts what is under way at once. */
  abort(): void;
}

const SWEEP_EVERY_MS = 2000;
const SWEEP_LEASE_MS = 1500;
const SWEEP_PAGE = 500;
/** While as many jobs as a page holds are waiting, the workers have enough to do: only who has waited longest is swept. */
const SWEEP_FEW = 50;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
/** A delayed job wakes a little after the time it waits for, so that it does not come a millisecond too early. */
const LATE_BY_MS = 5;

/** Begins at once. */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const { engine, profile, updates, concurrency, leaseMs, log } = options;
  const { store, queues, wakeUps } = engine;
  const pool = profile.id;
  const holder = randomBytes(8).toString("hex");
  const abort = new AbortController();
  const holds = createHoldWatch(store.holds, pool, {
    placed: (scope, kind) => log.warn({ pool, scope, kind }, "hold placed"),
    lifted(scope) {
      log.info({ pool, scope }, "hold lifted");
      if (scope === "pool" && heldBy === undefined) goOn();
    },
  });
  const burials = createBurialLog(log, pool);
  const means: DeliveryMeans = { ...options, store, keyring: engine.keyring, holds };
  let heldBy: string | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  let resume: NodeJS.Timeout | undefined;
  let full = false;
  let stopping = false;

  /** This process takes no work for a while: its credentials are refused, or the pool is held. */
  function pause(ms: number): void {
    if (stopping || resume) return;
    for (const worker of workers) void worker.pause(true);
    resume = setTimeout(goOn, ms);
  }

  function goOn(): void {
    if (stopping || !resume) return;
    clearTimeout(resume);
    resume = undefined;
    for (const worker of workers) void worker.resume();
  }

  async function placeHold({ scope, failure }: HoldWanted): Promise<void> {
    if (scope === "process") {
      if (heldBy === undefined) log.error({ pool, kind: failure.kind, advice: failure.advice }, "deliveries paused");
      heldBy = failure.kind;
      // The other calls that were in flight are refused alike: that is one refusal, not many.
      if (resume) return;
      pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      return;
    }
    await holds.place(scope, failure.kind);
    if (scope === "pool") pause(FIRST_PAUSE_MS);
  }

  /** True for the fault of a Redis that is full: this process takes no work for a while, and says so once. */
  function waitsForMemory(error: unknown): boolean {
    const fault = redisFault(error);
    if (!(fault instanceof StoreError && fault.kind === "full")) return false;
    if (!full) log.error({ pool, err: fault }, "Redis is full");
    full = true;
    pause(FIRST_PAUSE_MS);
    return true;
  }

  function hasMemory(): void {
    if (full) log.info({ pool }, "Redis takes changes again");
    full = false;
  }

  async function conclude(user: string, delivered: Delivered): Promise<void> {
    if (delivered.late) log.warn({ pool, user, doubted: delivered.doubted }, "settle came too late");
    await publishLetters(queues, store.letters, delivered.letters);
    burials.note(delivered.letters);
    if (delivered.hold) return placeHold(delivered.hold);
    if (!delivered.answered) return;
    await holds.lift("pool");
    if (heldBy !== undefined) log.info({ pool }, "deliveries resumed");
    heldBy = undefined;
    pauseMs = FIRST_PAUSE_MS;
  }

  async function sleepUntil(job: Job<WakeUp>, token: string | undefined, inMs: number): Promise<never> {
    await job.moveToDelayed(Date.now() + Math.ceil(inMs) + LATE_BY_MS, token);
    throw new DelayedError();
  }

  /** What goes wrong here is the store's fault, not Cognito's. The job is gone with it, and the sweep wakes the user again. */
  async function process(job: Job<WakeUp>, lock: string | undefined, priority: number): Promise<void> {
    try {
      const sleepMs = await deliver(job.data.user, priority);
      if (sleepMs !== undefined) await sleepUntil(job, lock, sleepMs);
    } catch (error) {
      if (error instanceof DelayedError || abort.signal.aborted || waitsForMemory(error)) throw error;
      log.warn({ pool, user: job.data.user, err: error }, "delivery failed");
      throw error;
    }
  }

  /** Another process may lift the pool's hold before the next probe is due, so this one looks again soon. */
  function waitForHold(retryInMs: number): number {
    pause(Math.min(retryInMs, FIRST_PAUSE_MS));
    return retryInMs;
  }

  /** Delivers what a user has, and goes on while there is more at once. Answers when to look again, if at all. */
  async function deliver(user: string, wokenAs: number): Promise<number | undefined> {
    for (let priority = wokenAs; ;) {
      const before = await holds.ask("pool");
      if (before.is === "held") return waitForHold(before.retryInMs);
      const slot = await updates.acquire({ priority, signal: abort.signal });
      let delivered: Delivered;
      try {
        // It may have been placed while the slot was waited for.
        const hold = before.is === "probe" ? before : await holds.ask("pool");
        if (hold.is === "held") return waitForHold(hold.retryInMs);
        const askedAt = performance.now();
        const token = randomBytes(16).toString("base64url");
        const answer = await store.mailboxes.claim(user, token, leaseMs);
        if (answer.is === "idle") return undefined;
        if (answer.is !== "claimed") return answer.retryInMs;
        const claim = { user, token, answer, leaseEndsAt: askedAt + leaseMs };
        delivered = await deliverClaim(means, claim, slot, abort.signal);
      } finally {
        // Does nothing where a call was made in it.
        slot.giveBack();
      }
      await conclude(user, delivered);
      const { dueInMs, priority: left = priority } = delivered;
      if (dueInMs === undefined || dueInMs > 0 || stopping || resume || abort.signal.aborted) return dueInMs;
      // It came while the call was in flight, and may be urgent where this job is not.
      priority = left;
    }
  }

  /** Wakes users of the due set, those who have waited longest first, and answers how many. */
  async function sweep(offset: number, limit: number): Promise<number> {
    const dues = await store.mailboxes.sweep(pool, { holder, leaseMs: SWEEP_LEASE_MS, offset, limit });
    await wakeUps.rewake(pool, dues);
    return dues.length;
  }

  if (engine.kind === "embedded") {
    await wakeUps.reset(pool);
    for (let offset = 0; (await sweep(offset, SWEEP_PAGE)) === SWEEP_PAGE;) offset += SWEEP_PAGE;
  }
  // As many places for single changes as for a bulk run, all of whose jobs may be waiting for the pace. How many calls
  // are in flight is the governor's to say.
  const workers: readonly JobWorker<WakeUp>[] = LANES.map((lane) => {
    const priority = lane === "urgent" ? PRIORITY.direct : PRIORITY.bulk;
    return queues.worker<WakeUp>(wakeUpQueue(pool, lane), (job, lock) => process(job, lock, priority), { concurrency });
  });

  let sweeping: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (sweeping || resume) return;
    const few = wakeUps.waiting(pool).then((jobs) => (jobs < SWEEP_PAGE ? SWEEP_PAGE : SWEEP_FEW));
    sweeping = few
      .then((limit) => sweep(0, limit))
      .then(
        () => {
          sweeping = undefined;
          hasMemory();
        },
        (error: unknown) => {
          sweeping = undefined;
          if (!waitsForMemory(error)) log.warn({ pool, err: error }, "sweep failed");
        },
      );
  }, SWEEP_EVERY_MS);

  return {
    get ready() {
      return engine.connected && heldBy === undefined && !full && !stopping;
    },
    get heldBy() {
      return heldBy;
    },
    abort() {
      abort.abort();
    },
    async stop(drainMs) {
      stopping = true;
      clearInterval(timer);
      clearTimeout(resume);
      const deadline = setTimeout(() => abort.abort(), drainMs);
      try {
        await sweeping;
        await Promise.all(workers.map((worker) => worker.close()));
      } finally {
        clearTimeout(deadline);
        burials.close();
      }
    },
  };
}
