/** What the end of a process means to the script that ran it. */
export const EXIT = {
  /** All applied. */
  done: 0,
  failed: 1,
  /** Finished, with dead letters or invalid input. */
  partial: 2,
  /** A guard stopped it; nothing was written. */
  guarded: 3,
  /** Wrong usage or configuration. */
  usage: 64,
  interrupted: 130,
} as const;
