/** Single changes, from several sources: what was not acknowledged when its process died is told to the next one. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { until } from "../support/condition.ts";
import type { Child, Children } from "./children.ts";
import type { Load, Single } from "./load.ts";
import type { Model } from "./model.ts";
import { startRole, type Lives, type Role } from "./roles.ts";

export interface SinglesOptions {
  readonly children: Children;
  readonly lives: Lives;
  readonly model: Model;
  readonly load: Load;
  readonly env: Readonly<Record<string, string>>;
  readonly perSecond: number;
  /** For producer.ts. */
  readonly settings: object;
  readonly sources: readonly Source[];
}

interface Source {
  readonly name: string;
  /** How far the clock is off by which its versions are made; null where it makes none. */
  readonly versionsOffMs: number | null;
  /** How far the clock of its process is off. */
  readonly clockOffMs: number;
}

export interface Singles {
  readonly roles: readonly Role[];
  unacknowledged(): number;
  /** No more new ones; resolves when all are acknowledged. */
  finish(): Promise<void>;
}

const TICK_MS = 100;
/** Beyond it a source waits, as an application with so many requests under way would. */
const MOST_UNDER_WAY = 40;

const answer = z.union([
  z.object({ id: z.string(), failed: z.string().optional() }),
  z.object({ ready: z.literal(true) }),
  z.object({ waiting: z.string() }),
]);

export function startSingles(options: SinglesOptions): Singles {
  const { children, lives, model, load, env, perSecond, settings, sources } = options;
  const underWay = sources.map(() => new Map<string, Single>());
  const roles = sources.map(({ name, clockOffMs }, index) => {
    const mine = underWay[index] ?? new Map<string, Single>();
    let child: Child | undefined;
    return startRole(
      children,
      lives,
      () => ({
        name: `producer-${name}`,
        file: "test/chaos/producer.ts",
        args: [JSON.stringify({ ...settings, clockOffMs })],
        env,
        stdin: true,
        onLine(line) {
          const said = answer.safeParse(JSON.parse(line));
          if (!said.success || !("id" in said.data)) return;
          const { id, failed } = said.data;
          if (failed === undefined) {
            model.acked(id, Date.now());
            mine.delete(id);
          } else if (child) {
            const single = mine.get(id);
            const to = child;
            // An application tries again after a while.
            if (single) void sleep(500).then(() => to.alive && tell(to, single));
          }
        },
      }),
      (born) => {
        child = born;
        for (const single of mine.values()) tell(born, single);
      },
    );
  });

  function tell(child: Child, single: Single): void {
    model.sent(single.change, Date.now());
    child.tell(single.order);
  }

  const timer = setInterval(() => {
    for (const [index, { name, versionsOffMs }] of sources.entries()) {
      const mine = underWay[index];
      const child = roles[index]?.child;
      const wanted = (perSecond * TICK_MS) / 1000 / sources.length;
      for (let sent = 0; sent < wanted && child && mine && mine.size < MOST_UNDER_WAY; sent += 1) {
        const single = load.single(name, versionsOffMs, Date.now());
        mine.set(single.change.id, single);
        tell(child, single);
      }
    }
  }, TICK_MS);

  const unacknowledged = (): number => underWay.reduce((sum, { size }) => sum + size, 0);
  return {
    roles,
    unacknowledged,
    async finish() {
      clearInterval(timer);
      await until("every single change is acknowledged", () => unacknowledged() === 0, 120_000);
    },
  };
}
