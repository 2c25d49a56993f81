/**
 * The port to everything that is kept sealed or named by keys, as texts: for what walks through all of it once. What a
 * text means is said by sealing.ts.
 */
export interface Shelf {
  readonly kind: "mailboxes" | "letters" | "links" | "before images" | "plan" | "notes" | "events";
  /** The pool of links, the run of before images or of a plan; blank for the others. */
  readonly of: string;
}

export interface KeptText {
  /** Names it on its shelf: a user, a letter, a digest, a user and unit, the place of a chunk, a note, or an entry. */
  readonly name: string;
  readonly text: string;
}

export interface KeptTexts {
  /**
   * Mailboxes come before letters: a value moves from a mailbox to a letter by itself, and the other way with a replay
   * only. `texts`: how many there are.
   */
  shelves(): Promise<readonly (Shelf & { readonly texts: number })[]>;
  /** A page of a walk that begins with a blank cursor. What stays for the whole walk, in one era, is found. */
  page(
    shelf: Shelf,
    cursor: string,
  ): Promise<{ readonly found: readonly KeptText[]; readonly next: string | undefined }>;
  read(shelf: Shelf, name: string): Promise<string | undefined>;
  /** Answers false, and does nothing, where another text is there by now. */
  replace(shelf: Shelf, { name, text }: KeptText, to: string): Promise<boolean>;
  /** Another one where the server was started anew, or another took over: a walk may have missed something then. */
  era(): Promise<string>;
}
