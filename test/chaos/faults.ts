/** Carries a plan's faults out, each at its time. Those of Redis itself come one after another. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./children.ts";
import type { Model } from "./model.ts";
import type { Fault, Link, Plan, Undo, Victim } from "./plan.ts";
import type { RedisFleet } from "./redis-fleet.ts";
import type { createTally } from "./report.ts";
import type { Service } from "./service.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

interface Killable {
  readonly child: Child | undefined;
  kill(backInMs: number): Promise<void>;
}

export interface FaultMeans {
  readonly plan: Plan;
  readonly tally: ReturnType<typeof createTally>;
  readonly model: Model;
  readonly service: Service;
  readonly links: Readonly<Partial<Record<Link["to"], readonly TcpProxy[]>>>;
  readonly redis?: RedisFleet;
  readonly victims: Readonly<Partial<Record<Victim["of"], readonly Killable[]>>>;
  orderReplay(): Promise<void>;
  /** Empties Redis. What is returned starts it anew. */
  empty?(): Promise<Undo>;
  twinFeed(): boolean;
  readonly say: (line: string) => void;
}

export interface Faults {
  /** True once all were begun. */
  over(): boolean;
  /** Resolves when all are ended as well. Rejects with the first that could not be carried out. */
  ended(): Promise<void>;
  /** Does something between two faults of Redis, while no connection is slowed or held up. */
  whileRedisIsUp<T>(act: () => Promise<T>): Promise<T>;
  /** Gives the plan up: nothing more is begun, and what lasts is ended now. Resolves when it is. */
  stop(): Promise<void>;
}

export function startFaults(deps: FaultMeans): Faults {
  const { plan, tally, model, service, links, redis, victims, say } = deps;
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const givenUp = new AbortController();
  const { signal } = givenUp;
  const oneByOne = createTurns(signal);
  const sentinelsOneByOne = createTurns(signal);
  const strain = createStrain();
  let over = false;

  const proxyOf = ({ to, index }: Link): TcpProxy | undefined => {
    const all = links[to] ?? [];
    return all[index % Math.max(1, all.length)];
  };

  function victimOf({ of, index }: Victim): Killable | undefined {
    const all = (victims[of] ?? []).filter(({ child }) => child?.alive === true && !child.suspended);
    return all[index % Math.max(1, all.length)];
  }

  /** Ends what was begun after so long, or as soon as the plan is given up. */
  async function lasts(forMs: number, begin: () => Promise<Undo | undefined> | Undo | undefined): Promise<boolean> {
    const undo = await begin();
    if (!undo) return false;
    try {
      await sleep(forMs, undefined, { signal });
    } finally {
      await undo();
    }
    return true;
  }

  async function away(
    of: "replica" | "sentinel",
    index: number,
    by: "SIGKILL" | "SIGSTOP",
    forMs: number,
  ): Promise<boolean> {
    if (redis?.kind !== "sentinel") return false;
    const inTurn = of === "replica" ? oneByOne : sentinelsOneByOne;
    return inTurn(() => lasts(forMs, () => redis.away(of, index, by)));
  }

  async function suspend(victim: Victim, forMs: number): Promise<boolean> {
    const { of, index } = victim;
    if (of === "redis") {
      if (redis?.kind !== "lone") return false;
      return oneByOne(() =>
        lasts(forMs, () => {
          redis.suspend();
          return () => redis.goOn();
        }),
      );
    }
    if (of === "replica" || of === "sentinel") return away(of, index, "SIGSTOP", forMs);
    const child = of === "emulator" ? service.child : victimOf(victim)?.child;
    return lasts(forMs, () => {
      if (!child?.alive || child.suspended) return undefined;
      child.suspend();
      return () => {
        if (child.alive) child.goOn();
      };
    });
  }

  async function kill(victim: Victim, backInMs: number): Promise<boolean> {
    const { of, index } = victim;
    if (of === "emulator") return lasts(backInMs, () => service.kill());
    if (of === "replica" || of === "sentinel") return away(of, index, "SIGKILL", backInMs);
    const picked = victimOf(victim);
    await picked?.kill(backInMs);
    return picked !== undefined;
  }

  /** Answers whether there was anybody to suffer it. */
  async function carryOut(fault: Fault): Promise<boolean> {
    switch (fault.kind) {
      case "kill":
        return kill(fault.victim, fault.backInMs);
      case "suspend":
        return suspend(fault.victim, fault.forMs);
      case "service":
        return lasts(fault.forMs, () => service.suffer(fault.what, fault.share));
      case "cut":
        return (proxyOf(fault.link)?.cut(fault.share) ?? 0) > 0;
      case "slow":
        return lasts(fault.forMs, () => strain.put(proxyOf(fault.link), { byMs: fault.byMs }));
      case "hold-up":
        return lasts(fault.forMs, () => strain.put(proxyOf(fault.link), { held: true }));
      case "redis-killed":
        if (redis?.kind !== "lone") return false;
        return oneByOne(() =>
          lasts(fault.backInMs, async () => {
            const loss = await redis.kill(fault.losesMs);
            if (loss) model.lost(loss);
            return () => redis.startAgain();
          }),
        );
      case "redis-emptied":
        return oneByOne(() => lasts(fault.backInMs, () => deps.empty?.()));
      case "redis-full":
        if (!redis) return false;
        return oneByOne(() =>
          lasts(fault.forMs, async () => {
            await redis.full(true);
            return () => redis.full(false);
          }),
        );
      case "failover":
        if (redis?.kind !== "sentinel") return false;
        await oneByOne(() => redis.failover(fault.by));
        return true;
      case "replay":
        await oneByOne(() => deps.orderReplay());
        return true;
      case "twin-feed":
        return deps.twinFeed();
    }
  }

  const done = (async () => {
    const startedAt = Date.now();
    const untilMs = (atMs: number): Promise<void> =>
      sleep(Math.max(0, startedAt + atMs - Date.now()), undefined, { signal });
    for (const { atMs, fault } of plan.faults) {
      await untilMs(atMs);
      const name = nameOf(fault);
      const one = carryOut(fault)
        .then(
          (suffered) => tally.add(suffered ? name : `${name}, in vain`),
          (error: unknown) => {
            // What ended because the plan was given up has not failed.
            if (signal.aborted && error instanceof Error && error.name === "AbortError") return;
            say(`${name} could not be carried out: ${String(error)}`);
            failures.push(error);
          },
        )
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await untilMs(plan.forMs);
    over = true;
  })();

  return {
    over: () => over,
    async ended() {
      await done;
      await Promise.all(underWay);
      if (failures.length > 0) throw failures[0];
    },
    whileRedisIsUp: (act) =>
      oneByOne(async () => {
        strain.pause();
        try {
          return await act();
        } finally {
          strain.goOn();
        }
      }),
    async stop() {
      givenUp.abort();
      await Promise.allSettled([done, ...underWay]);
    },
  };
}

/** What is done by it is done one after another, and nothing is begun once the signal aborts. */
function createTurns(signal: AbortSignal): <T>(act: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = last.then(() => {
      signal.throwIfAborted();
      return act();
    });
    last = turn.catch(() => undefined);
    return turn;
  };
}

