/**
 * The books count units, per run and in total. Every unit that was received is in exactly one of the other terms:
 *
 *     received = applied + unchanged + superseded + stale + invalid + dead + discarded + damaged + pending
 *
 * What is in flight is pending. `damaged`: it was in a document that broke, and was set aside; nobody knows what became
 * of it. Faults of a whole row are counted in `rows`, outside the books.
 */
export const TERMS = [
  "received",
  "applied",
  "unchanged",
  "superseded",
  "stale",
  "invalid",
  "dead",
  "discarded",
  "damaged",
  "pending",
] as const;
export type Term = (typeof TERMS)[number];
export type Books = Readonly<Record<Term, number>>;

export const EMPTY_BOOKS: Books = Object.freeze({
  received: 0,
  applied: 0,
  unchanged: 0,
  superseded: 0,
  stale: 0,
  invalid: 0,
  dead: 0,
  discarded: 0,
  damaged: 0,
  pending: 0,
});

/** One movement in the books of one run; the total moves with it. */
export interface Entry {
  readonly run: string;
  readonly term: Term;
  readonly by: number;
}

/** What `received` is more (or less) than the sum of the other terms: 0 where the books balance. */
export function imbalance(books: Books): number {
  return TERMS.reduce((sum, term) => (term === "received" ? sum + books[term] : sum - books[term]), 0);
}

/** The books after some movements. */
export function post(books: Books, entries: readonly Entry[]): Books {
  const next = { ...books };
  for (const { term, by } of entries) next[term] += by;
  return next;
}
