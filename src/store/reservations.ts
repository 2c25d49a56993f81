/**
 * The port to reservations: a name that one holder alone has for a while. There are three kinds.
 *
 * - Aliases of a pool (delivery/alias-guard.ts): the user who may take an e-mail address, phone number or preferred
 *   username that people sign in with. Nobody else may between the look at its owner and the write, nor for a while
 *   after the write, because the list of users lags. The name is a digest, the holder a user's key.
 * - Feeds, in the scope `feeds` (app/feeds/feed-lease.ts): the process that has a feed's lease, which it renews.
 * - Pools, in the scope `scans` (app/events/account-scans.ts): the process that scans a pool for events, or did so last.
 *
 * A reservation ends by itself; so does that of a process that died.
 */
export type Reserved = { readonly is: "taken" } | { readonly is: "held"; readonly retryInMs: number };

export interface Reservations {
  /**
   * Reserves a name among those of a pool, or of another kind, for a holder. Its holder has it anew, for `forMs` from
   * now. One step: of several who ask at once one gets it.
   */
  take(scope: string, name: string, holder: string, forMs: number): Promise<Reserved>;
  /** Ends the reservation of this holder, and of nobody else. */
  release(scope: string, name: string, holder: string): Promise<void>;
  /** The holder of the name at the moment, and for how much longer; undefined where there is none. */
  holder(scope: string, name: string): Promise<{ readonly holder: string; readonly endsInMs: number } | undefined>;
}
