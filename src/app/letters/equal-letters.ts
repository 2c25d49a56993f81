/**
 * Equal letters: those of one person and attribute that have kind and reason in common, such as a file leaves that is
 * synced each night. The store keeps each of them, because each is in the books of its run; people are shown them as one,
 * with a count, and who names one of them means all.
 */
import type { Letter } from "../../core/letter.ts";
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { findLetter } from "./find-letter.ts";
import { viewLetter, type LetterView } from "./letter-view.ts";

export interface EqualLetters {
  /** Of the one whose value is the newest: it is what a replay brings. */
  readonly id: string;
  readonly version: string;
  /** How many there are. */
  readonly times: number;
  /** When the first and the last of them were buried. Epoch ms. */
  readonly first: number;
  readonly last: number;
}

type Fault = Pick<Letter, "pool" | "user" | "unit" | "kind" | "reason">;

function faultOf({ pool, user, unit, kind, reason }: Letter): Fault {
  return { pool, user, unit, kind, reason };
}

/** In the order of the first of each. Of the letters themselves nothing is held. */
export async function findEqual(letters: AsyncIterable<Letter> | Iterable<Letter>): Promise<readonly EqualLetters[]> {
  return [...(await countByFault(letters)).values()];
}

const keyOf = (letter: Letter): string => JSON.stringify(faultOf(letter));

async function countByFault(
  letters: AsyncIterable<Letter> | Iterable<Letter>,
  include: (key: string) => boolean = () => true,
): Promise<ReadonlyMap<string, EqualLetters>> {
  const byFault = new Map<string, EqualLetters>();
  for await (const letter of letters) {
    const { id, version, buriedAt } = letter;
    const key = keyOf(letter);
    if (!include(key)) continue;
    const known = byFault.get(key) ?? { id, version, times: 0, first: buriedAt, last: buriedAt };
    byFault.set(key, {
      ...(version > known.version ? { id, version } : { id: known.id, version: known.version }),
      times: known.times + 1,
      first: Math.min(known.first, buriedAt),
      last: Math.max(known.last, buriedAt),
    });
  }
  return byFault;
}

/** A letter that somebody named, and those that are equal to it. */
interface NamedLetter {
  readonly letter: Letter;
  readonly equal: EqualLetters;
}

/** Throws an AppError `no-letter` where one of them is not there. */
export async function namedLetters(engine: Engine, ids: readonly string[]): Promise<readonly NamedLetter[]> {
  const letters: Letter[] = [];
  for (const id of new Set(ids)) letters.push(await findLetter(engine, id));
  const keys = new Set(letters.map(keyOf));
  const equals = await countByFault(engine.store.letters.list({}), (key) => keys.has(key));
  return letters.flatMap((letter) => {
    const equal = equals.get(keyOf(letter));
    return equal === undefined ? [] : [{ letter, equal }];
  });
}

/**
 * Filters that mean these letters and their equals, as they are now: what is buried later is not meant. Throws an
 * AppError `no-letter` where one of them is not there.
 */
export async function filtersOfLetters(engine: Engine, ids: readonly string[]): Promise<readonly LetterFilter[]> {
  const filters = new Map<string, LetterFilter>();
  for (const { letter, equal } of await namedLetters(engine, ids)) {
    filters.set(keyOf(letter), { ...faultOf(letter), since: equal.first, until: equal.last + 1 });
  }
  return [...filters.values()];
}

/** Equal letters as people see them: the newest of them, and how many there are. */
export interface EqualView extends LetterView {
  readonly times: number;
  /** ISO 8601. */
  readonly first: string;
  readonly last: string;
}

export function viewEqual(
  letter: Letter,
  { times, first, last }: Pick<EqualLetters, "times" | "first" | "last">,
  keyring: Engine["keyring"],
  showValues: boolean,
): EqualView {
  const { advice, ...view } = viewLetter(letter, keyring, showValues);
  return { ...view, times, first: new Date(first).toISOString(), last: new Date(last).toISOString(), advice };
}
