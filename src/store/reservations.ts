/**
 * The port to reservations: who may give themselves an e-mail address, phone number or preferred username that people
 * sign in with. Between the look at who owns it and the write, and for a while after the write because the list of
 * users lags, nobody else may. A reservation ends by itself; so does that of a process that died.
 */
export type Reserved = { readonly is: "taken" } | { readonly is: "held"; readonly retryInMs: number };

export interface Reservations {
  /**
   * Reserves an alias, named by a digest, for a user of the pool. Who has it already has it anew, for `forMs` from
   * now. One step: of several who ask at once one gets it.
   */
  take(pool: string, alias: string, user: string, forMs: number): Promise<Reserved>;
  /** Ends the reservation of this user, and of nobody else. */
  release(pool: string, alias: string, user: string): Promise<void>;
}
