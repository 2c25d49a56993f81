import { draft, type Outcome } from "./draft.ts";
import { finish } from "./placing.ts";
import type { PassageOf } from "./gate.ts";
import type { UserState } from "./mailbox.ts";

/**
 * A mailbox is brought to where the gates stand now, and nothing else becomes of it: what a cancelled run has put is
 * discarded, and what a gate keeps, or keeps no more, is marked so.
 */
export function sortOut(state: UserState, user: string, nowMs: number, passageOf: PassageOf): Outcome {
  const { mailbox } = state;
  return mailbox ? finish(draft(state, { user, ...mailbox }, passageOf), nowMs) : { state, entries: [] };
}
