import { defined } from "./defined.ts";
import { book, draft, type Outcome } from "./draft.ts";
import { finish, place, UNTRIED } from "./placing.ts";
import type { PassageOf } from "./gate.ts";
import type { Letter } from "./letter.ts";
import type { QueuedUnit, UserState } from "./mailbox.ts";

/**
 * A letter is put again, under its old version and its old run: `dead` goes down by one, and up goes what became of
 * it. `received` does not move.
 */
export function replay(
  state: UserState,
  letter: Letter,
  priority: number,
  nowMs: number,
  passageOf: PassageOf,
): Outcome {
  const { user, pool, username, unit, version, digest, body, run, account, replaced } = letter;
  const d = draft(state, { user, pool, username, priority }, passageOf);
  book(d, run, "dead", -1);
  const queued: QueuedUnit = { version, digest, body, run, ...UNTRIED, ...defined({ account, replaced }) };
  place(d, unit, queued);
  return finish(d, nowMs);
}
