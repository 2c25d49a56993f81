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
  readonly links: Readonly<Partial<Record<Link, TcpProxy>>>;
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
  /** Does something between two faults of Redis. */
  whileRedisIsUp<T>(act: () => Promise<T>): Promise<T>;
}

export function startFaults(means: FaultMeans): Faults {
  const { plan, tally, model, service, links, redis, victims, say } = means;
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const slowedBy = new Map<Link, number>();
  const heldUp = new Map<Link, number>();
  let over = false;

  function oneByOne<T>(act: () => Promise<T>): Promise<T> {
    const turn = last.then(act, act);
    last = turn.catch(() => undefined);
    return turn;
  }

  function victimOf({ of, index }: Victim): Killable | undefined {
    const all = (victims[of] ?? []).filter(({ child }) => child?.alive === true && !child.suspended);
    return all[index % Math.max(1, all.length)];
  }

  async function suspend(victim: Victim, forMs: number): Promise<boolean> {
    if (victim.of === "redis") {
      await oneByOne(async () => {
        redis?.suspend();
        await sleep(forMs);
        redis?.goOn();
      });
      return redis !== undefined;
    }
    const child = victim.of === "emulator" ? service.child : victimOf(victim)?.child;
    if (!child || child.suspended) return false;
    child.suspend();
    await sleep(forMs);
    if (child.alive) child.goOn();
    return true;
  }

  /** Answers whether there was anybody to suffer it. */
  async function carryOut(fault: Fault): Promise<boolean> {
    switch (fault.kind) {
      case "kill": {
        if (fault.victim.of === "emulator") {
          if (service.child.suspended) return false;
          await service.kill(fault.backInMs);
          return true;
        }
        const victim = victimOf(fault.victim);
        await victim?.kill(fault.backInMs);
        return victim !== undefined;
      }
      case "suspend":
        return suspend(fault.victim, fault.forMs);
      case "service": {
        const end = await service.suffer(fault.what, fault.share);
        await sleep(fault.forMs);
        await end();
        return true;
      }
      case "cut":
        return (links[fault.between]?.cut(fault.share) ?? 0) > 0;
      case "slow": {
        const { between, byMs, forMs } = fault;
        const set = (by: number): void => {
          slowedBy.set(between, (slowedBy.get(between) ?? 0) + by);
          links[between]?.slow(slowedBy.get(between) ?? 0);
        };
        set(byMs);
        await sleep(forMs);
        set(-byMs);
        return true;
      }
      case "hold-up": {
        const { between, forMs } = fault;
        const set = (by: number): void => {
          heldUp.set(between, (heldUp.get(between) ?? 0) + by);
          links[between]?.holdUp((heldUp.get(between) ?? 0) > 0);
        };
        set(1);
        await sleep(forMs);
        set(-1);
        return true;
      }
      case "redis-killed":
        if (!redis) return false;
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
        if (!redis) return false;
        model.lost(await oneByOne(() => redis.failover(fault.by)));
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
    whileRedisIsUp: oneByOne,
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
      return `${fault.kind} ${fault.between}`;
    case "redis-killed":
      return fault.losesMs > 0 ? "redis power cut" : "redis killed";
    case "failover":
      return `failover by ${fault.by}`;
    default:
      return fault.kind;
  }
}
