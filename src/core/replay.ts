import { book, draft, finish, place, type Outcome } from "./draft.ts";
import type { Letter } from "./letter.ts";
import type { UserState } from "./mailbox.ts";

/**
 * A letter is put again, under its old version and its old run: `dead` goes down by one, and up goes what became of
 * it. `received` does not move.
 */
export function replay(state: UserState, letter: Letter, priority: number, nowMs: number): Outcome {
  const { user, pool, username, unit, version, digest, body, run } = letter;
  const d = draft(state, { user, pool, username, priority });
  book(d, run, "dead", -1);
  place(d, unit, { version, digest, body, run, attempts: 0, faults: 0, deaths: 0, notBefore: 0 });
  return finish(d, nowMs);
}
