/**
 * Looks every two seconds at which users of a pool are due in the store, and wakes those again whose wake-up was lost. One
 * process of a fleet sweeps at a time. It rests while no work is taken. Before each sweep it looks at the gates
 * (pause-watch.ts).
 */
import { randomBytes } from "node:crypto";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import { PRIORITY } from "../queues/wake-ups.ts";
import type { Selection, Swept } from "../store/mailboxes.ts";
import type { ClosedGate } from "../store/gates.ts";
import { createPauseWatch } from "./pause-watch.ts";
import type { Intake } from "./intake.ts";

export interface Sweeper {
  /** Where this process alone works the wake-ups, makes them anew. To be called before any is processed. */
  renew(): Promise<void>;
  /** Wakes everybody who is due. */
  wakeAll(): Promise<void>;
  /** What somebody has paused that this process would deliver. */
  readonly paused: readonly ClosedGate[];
  start(): void;
  /** Begins no further sweep, and resolves when the one that is under way has ended. */
  stop(): Promise<void>;
}

const SWEEP_EVERY_MS = 2000;
const SWEEP_LEASE_MS = 1500;
const SWEEP_PAGE = 500;
/** To how many users of its own a sweep delivers by itself. */
const AT_ONCE = 25;
/**
 * How far the clocks of the fleet and of the store may be apart. Only a user who has been due for longer than the oldest
 * shared job has waited, and for this much longer, is taken for one whom no job will wake.
 */
const CLOCKS_MS = 1_000;

export interface SweeperOptions {
  readonly pool: string;
  readonly intake: Pick<Intake, "takesWork" | "isStopped" | "hasMemory" | "waitsForMemory">;
  /** What this process delivers; everything, where it is absent. */
  readonly selection: (() => Selection) | undefined;
  /** Delivers to users here, as one of their wake-ups would. */
  readonly deliver: (users: readonly string[]) => Promise<unknown>;
  readonly log: Log;
}

export function createSweeper(
  { kind, store, wakeUps }: Pick<Engine, "kind" | "store" | "wakeUps">,
  { pool, intake, selection, deliver, log }: SweeperOptions,
): Sweeper {
  // Nobody else sweeps an embedded store: whoever comes next need not wait for the lease of whoever has ended.
  const holder = kind === "embedded" ? "alone" : randomBytes(8).toString("hex");
  let nextPageAt = SWEEP_PAGE;
  let sweeping: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const pauses = createPauseWatch({ store, wakeUps }, pool, log);

  const due = (offset: number): Promise<readonly Swept[]> =>
    store.mailboxes.sweep(pool, { holder, leaseMs: SWEEP_LEASE_MS, offset, limit: SWEEP_PAGE });

  /** Those of whom something is delivered here, in the lane that is worked here. */
  function own(swept: readonly Swept[]): readonly Swept[] {
    const { runs } = selection?.() ?? {};
    if (runs === undefined) return swept;
    return swept.flatMap((one) =>
      one.runs.some((run) => runs.includes(run)) ? { ...one, priority: PRIORITY.bulk } : [],
    );
  }

  /**
   * Who delivers some runs may take wake-ups of others for nothing, and the others its own. Those of others are woken
   * again; of its own it delivers some at once, whoever would take their wake-ups.
   */
  async function rewakeAmongOthers(lost: readonly Swept[]): Promise<void> {
    const mine = own(lost);
    const users = new Set(mine.map(({ user }) => user));
    await wakeUps.rewake(pool, [...lost.filter(({ user }) => !users.has(user)), ...mine.slice(AT_ONCE)]);
    await Promise.all(mine.slice(0, AT_ONCE).map(({ user }) => deliver([user])));
  }

  async function wakeAll(): Promise<void> {
    for (let offset = 0, swept = SWEEP_PAGE; swept === SWEEP_PAGE; offset += SWEEP_PAGE) {
      const dues = await due(offset);
      await wakeUps.wake(pool, own(dues));
      swept = dues.length;
    }
  }

  /**
   * Wakes those again whom no job will wake: those who have waited longest, and each time another page of the others,
   * because one whose change is urgent may be among them.
   */
  async function sweep(): Promise<void> {
    const first = await due(0);
    const further = first.length === SWEEP_PAGE ? await due(nextPageAt) : [];
    nextPageAt = further.length === SWEEP_PAGE ? nextPageAt + SWEEP_PAGE : SWEEP_PAGE;
    // The jobs are looked at after the users: whoever is put meanwhile has a job by then.
    const oldest = (await wakeUps.oldest(pool)) ?? Infinity;
    const isLost = ({ priority, dueAt }: Swept): boolean => priority < PRIORITY.bulk || dueAt < oldest - CLOCKS_MS;
    const lost = [...first, ...further].filter(isLost);
    if (selection === undefined || kind === "embedded") await wakeUps.rewake(pool, own(lost));
    else await rewakeAmongOthers(lost);
  }

  async function sweepOnce(): Promise<void> {
    try {
      await pauses.look();
      await sweep();
      intake.hasMemory();
    } catch (error) {
      if (!intake.isStopped && !intake.waitsForMemory(error)) log.warn({ pool, err: error }, "sweep failed");
    } finally {
      sweeping = undefined;
    }
  }

  return {
    async renew() {
      await pauses.look();
      if (await wakeUps.reset(pool)) await wakeAll();
    },
    wakeAll,
    get paused() {
      return pauses.paused;
    },
    start() {
      timer = setInterval(() => {
        if (sweeping === undefined && intake.takesWork) sweeping = sweepOnce();
      }, SWEEP_EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      await sweeping;
    },
  };
}
