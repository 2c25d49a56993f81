import type { Config } from "../../config/config.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Interrupts } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import type { RunObserver } from "./run-observer.ts";

/** What all runs of one command, or of one pass of a scheduled feed, have in common. */
export interface RunContext {
  readonly config: Config;
  readonly log: Log;
  readonly engine: Engine;
  readonly pool: Pool;
  /** None where others deliver. */
  readonly deliveries: readonly Delivery[];
  /** The runs that these deliver, to which each that begins is added; everything, where it is absent. */
  readonly ownRuns?: Set<string> | undefined;
  /** What earlier runs left, and these deliver as well. */
  readonly leftRuns?: readonly string[];
  /** True where the run ends once everything is put. */
  readonly detached: boolean;
  readonly interrupts: Interrupts;
  readonly observe: RunObserver;
  /** Where a run's report is written. */
  readonly reportPath: (run: string) => string;
}
