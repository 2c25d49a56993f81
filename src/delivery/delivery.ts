/**
 * The delivery of one pool in one process, put together of its parts: workers fetch wake-ups (queues), the processor takes
 * the turns of their users (wake-up-processor.ts, user-turn.ts), the intake says whether work is taken (intake.ts), and the
 * sweeper wakes those whose wake-up was lost (sweeper.ts).
 */
import type { Log } from "../log.ts";
import type { JobWorker } from "../queues/bullmq.ts";
import type { Engine } from "../queues/engine.ts";
import { LANES, PRIORITY, type WakeUp, wakeUpQueue } from "../queues/wake-ups.ts";
import type { ClosedGate } from "../store/gates.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import { createBurialLog } from "./burial-log.ts";
import type { DeliveryDeps } from "./delivery-deps.ts";
import { createIntake } from "./intake.ts";
import { createHoldWatch } from "./hold-watch.ts";
import { logSettles } from "./settle-log.ts";
import { createSweeper } from "./sweeper.ts";
import { createUserTurn } from "./user-turn.ts";
import { keepAlive } from "./worker-lease.ts";
import { createWakeUpProcessor } from "./wake-up-processor.ts";
import { createWorkLog } from "./work-log.ts";

export interface DeliveryOptions extends Omit<DeliveryDeps, "store" | "settles" | "keyring" | "holds"> {
  readonly engine: Engine;
  /** Calls in flight, at most. */
  readonly concurrency: number;
  readonly log: Log;
}

export interface Delivery {
  /** Wakes everybody of whom something is delivered here, for when what that is has grown. */
  wakeAll(): Promise<void>;
  /** True while this process takes work: false while its credentials are refused, and while Redis is lost or full. */
  readonly ready: boolean;
  /** Why it does not, as a failure kind. */
  readonly onHoldFor: string | undefined;
  /** What somebody has paused that this process would deliver. */
  readonly paused: readonly ClosedGate[];
  /**
   * Takes no more work and waits for what is under way; after `drainMs` the calls in flight are aborted, and what
   * they carried stays queued.
   */
  stop(drainMs: number): Promise<void>;
  /** Aborts what is under way at once. */
  abort(): void;
}

/** How many users are in hand for each call in flight: one is claimed and one is settled meanwhile. */
const PLACES_A_CALL = 3;

/**
 * Begins at once. Rejects where the store is another one by now. One function of 90 lines, which does nothing but
 * put the parts together.
 */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const { engine, profile, concurrency, log } = options;
  const { store, keyring, queues, wakeUps } = engine;
  const pool = profile.id;
  await store.look();
  const intake = createIntake({
    pool,
    log,
    pause: pauseWorkers,
    resume: () => workers.forEach((worker) => void worker.resume()),
  });
  const holds = createHoldWatch(store.holds, pool, {
    placed: (scope, kind) => log.warn({ pool, scope, kind }, "hold placed"),
    lifted(scope) {
      log.info({ pool, scope }, "hold lifted");
      if (scope === "pool") intake.lifted();
    },
  });
  const burials = createBurialLog(log, pool);
  const work = createWorkLog(log, pool);
  const turn = createUserTurn({
    ...options,
    store,
    settles: logSettles(store.mailboxes, pool, log, work),
    keyring,
    holds,
    queues,
    intake,
    report: ({ letters }) => burials.add(letters),
  });
  // Who delivers some runs takes no wake-up of a single change: that is never theirs, and nobody else would get it soon.
  const lanes = options.selection === undefined ? LANES : (["bulk"] as const);
  const process = createWakeUpProcessor({ pool, wakeUps, turn, intake, log, lanes });
  const sweeper = createSweeper(engine, {
    pool,
    intake,
    selection: options.selection,
    deliver: (users) => process({ data: { users } }, PRIORITY.bulk),
    log,
  });

  await sweeper.renew();
  // Single changes have places of their own, because all of a bulk run's may be waiting for the pace. How many calls are
  // in flight is the governor's to say: somebody else is ready to call while a user is settled.
  const workers: readonly JobWorker<WakeUp>[] = lanes.map((lane) => {
    const priority = lane === "urgent" ? PRIORITY.direct : PRIORITY.bulk;
    return queues.worker<WakeUp>(wakeUpQueue(pool, lane), (job) => process(job, priority), {
      concurrency: concurrency * PLACES_A_CALL,
      onStuck: (error) => log.warn({ pool, err: redisFault(error) }, "wake-up failed"),
    });
  });
  sweeper.start();
  // Who delivers what it put itself is of no use to anybody else.
  const lease = options.selection === undefined ? keepAlive(store, { does: "delivery", pool }) : undefined;

  function pauseWorkers(): void {
    for (const worker of workers) void worker.pause(true);
  }

  /** Nothing may be written any more, and whoever started this is to stop it. */
  const onLost = (): void => {
    log.error({ pool, err: store.lost.reason }, "deliveries ended");
    intake.stop();
    pauseWorkers();
    intake.abort();
  };
  if (store.lost.aborted) onLost();
  else store.lost.addEventListener("abort", onLost, { once: true });

  return {
    get ready() {
      return engine.connected && intake.refusedAs === undefined && !intake.isFull && !intake.isStopped;
    },
    get onHoldFor() {
      return intake.refusedAs;
    },
    get paused() {
      return sweeper.paused;
    },
    abort: () => intake.abort(),
    wakeAll: () => sweeper.wakeAll(),
    async stop(drainMs) {
      intake.stop();
      lease?.end();
      store.lost.removeEventListener("abort", onLost);
      const swept = sweeper.stop();
      // The workers fetch no more from now on: what is put back stays there.
      const closing = Promise.all(workers.map((worker) => worker.close()));
      intake.turnAway();
      const deadline = setTimeout(() => intake.abort(), drainMs);
      try {
        await Promise.all([swept, closing]);
      } finally {
        clearTimeout(deadline);
        burials.close();
        work.close();
      }
    },
  };
}
