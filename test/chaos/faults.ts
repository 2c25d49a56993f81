/** Carries a plan's faults out, each at its time. Those of Redis itself come one after another. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./children.ts";
import type { Model } from "./model.ts";
import type { Fault, Link, Plan, Victim } from "./plan.ts";
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
}

export function startFaults(means: FaultMeans): Faults {
  const { plan, tally, model, service, links, redis, victims, say } = means;
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const oneByOne = createTurns();
  const sentinelsOneByOne = createTurns();
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

  async function suspend(victim: Victim, forMs: number): Promise<boolean> {
    if (victim.of === "redis") {
      if (redis?.kind !== "lone") return false;
      await oneByOne(async () => {
        redis.suspend();
        await sleep(forMs);
        redis.goOn();
      });
      return true;
    }
    if (victim.of === "replica" || victim.of === "sentinel") {
      if (redis?.kind !== "sentinel") return false;
      if (victim.of === "replica") await oneByOne(() => redis.suspendReplica(victim.index, forMs));
      else await sentinelsOneByOne(() => redis.suspendSentinel(victim.index, forMs));
      return true;
    }
    const child = victim.of === "emulator" ? service.child : victimOf(victim)?.child;
    if (!child || child.suspended) return false;
    child.suspend();
    await sleep(forMs);
    if (child.alive) child.goOn();
    return true;
  }

  async function kill(victim: Victim, backInMs: number): Promise<boolean> {
    const { of, index } = victim;
    if (of === "emulator") {
      if (service.child.suspended) return false;
      await service.kill(backInMs);
      return true;
    }
    if (of === "replica" || of === "sentinel") {
      if (redis?.kind !== "sentinel") return false;
      if (of === "replica") await oneByOne(() => redis.killReplica(index, backInMs));
      else await sentinelsOneByOne(() => redis.killSentinel(index, backInMs));
      return true;
    }
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
      case "service": {
        const end = await service.suffer(fault.what, fault.share);
        await sleep(fault.forMs);
        await end();
        return true;
      }
      case "cut":
        return (proxyOf(fault.link)?.cut(fault.share) ?? 0) > 0;
      case "slow":
        return strain.put(proxyOf(fault.link), { byMs: fault.byMs }, fault.forMs);
      case "hold-up":
        return strain.put(proxyOf(fault.link), { held: true }, fault.forMs);
      case "redis-killed":
        if (redis?.kind !== "lone") return false;
        await oneByOne(async () => {
          const loss = await redis.kill(fault.losesMs);
          if (loss) model.lost(loss);
          await sleep(fault.backInMs);
          await redis.startAgain();
        });
        return true;
      case "redis-full":
        if (!redis) return false;
        await oneByOne(async () => {
          await redis.full(true);
          await sleep(fault.forMs);
          await redis.full(false);
        });
        return true;
      case "failover":
        if (redis?.kind !== "sentinel") return false;
        await oneByOne(() => redis.failover(fault.by));
        return true;
      case "replay":
        await oneByOne(() => means.orderReplay());
        return true;
      case "twin-feed":
        return means.twinFeed();
    }
  }

  const done = (async () => {
    const startedAt = Date.now();
    for (const { atMs, fault } of plan.faults) {
      await sleep(Math.max(0, startedAt + atMs - Date.now()));
      const name = nameOf(fault);
      const one = carryOut(fault)
        .then(
          (suffered) => tally.add(suffered ? name : `${name}, in vain`),
          (error: unknown) => {
            say(`${name} could not be carried out: ${String(error)}`);
            failures.push(error);
          },
        )
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await sleep(Math.max(0, startedAt + plan.forMs - Date.now()));
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
  };
}

/** What is done by it is done one after another. */
function createTurns(): <T>(act: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = last.then(act, act);
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
    async put(proxy: TcpProxy | undefined, one: Strained, forMs: number): Promise<boolean> {
      if (!proxy) return false;
      const all = strained.get(proxy) ?? new Set();
      strained.set(proxy, all.add(one));
      set(proxy);
      await sleep(forMs);
      all.delete(one);
      set(proxy);
      return true;
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
    case "failover":
      return `failover by ${fault.by}`;
    default:
      return fault.kind;
  }
}
