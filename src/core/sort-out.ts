import { draft, type Outcome } from "./draft.ts";
import type { PassageOf } from "./gate.ts";
import type { UserState } from "./mailbox.ts";
import { finish, takeOver } from "./placing.ts";

/**
 * A mailbox is brought to where the gates stand now, and nothing else becomes of it: what a cancelled run has put is
 * discarded, and what a gate keeps, or keeps no more, is marked so. What a dead worker had is merged back first.
 */
export function sortOut(state: UserState, user: string, nowMs: number, passageOf: PassageOf): Outcome {
  const { mailbox } = state;
  if (!mailbox) return { state, entries: [] };
  const d = draft(state, { user, ...mailbox }, passageOf);
  takeOver(d, nowMs);
  return finish(d, nowMs);
}
