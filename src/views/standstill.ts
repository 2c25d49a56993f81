import type { Standstill } from "../app/runs/run-observer.ts";
import type { Sentence } from "../core/sentence.ts";
import { adviceOf } from "../core/advice.ts";

/** Why nothing is delivered, and what to do about it. */
export function standstillText(standstill: Standstill): Sentence | string {
  if ("sentence" in standstill) return standstill.sentence;
  const { scope, pool, kind } = standstill;
  if (scope === "process") return `Deliveries wait (${kind}). ${adviceOf(kind)}`;
  const what = scope === "pool" ? `Pool ${pool} is` : `E-mail addresses and phone numbers of pool ${pool} are`;
  return `${what} on hold (${kind}). ${adviceOf(kind)} It is tried again by itself.`;
}
