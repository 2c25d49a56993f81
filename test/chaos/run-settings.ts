import type { Plan } from "./plan.ts";

export interface RunSettings {
  readonly plan: Plan;
  /** Of this run alone: data, feeds and logs. */
  readonly directory: string;
  readonly users: number;
  readonly singlesPerSecond: number;
  /** Of the embedded engine twice as many: it takes them one turn in three. */
  readonly eventsPerSecond: number;
  readonly feedEveryMs: number;
  readonly provoke: boolean;
  /** Fewer processes: one takes events, two deliver, two queue single changes. */
  readonly isShort: boolean;
  readonly say: (line: string) => void;
}

/** Connect and request time-outs, in seconds. A claim lives 5 s longer than both. */
export const TIMEOUTS = { connect: 1, request: 2 } as const;
export const LEASE_MS = (TIMEOUTS.connect + TIMEOUTS.request + 5) * 1000;

/** For every `sync` of a chaos run, with `GUARDS_OFF`: each row is put, and no guard stops what is meant to be wild. */
export const PLAIN = ["--duplicates", "last"] as const;

/** A configuration file. */
export const GUARDS_OFF =
  "guards: { changed: off, cleared: off, sameValue: off, shape: off, unmatched: off, rows: off, emptyColumn: false, events: off }\n";
