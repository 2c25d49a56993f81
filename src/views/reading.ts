/** What a plan says before it reads the pool. */
import type { PlanEvent } from "../app/plans/make-plans.ts";
import { count, counted, duration } from "../core/amounts.ts";

/** What is said of a reading that takes no longer would be gone before it is read. */
const WORTH_SAYING_MS = 3000;

/** Undefined where it takes a moment only. */
export function readingSentence({
  reading,
  named,
  perSecond,
}: Extract<PlanEvent, { is: "reading" }>): string | undefined {
  const { is, calls } = reading;
  if (calls === undefined) return "Reads the whole pool, whose size it does not say.";
  const ms = (calls / perSecond) * 1000;
  if (ms < WORTH_SAYING_MS) return undefined;
  const pace = `${duration(ms)} at ${count(Math.round(perSecond * 10) / 10)} a second`;
  if (is === "scan") return `Reads the whole pool: ${counted(calls, "page")}, about ${pace}.`;
  const most = calls > named ? ` at most (${counted(calls, "call")})` : "";
  return `Looks at ${counted(named, "user")} one by one, about ${pace}${most}.`;
}
