/** Dead letters one by one, a page at a time. */
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { viewLetter, type LetterView } from "./letter-view.ts";
import { lettersOf } from "./letter-groups.ts";

export interface LetterPage {
  /** How many there are on all pages. */
  readonly total: number;
  /** How often these faults befell somebody. */
  readonly times: number;
  /** From 1. */
  readonly page: number;
  readonly pages: number;
  /** The oldest first, by the last time. */
  readonly letters: readonly LetterView[];
}

/** Looks through all letters, and opens those of the page. */
export async function pageOfLetters(
  engine: Engine,
  filters: readonly LetterFilter[],
  { page, size }: { readonly page: number; readonly size: number },
): Promise<LetterPage> {
  const letters: LetterView[] = [];
  let total = 0;
  let times = 0;
  for await (const letter of lettersOf(engine, filters)) {
    if (Math.floor(total / size) === page - 1) letters.push(viewLetter(letter, engine.keyring, false));
    total += 1;
    times += letter.times ?? 1;
  }
  return { total, times, page, pages: Math.ceil(total / size), letters };
}
