/** Parsers of options' values, for commander. */
import { InvalidArgumentError } from "commander";
import { parseInstant } from "../feeds/date.ts";

/** One of some words. */
export function choice<T extends string>(flag: string, words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new InvalidArgumentError(`Expected ${flag} to be one of ${words.join(", ")}.`);
    return word;
  };
}

/** An option that may be repeated. */
export function several(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** A whole number from `least`. */
export function integer(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < least || value.trim() === "") {
      throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
    }
    return number;
  };
}

const AGO_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Epoch ms: a time with its zone, an epoch, or how long ago (`30m`, `12h`, `7d`). */
export function moment(now: () => number): (value: string) => number {
  return (value) => {
    const [, amount, unit = ""] = /^(\d+)([mhd])$/.exec(value) ?? [];
    if (amount !== undefined) return now() - Number(amount) * (AGO_MS[unit] ?? 0);
    const at = parseInstant(value);
    if (at === undefined) {
      throw new InvalidArgumentError("Expected a time such as 2026-01-31T18:42:00Z, or how long ago: 30m, 12h, 7d.");
    }
    return at;
  };
}
