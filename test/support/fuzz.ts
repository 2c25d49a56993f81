import { randomInt } from "node:crypto";
import type { TestContext } from "node:test";

export interface FuzzParameters {
  readonly seed: number;
  readonly numRuns: number;
}

/**
 * How fast-check is to run: by `POOLSYNC_TEST_SEED`, else a fresh seed, which is printed; and `runs` times, or
 * `POOLSYNC_TEST_RUNS` times. The same seed and number give the same cases.
 */
export function fuzzParameters(t: TestContext, runs: number): FuzzParameters {
  const seed = wholeFrom("POOLSYNC_TEST_SEED") ?? randomInt(2 ** 31);
  const numRuns = wholeFrom("POOLSYNC_TEST_RUNS") ?? runs;
  t.diagnostic(`seed ${seed}, ${numRuns} runs`);
  return { seed, numRuns };
}

function wholeFrom(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === "") return undefined;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new RangeError(`Expected \`${name}\` to be a whole number from 0, got \`${text}\``);
  }
  return number;
}
