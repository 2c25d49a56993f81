/**
 * The port to documents that were set aside. Whatever reads a document looks at its form first: one that this version of
 * poolsync cannot have written (it is cut, another program wrote to it) is moved here with its whole text, in the step
 * that read it, and is not there for that step or any other. So it costs itself, and nothing else:
 *
 * - Units in a mailbox or letter stay `pending` or `dead` in the books until somebody reckons: see `reckon`.
 * - Without a ledger the user's next change is sent as that of a user who was never written to.
 * - A run whose record is broken is not known any more. What it has put goes on, but for gates of its own and while no
 *   feed or pool is paused, because its feed is not known.
 * - In the place of a gate stands a pause, until somebody resumes; the gate of a run stands as the run does.
 * - A counter is what other counters leave, and is counted anew where they do not say it: see lua/counters.lua.
 * - An entry of the inbox is not drained; the event is known as one that came.
 * - A plan that was set aside is made again; a hold, a target, a link or exceptions are noted again when they are met.
 */
export const DOCUMENT_KINDS = [
  "mailbox",
  "ledger",
  "letter",
  "run",
  "gate",
  "hold",
  "exceptions",
  "target",
  "link",
  "plan",
  "counter",
  "entry",
] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

/** What is told of a document that was set aside: nothing of what is in it. */
export interface DamagedDocument {
  readonly id: string;
  readonly kind: DocumentKind;
  /** Under which name it lay: the key of a user, the id of a letter or a run, the name of a gate or of a counter, the id of an entry. */
  readonly place: string;
  /** Epoch ms. */
  readonly since: number;
  /** Where something other than the document says it. */
  readonly pool?: string;
  /** One that the text names, of those that the store knows. */
  readonly run?: string;
}

export interface Damaged {
  /** The oldest first. */
  list(): Promise<readonly DamagedDocument[]>;
  /** Throws documents away for good. Answers how many were there. */
  remove(ids: readonly string[]): Promise<number>;
  /**
   * Books units as `damaged` that were in mailboxes and letters that were set aside: those that are in the books of a run as
   * pending or dead, and in no mailbox and no letter. Does nothing where nothing was set aside since the last time;
   * otherwise every mailbox and letter is looked at. Runs whose books move meanwhile are left for the next time. Answers
   * how many units were booked.
   */
  reckon(): Promise<number>;
}
