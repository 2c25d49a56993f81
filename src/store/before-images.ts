/**
 * The port to before images, which say what was there before a run: a sealed text for each unit of each user that it
 * was to change, so that the run can be undone. It is kept for a time and then gone by itself.
 */
export interface BeforeImage {
  /** Names the user and the unit, opaque. */
  readonly unit: string;
  /** Sealed: the store cannot read it. */
  readonly body: string;
}

export interface BeforeImages {
  /**
   * Keeps what was there before a run wrote, all of these or none, for `forMs` from now. A unit's first text stays: a
   * run that was cut and goes on finds there what it has written itself.
   */
  keep(run: string, beforeImages: readonly BeforeImage[], forMs: number): Promise<void>;
  /** What is kept of a run, in any order; nothing where nothing is, or no more. */
  read(run: string): AsyncIterable<BeforeImage>;
}
