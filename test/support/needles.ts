import assert from "node:assert/strict";
import { inspect } from "node:util";

/** What is looked for wherever nobody's data may be. No other text of the project holds these. */
export const VALUE = "nval7k";
export const USER = "nuser7k";
const NUMBER = "6177734512";

export const value = (label: string): string => `${VALUE} ${label}`;
export const username = (label: string): string => `${USER}.${label}@${USER}.example`;
export const address = (label: string): string => `${VALUE}.${label}@${VALUE}.example`;
export const phoneNumber = (digit: number): string => `+39${NUMBER}${digit}`;

/** Fails where a marked value shows, and where a marked username does unless it may: the command line shows them. */
export function assertNoNeedle(
  text: string,
  where: string,
  may: "show usernames" | "show nobody" = "show nobody",
): void {
  const needles = may === "show usernames" ? [VALUE, NUMBER] : [VALUE, NUMBER, USER];
  const folded = text.toLowerCase();
  for (const needle of needles) {
    const at = folded.indexOf(needle);
    assert.equal(at, -1, `${needle} shows in ${where}: ${text.slice(Math.max(0, at - 200), at + 100)}`);
  }
}

/** Everything of an error: messages, stacks, causes and their properties, however deep. */
export function assertCleanError(error: unknown, where: string): void {
  assertNoNeedle(inspect(error, { depth: Infinity, showHidden: true, maxStringLength: null }), where);
}