interface Strained {
  readonly byMs?: number;
  readonly held?: true;
}

/** What slows or holds up which proxy; several may lie over one another, and all may be lifted for a while. */
function createStrain() {
  const strained = new Map<TcpProxy, Set<Strained>>();
  let paused = 0;
  function set(proxy: TcpProxy): void {
    const all = paused > 0 ? [] : [...(strained.get(proxy) ?? [])];
    proxy.slow(all.reduce((sum, { byMs = 0 }) => sum + byMs, 0));
    proxy.holdUp(all.some(({ held }) => held === true));
  }
  const setAll = (): void => [...strained.keys()].forEach(set);
  return {
    put(proxy: TcpProxy | undefined, one: Strained): Undo | undefined {
      if (!proxy) return undefined;
      const all = strained.get(proxy) ?? new Set();
      strained.set(proxy, all.add(one));
      set(proxy);
      return () => {
        all.delete(one);
        set(proxy);
      };
    },
    pause(): void {
      paused += 1;
      setAll();
    },
    goOn(): void {
      paused -= 1;
      setAll();
    },
  };
}

function nameOf(fault: Fault): string {
  switch (fault.kind) {
    case "kill":
    case "suspend":
      return `${fault.kind} ${fault.victim.of}`;
    case "service":
      return fault.what;
    case "cut":
    case "slow":
    case "hold-up":
      return `${fault.kind} ${fault.link.to}`;
    case "redis-killed":
      return fault.losesMs > 0 ? "redis power cut" : "redis killed";
    case "redis-emptied":
      return "redis emptied";
    case "failover":
      return `failover by ${fault.by}`;
    default:
      return fault.kind;
  }
}
