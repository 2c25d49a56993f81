/** Single changes, from several sources, each with a process of its own. */
import { until } from "../support/condition.ts";
import type { Asks } from "./asks.ts";
import type { Child, Children } from "./children.ts";
import type { Single } from "./load.ts";
import type { Model } from "./model.ts";
import { startRole, type Lives, type Role } from "./roles.ts";
import { createTeller } from "./teller.ts";

export interface SinglesOptions {
  readonly children: Children;
  readonly lives: Lives;
  readonly model: Model;
  readonly asks: Asks;
  readonly env: Readonly<Record<string, string>>;
  readonly perSecond: number;
  /** For producer.ts. */
  readonly settings: object;
  readonly sources: readonly Source[];
}

interface Source {
  readonly name: string;
  /** Its next change; undefined where it has none now. */
  readonly next: () => Single | undefined;
  /** How far the clock of its process is off. */
  readonly clockOffMs: number;
}

export interface Singles {
  readonly roles: readonly Role[];
  unacknowledged(): number;
  /** Changes that were refused for good. */
  refused(): number;
  /** No more new ones; resolves when all are acknowledged. */
  finish(): Promise<void>;
}

const TICK_MS = 100;
/** Beyond it a source waits, as an application with so many requests under way would. */
export const MOST_UNDER_WAY = 40;

export function startSingles(options: SinglesOptions): Singles {
  const { children, lives, model, asks, env, perSecond, settings, sources } = options;
  const tellers = sources.map(() => createTeller(model, asks));
  const roles = sources.map(({ name, clockOffMs }, index) => {
    const teller = tellers[index];
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
        onLine: (line) => teller?.heard(child, line),
      }),
      (born) => {
        child = born;
        teller?.tellAgain(born);
      },
    );
  });

  let owed = 0;
  const timer = setInterval(() => {
    if (lives.over) return clearInterval(timer);
    owed = Math.min(owed + (perSecond * TICK_MS) / 1000, perSecond);
    for (let index = 0; owed >= 1; index += 1, owed -= 1) {
      const teller = tellers[index % sources.length];
      const child = roles[index % sources.length]?.child;
      if (!child || !teller || teller.underWay >= MOST_UNDER_WAY) continue;
      const single = sources[index % sources.length]?.next();
      if (single) teller.tell(child, single);
    }
  }, TICK_MS);

  const unacknowledged = (): number => tellers.reduce((sum, { underWay }) => sum + underWay, 0);
  return {
    roles,
    unacknowledged,
    refused: () => tellers.reduce((sum, { refused }) => sum + refused, 0),
    async finish() {
      clearInterval(timer);
      const left = (): string =>
        tellers.map(({ left: ids }, index) => `${sources[index]?.name}: ${ids.join(" ")}`).join("; ");
      await until(
        () => `every single change is acknowledged; left of ${left()}`,
        () => unacknowledged() === 0,
        120_000,
      );
    },
  };
}
