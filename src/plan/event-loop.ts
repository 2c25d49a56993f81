/** Rows after which others have their turn. */
export const TURN_ROWS = 1000;

/** Lets others have their turn: a walk over a scratch is one piece of work without an await. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
