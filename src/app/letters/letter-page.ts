/** Dead letters one by one, a page at a time. */
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { eventLine, type EventLine, type ParkedEvents } from "../events/parked-events.ts";
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
  /** Parked events, which come behind all letters, the oldest first. */
  readonly events: readonly EventLine[];
}

/** Looks through all letters and events, and opens the letters of the page. */
export async function pageOfLetters(
  engine: Engine,
  filters: readonly LetterFilter[],
  { page, size, events: parked }: { readonly page: number; readonly size: number; readonly events?: ParkedEvents },
): Promise<LetterPage> {
  const letters: LetterView[] = [];
  const events: EventLine[] = [];
  let total = 0;
  let times = 0;
  for await (const letter of lettersOf(engine, filters)) {
    if (Math.floor(total / size) === page - 1) letters.push(viewLetter(letter, engine.keyring, false));
    total += 1;
    times += letter.times ?? 1;
  }
  for await (const entry of parked?.() ?? []) {
    if (Math.floor(total / size) === page - 1) events.push(eventLine(entry));
    total += 1;
    times += 1;
  }
  return { total, times, page, pages: Math.ceil(total / size), letters, events };
}
