/**
 * The delivery of one pool in one process: woken by jobs, it takes a slot of the pace, claims the mailbox and sends.
 * It sweeps the due set for wake-ups that were lost, respects holds, and drains when it is stopped.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { DelayedError, type Job, WaitingError } from "bullmq";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { AttributeWriter } from "../cognito/attribute-writer.ts";
import type { OwnWriter } from "../cognito/own-writer.ts";
import type { QuotaGovernor, Slot } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import type { Log } from "../log.ts";
import { deliverClaim, type Delivered, type HoldWanted } from "./claim-delivery.ts";
import type { DeliveryMeans } from "./delivery-means.ts";
import { giveBackClaim } from "./claim-session.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import type { Swept } from "../store/mailboxes.ts";
import { StoreError } from "../store/store-error.ts";
import { createBurialLog } from "./burial-log.ts";
import type { JobWorker } from "../queues/bullmq.ts";
import { publishLetters } from "../queues/dead-letters.ts";
import type { Engine } from "../queues/engine.ts";
import { createHoldWatch } from "./hold-watch.ts";
import { isOwn, LANES, PRIORITY, type WakeUp, wakeUpQueue } from "../queues/wake-ups.ts";

export interface DeliveryOptions {
  readonly engine: Engine;
  readonly profile: PoolProfile;
  readonly writer: AttributeWriter;
  readonly ownWriter: OwnWriter;
  readonly directory: UserDirectory;
  readonly names: DeliveryMeans["names"];
  readonly subs: DeliveryMeans["subs"];
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

/** What a user's turn left: nothing, a time to look again in ms, or everything, as this process takes no work just now. */
type Next = number | "put-back" | undefined;

const SWEEP_EVERY_MS = 2000;
const SWEEP_LEASE_MS = 1500;
const SWEEP_PAGE = 500;
/** How far the clocks of the fleet and of the store may be apart before a sweep wakes whom a waiting job will wake. */
const CLOCKS_MS = 1_000;
/** When a user is looked at again about whom the store failed. */
const STORE_FAILED_MS = 2_000;
/** How many users are in hand for each call in flight: one is claimed and one is settled meanwhile. */
const PLACES_A_CALL = 3;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
/** A delayed job wakes a little after the time it waits for, so that it does not come a millisecond too early. */
const LATE_BY_MS = 5;

