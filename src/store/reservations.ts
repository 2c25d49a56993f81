/**
 * The port to reservations: a name that one holder alone has for a while. There are two kinds.
 *
 * - Aliases of a pool (queues/alias-guard.ts): who may give themselves an e-mail address, phone number or preferred
 *   username that people sign in with. Between the look at who owns it and the write, and for a while after the write
 *   because the list of users lags, nobody else may. The name is a digest, the holder a user's key.
 * - Feeds, in the scope `feeds` (cli/feed-turn.ts): which process has a feed's turn, as a lease that it renews.
 *
 * A reservation ends by itself; so does that of a process that died.
 */
export type Reserved = { readonly is: "taken" } | { readonly is: "held"; readonly retryInMs: number };

export interface Reservations {
  /**
   * Reserves a name among those of a pool, or of another kind, for a holder. Who has it already has it anew, for
   * `forMs` from now. One step: of several who ask at once one gets it.
   */
  take(scope: string, name: string, holder: string, forMs: number): Promise<Reserved>;
  /** Ends the reservation of this holder, and of nobody else. */
  release(scope: string, name: string, holder: string): Promise<void>;
  /** Who has the name at the moment, and for how long still; undefined where nobody has. */
  holder(scope: string, name: string): Promise<{ readonly holder: string; readonly endsInMs: number } | undefined>;
}
