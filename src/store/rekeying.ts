/**
 * The port to what is named by the keys of a namespace, for the one process that names all of it anew. Mailboxes, letters,
 * before images and events say what they are, sealed: they lie where they are until they move. Ledgers, exceptions and links say
 * it by a digest alone, of which nobody can tell by which key it was made: they are stowed first, and come back from
 * there as their users are found.
 */
import type { KeptText, Shelf } from "./kept-texts.ts";

/** What is stowed. */
export interface Stowed {
  readonly kind: "ledgers" | "exceptions" | "links";
  /** The pool of links; blank for the others. */
  readonly of: string;
}

/** What says itself whose it is. */
export type Named = Shelf & { readonly kind: "mailboxes" | "letters" | "before images" | "events" };

export interface Move {
  /** The name that it has. */
  readonly from: string;
  readonly to: KeptText;
}

/** Under this name the memory of the namespace says that `begin` was done. */
export const STOWED = "stowed";

export interface Rekeying {
  /**
   * Stows what is to be, once: not again before the memory has forgotten {@link STOWED}. What would end by itself,
   * and has names in it, ends now: reservations, answers that are kept for who asks again, and the memory of events that came.
   * The account index goes: the next scan fills it by the new keys.
   */
  begin(): Promise<void>;
  /** Those that have these names, of what was stowed. Exceptions of one user, or name, are one text. */
  find(shelf: Stowed, names: readonly string[]): Promise<readonly KeptText[]>;
  /** Moves texts to other names: in their place, or out of what was stowed. One that is not there any more moves nowhere. */
  move(shelf: Stowed | Named, moves: readonly Move[]): Promise<void>;
  /** How many texts are still stowed. */
  left(): Promise<Readonly<Record<Stowed["kind"], number>>>;
  /** Takes away what is still stowed. */
  end(): Promise<void>;
}
