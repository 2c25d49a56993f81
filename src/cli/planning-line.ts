import type { PlanObserver } from "../app/plans/make-plans.ts";
import { count } from "../core/amounts.ts";
import { readingSentence } from "../views/reading.ts";
import { columnsOf, tell, type Io } from "./io.ts";

const SHOWN_EVERY_MS = 100;

/**
 * One line at a terminal, written over as a plan is made. `clear` takes it away. How the pool is read, and how long that
 * takes, is said before it, also where nobody sits at a terminal.
 */
export function createPlanningLine(io: Io, interactive: boolean): { observe: PlanObserver; clear: () => void } {
  const { stderr } = io;
  let shownAt = 0;
  const clear = (): void => {
    if (interactive && shownAt > 0) stderr.write("\r\u001B[2K");
  };
  return {
    clear,
    observe(event) {
      if (event.is === "reading") {
        const sentence = readingSentence(event);
        if (sentence === undefined) return;
        clear();
        return tell(io, sentence);
      }
      const { is, read } = event;
      const now = performance.now();
      if (!interactive || now - shownAt < SHOWN_EVERY_MS) return;
      shownAt = now;
      const text = `Planning: ${count(read)} ${is === "rows" ? "rows" : "users of the pool"} read`;
      stderr.write(`\r\u001B[2K${text.slice(0, columnsOf(stderr) - 1)}`);
    },
  };
}