/** Begins at once. Rejects where the store is of another format by now. */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const { engine, profile, updates, concurrency, leaseMs, log } = options;
  const { store, queues, wakeUps } = engine;
  const pool = profile.id;
  await store.look();
  const holder = randomBytes(8).toString("hex");
  const abort = new AbortController();
  /** Ends for who waits for the pace: nothing is under way for them. */
  const waiting = new AbortController();
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
  let sweptUpTo = SWEEP_PAGE;
  /** Refusals that may end in a hold, until they have: nobody else's call is begun meanwhile. */
  const refusals = new Set<Promise<void>>();

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

  async function sleep(job: Job<WakeUp>, lock: string | undefined, user: string, inMs: number): Promise<void> {
    const forMs = Math.ceil(inMs) + LATE_BY_MS;
    if (isOwn(job)) {
      await job.moveToDelayed(Date.now() + forMs, lock);
      throw new DelayedError();
    }
    try {
      await wakeUps.sleep(pool, user, forMs);
    } catch (error) {
      // The others of the job are not to lose it: a sweep wakes this one.
      log.warn({ pool, user, err: redisFault(error) }, "wake-up failed");
    }
  }

  /**
   * For another process, or for this one when it goes on. On Redis to the head of the queue; on the embedded engine to
   * its end, but there nobody else works, and a start makes the queue anew.
   */
  async function putBack(job: Job<WakeUp>, lock: string | undefined, users: readonly string[]): Promise<never> {
    const failed = (error: unknown): void => log.warn({ pool, err: redisFault(error) }, "wake-up failed");
    // Who was delivered to already has nothing to do, should that fail.
    if (users.length < job.data.users.length) await job.updateData({ users }).catch(failed);
    // Should this fail, it stays with this worker, and is put back as stalled when its lock ends.
    await job.moveToWait(lock).catch(failed);
    throw new WaitingError();
  }

  /** Delivers to the users of a job in their order, and puts those back whom it does not get to. */
  async function process(job: Job<WakeUp>, lock: string | undefined, priority: number): Promise<void> {
    const { users } = job.data;
    for (const [nth, user] of users.entries()) {
      const next = stopping || resume ? "put-back" : await tryDeliver(user, priority, isOwn(job));
      if (next === "put-back") await putBack(job, lock, users.slice(nth));
      else if (next !== undefined) await sleep(job, lock, user, next);
    }
  }

  /** What goes wrong here is the store's fault, not Cognito's. */
  async function tryDeliver(user: string, priority: number, goesOn: boolean): Promise<Next> {
    try {
      return await deliver(user, priority, goesOn);
    } catch (error) {
      if (stopping || abort.signal.aborted || waitsForMemory(error)) return "put-back";
      log.warn({ pool, user, err: error }, "delivery failed");
      return STORE_FAILED_MS;
    }
  }

  /** Another process may lift the pool's hold before the next probe is due, so this one looks again soon. */
  function waitForHold(retryInMs: number): Next {
    pause(Math.min(retryInMs, FIRST_PAUSE_MS));
    return "put-back";
  }

  /** A slot is not kept while one waits: a delivery that was refused may need it for its next call. */
  async function takeSlot(priority: number): Promise<Slot> {
    for (;;) {
      const slot = await updates.acquire({ priority, signal: waiting.signal });
      if (refusals.size === 0) return slot;
      slot.giveBack();
      await Promise.all(refusals);
    }
  }

  /**
   * Delivers what a user has, and `goesOn` while there is more at once: not where others wait in the same job, but there
   * what is urgent has a job of its own.
   */
  async function deliver(user: string, wokenAs: number, goesOn: boolean): Promise<Next> {
    for (let priority = wokenAs; ;) {
      const before = await holds.ask("pool");
      if (before.is === "held") return waitForHold(before.retryInMs);
      const slot = await takeSlot(priority);
      let delivered: Delivered;
      const refusal = Promise.withResolvers<void>();
      try {
        // Both may have changed while the slot was waited for.
        if (heldBy !== undefined && resume) return "put-back";
        const hold = before.is === "probe" ? before : await holds.ask("pool");
        if (hold.is === "held") return waitForHold(hold.retryInMs);
        const askedAt = performance.now();
        const token = randomUUID();
        const answer = await store.mailboxes.claim(user, token, leaseMs);
        if (answer.is === "idle") return undefined;
        if (answer.is !== "claimed") return answer.retryInMs;
        const claim = { user, token, answer, leaseEndsAt: askedAt + leaseMs };
        const mayBegin = await slot.begin();
        // And this while others made their calls. It does not hold up a probe, because the next one is far away.
        const isHeldUp = hold.is !== "probe" && (stopping || resume !== undefined || refusals.size > 0);
        if (!mayBegin || isHeldUp) {
          await giveBackClaim(store.mailboxes, engine.keyring, claim, leaseMs);
          return "put-back";
        }
        delivered = await deliverClaim(means, claim, slot, abort.signal, () => refusals.add(refusal.promise));
        await conclude(user, delivered);
      } finally {
        refusals.delete(refusal.promise);
        refusal.resolve();
        // Does nothing where a call was made in it.
        slot.giveBack();
      }
      const { dueInMs, priority: left = priority } = delivered;
      if (dueInMs === undefined || dueInMs > 0) return dueInMs;
      if (!goesOn) {
        if (left >= PRIORITY.bulk) return dueInMs;
        await wakeUps.wake(pool, [{ user, priority: left }]);
        return undefined;
      }
      if (stopping || resume || abort.signal.aborted) return "put-back";
      // It came while the call was in flight, and may be urgent where this job is not.
      priority = left;
    }
  }

  const due = (offset: number): Promise<readonly Swept[]> =>
    store.mailboxes.sweep(pool, { holder, leaseMs: SWEEP_LEASE_MS, offset, limit: SWEEP_PAGE });

  /**
   * Wakes those again whom no job will wake: those who have waited longest, and each time another page of the others,
   * because one whose change is urgent may be among them.
   */
  async function sweep(): Promise<void> {
    const first = await due(0);
    const further = first.length === SWEEP_PAGE ? await due(sweptUpTo) : [];
    sweptUpTo = further.length === SWEEP_PAGE ? sweptUpTo + SWEEP_PAGE : SWEEP_PAGE;
    // Looked at last: who is put meanwhile has a job by then.
    const oldest = (await wakeUps.oldest(pool)) ?? Infinity;
    const isLost = ({ priority, dueAt }: Swept): boolean => priority < PRIORITY.bulk || dueAt < oldest - CLOCKS_MS;
    await wakeUps.rewake(pool, [...first, ...further].filter(isLost));
  }

  if (engine.kind === "embedded") {
    await wakeUps.reset(pool);
    for (let offset = 0, swept = SWEEP_PAGE; swept === SWEEP_PAGE; offset += SWEEP_PAGE) {
      const dues = await due(offset);
      await wakeUps.wake(pool, dues);
      swept = dues.length;
    }
  }
  // Single changes have places of their own, because all of a bulk run's may be waiting for the pace. How many calls are
  // in flight is the governor's to say: somebody else is ready to call while a user is settled.
  const workers: readonly JobWorker<WakeUp>[] = LANES.map((lane) => {
    const priority = lane === "urgent" ? PRIORITY.direct : PRIORITY.bulk;
    return queues.worker<WakeUp>(wakeUpQueue(pool, lane), (job, lock) => process(job, lock, priority), {
      concurrency: concurrency * PLACES_A_CALL,
    });
  });

  let sweeping: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (sweeping || resume || stopping) return;
    sweeping = sweep().then(
      () => {
        sweeping = undefined;
        hasMemory();
      },
      (error: unknown) => {
        sweeping = undefined;
        if (!stopping && !waitsForMemory(error)) log.warn({ pool, err: error }, "sweep failed");
      },
    );
  }, SWEEP_EVERY_MS);

  /** Nothing may be written any more, and whoever started this is to stop it. */
  const onForeign = (): void => {
    log.error({ pool, err: store.foreign.reason }, "deliveries ended");
    stopping = true;
    clearTimeout(resume);
    for (const worker of workers) void worker.pause(true);
    waiting.abort();
    abort.abort();
  };
  if (store.foreign.aborted) onForeign();
  else store.foreign.addEventListener("abort", onForeign, { once: true });

  return {
    get ready() {
      return engine.connected && heldBy === undefined && !full && !stopping;
    },
    get heldBy() {
      return heldBy;
    },
    abort() {
      waiting.abort();
      abort.abort();
    },
    async stop(drainMs) {
      stopping = true;
      store.foreign.removeEventListener("abort", onForeign);
      clearInterval(timer);
      clearTimeout(resume);
      // They fetch no more from now on: what is put back stays there.
      const closing = Promise.all(workers.map((worker) => worker.close()));
      waiting.abort();
      const deadline = setTimeout(() => abort.abort(), drainMs);
      try {
        await Promise.all([sweeping, closing]);
      } finally {
        clearTimeout(deadline);
        burials.close();
      }
    },
  };
}
