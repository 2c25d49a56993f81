import type { Letter } from "../../core/letter.ts";
import type { Engine } from "../../queues/engine.ts";
import { openLetter } from "../../store/sealed-unit.ts";
import type { LetterFilter } from "../../store/letters.ts";

/** Letters that have kind, pool and reason in common, and whether they still hold what was put. */
export interface LetterGroup {
  readonly kind: string;
  readonly pool: string;
  readonly reason: string;
  /** True where somebody altered them in the store: nothing of them is sent, whatever their kind. */
  readonly altered: boolean;
  readonly letters: number;
  /** Whose they are. */
  readonly people: number;
  /** Epoch ms: when one of them was buried first, and last. */
  readonly oldest: number;
  readonly newest: number;
  /** The oldest of them. */
  readonly example: Letter;
}

/** Counts letters by group, the largest first. Holds one letter a group, and the keys of its people. */
export async function groupLetters(
  engine: Engine,
  filters: readonly LetterFilter[],
  limit = Infinity,
  include: (letter: Letter) => Promise<boolean> | boolean = () => true,
): Promise<LetterGroup[]> {
  const groups = new Map<string, LetterGroup>();
  const people = new Map<string, Set<string>>();
  for await (const letter of lettersOf(engine, filters, limit, include)) {
    const { kind, pool, reason, user, buriedAt, first = buriedAt } = letter;
    const altered = kind === "altered" || openLetter(engine.keyring, letter) === undefined;
    const key = JSON.stringify([kind, pool, reason, altered]);
    const known = groups.get(key) ?? {
      kind,
      pool,
      reason,
      altered,
      letters: 0,
      people: 0,
      oldest: first,
      newest: buriedAt,
      example: letter,
    };
    const users = people.get(key) ?? new Set();
    people.set(key, users.add(user));
    groups.set(key, {
      ...known,
      letters: known.letters + 1,
      people: users.size,
      oldest: Math.min(known.oldest, first),
      newest: Math.max(known.newest, buriedAt),
    });
  }
  return [...groups.values()].toSorted((a, b) => b.letters - a.letters);
}

/** The letters of some filters that are meant, up to a limit. */
export async function* lettersOf(
  engine: Engine,
  filters: readonly LetterFilter[],
  limit = Infinity,
  include: (letter: Letter) => Promise<boolean> | boolean = () => true,
): AsyncGenerator<Letter> {
  let taken = 0;
  for (const filter of filters) {
    for await (const letter of engine.store.letters.list(filter)) {
      if (taken >= limit) return;
      if (!(await include(letter))) continue;
      taken += 1;
      yield letter;
    }
  }
}
