/** Dead letters one by one, a page at a time. */
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { findEqual, viewEqual, type EqualView } from "./equal-letters.ts";
import { lettersOf } from "./letter-groups.ts";

export interface LetterPage {
  /** How many there are on all pages, equal ones counted once. */
  readonly total: number;
  /** How many the store has: what the books call dead. */
  readonly stored: number;
  /** From 1. */
  readonly page: number;
  readonly pages: number;
  /** Equal ones are one, in the order of the first of each. */
  readonly letters: readonly EqualView[];
}

/** Looks through all letters for the count of each, and opens those of the page. */
export async function pageOfLetters(
  engine: Engine,
  filters: readonly LetterFilter[],
  { page, size }: { readonly page: number; readonly size: number },
): Promise<LetterPage> {
  const all = await findEqual(lettersOf(engine, filters));
  const letters: EqualView[] = [];
  for (const equal of all.slice((page - 1) * size, page * size)) {
    // One that is not there any more was replayed or discarded a moment ago.
    const letter = await engine.store.letters.get(equal.id);
    if (letter !== undefined) letters.push(viewEqual(letter, equal, engine.keyring, false));
  }
  const stored = all.reduce((sum, { times }) => sum + times, 0);
  return { total: all.length, stored, page, pages: Math.ceil(all.length / size), letters };
}
