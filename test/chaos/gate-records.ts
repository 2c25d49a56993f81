/** What was said of gates in a run, by whoever said it, and what was answered: the verdicts on gates go by it. */

/** Times are epoch ms, by the clock of who runs it all. */
export interface Cancel {
  readonly run: string;
  /** The file's name. */
  readonly feed: string;
  readonly askedAt: number;
  /** When it was answered, or seen, that the run is cancelled; absent where it was neither. */
  answeredAt?: number;
  /** How many of those who said it were told that they did it. */
  did: number;
}

export interface Pause {
  /** As core/gate.ts names it. */
  readonly gate: string;
  readonly askedAt: number;
  /** When it was answered, or seen, that it is paused; absent where it was neither. */
  answeredAt?: number;
  /** When somebody was first to resume it. */
  resumeAskedAt?: number;
  /** It was to be resumed, and was not paused any more. */
  gone?: true;
}

export interface GateRecords {
  readonly cancels: Cancel[];
  readonly pauses: Pause[];
}

export const noGates = (): GateRecords => ({ cancels: [], pauses: [] });
