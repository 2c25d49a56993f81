/** Tells single changes to a producer's process, and tells again what was not acknowledged when that process died. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Asks } from "./asks.ts";
import type { Child } from "./children.ts";
import type { Single } from "./load.ts";
import type { Model } from "./model.ts";

export interface Teller {
  /** Not acknowledged yet. */
  readonly underWay: number;
  /** Their ids, each with what it was refused for last. */
  readonly left: readonly string[];
  /** Changes that were refused for good: nobody had what they name their person by, or several. */
  readonly refused: number;
  tell(child: Child, single: Single): void;
  /** For a process that was just started. */
  tellAgain(child: Child): void;
  /** A line of what the process says. */
  heard(child: Child | undefined, line: string): void;
}

const answer = z.union([
  z.object({
    id: z.string(),
    failed: z.string().optional(),
    /** Of one that waited, and when its process began it. */
    outcomes: z.record(z.string(), z.object({ is: z.string() })).optional(),
    begunAt: z.number().optional(),
  }),
  z.object({ ready: z.literal(true) }),
  z.object({ waiting: z.string() }),
]);
/** After this an application tries again what was refused. */
const AGAIN_MS = 500;

export function createTeller(model: Model, asks: Asks): Teller {
  const underWay = new Map<string, Single>();
  const failures = new Map<string, string>();
  let refused = 0;

  function tell(child: Child, single: Single): void {
    underWay.set(single.change.id, single);
    model.sent(single.change, Date.now());
    child.tell(JSON.stringify(single.order));
  }

  return {
    get underWay() {
      return underWay.size;
    },
    get left() {
      return [...underWay.keys()].map((id) => `${id} (${failures.get(id) ?? "no answer"})`);
    },
    get refused() {
      return refused;
    },
    tell,
    tellAgain(child) {
      for (const single of underWay.values()) tell(child, single);
    },
    heard(child, line) {
      const said = answer.safeParse(JSON.parse(line));
      if (!said.success || !("id" in said.data)) return;
      const { id, failed, outcomes = {}, begunAt = 0 } = said.data;
      const single = underWay.get(id);
      if (failed === undefined) {
        model.acked(id, Date.now());
        const told = Object.entries(outcomes).map(([name, { is }]) => [name, is] as const);
        asks.answered(id, { outcomes: Object.fromEntries(told), begunAt, answeredAt: Date.now() });
        underWay.delete(id);
        return;
      }
      failures.set(id, failed);
      if (single?.change.name !== undefined && /nobody has|several have/.test(failed)) {
        refused += 1;
        underWay.delete(id);
      } else if (child && single) {
        void sleep(AGAIN_MS).then(() => child.alive && underWay.has(id) && tell(child, single));
      }
    },
  };
}
