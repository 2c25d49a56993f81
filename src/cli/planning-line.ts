import type { PlanObserver } from "../app/plans/make-plans.ts";
import { count } from "../core/amounts.ts";
import { columnsOf, type Io } from "./io.ts";

const SHOWN_EVERY_MS = 100;

/** One line at a terminal, written over as a plan is made. `clear` takes it away. */
export function createPlanningLine({ stderr }: Io, interactive: boolean): { observe: PlanObserver; clear: () => void } {
  let shownAt = 0;
  return {
    observe({ is, read }) {
      const now = performance.now();
      if (!interactive || now - shownAt < SHOWN_EVERY_MS) return;
      shownAt = now;
      const text = `Planning: ${count(read)} ${is === "rows" ? "rows" : "users of the pool"} read`;
      stderr.write(`\r\u001B[2K${text.slice(0, columnsOf(stderr) - 1)}`);
    },
    clear() {
      if (interactive && shownAt > 0) stderr.write("\r\u001B[2K");
    },
  };
}
