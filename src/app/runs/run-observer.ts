/** What a run tells while it is under way. Progress bar, log, summary and whatever else looks on are observers. */
import type { Books } from "../../core/books.ts";
import type { HoldScope } from "../../store/holds.ts";
import type { Sentence } from "../../core/sentence.ts";
import type { Run } from "../../store/runs.ts";
import type { RunSummary } from "./run-summary.ts";

/** Why nothing is delivered for a while: credentials of this process, a pool, or the contacts of a pool; or a pause. */
export type Standstill =
  | {
      readonly scope: "process" | HoldScope;
      /** Absent for a process. */
      readonly pool?: string;
      /** A failure kind. */
      readonly kind: string;
    }
  /** `resumed`: a pause that was told of is over. */
  | { readonly scope: "paused" | "resumed"; readonly gate: string; readonly sentence: Sentence };

export type RunEvent =
  | { readonly is: "started"; readonly run: Run; readonly resumed: boolean }
  /** What a look at the books has found, while rows are put and delivered. */
  | { readonly is: "progress"; readonly books: Books; readonly rows: number; readonly totalRows: number | undefined }
  /** Told once a reason. */
  | { readonly is: "held"; readonly standstill: Standstill }
  /** Nothing was delivered for a while, by others: there may be no worker. `putting`: the rest of the feed waits. */
  | { readonly is: "stalled"; readonly run: Run; readonly while: "putting" | "delivering" }
  /** The run has stopped before its end. What it throws follows. */
  | { readonly is: "stopped"; readonly run: Run }
  /** A signal stopped it, and the calls in flight have ended. `pending`: what stays queued. */
  | { readonly is: "interrupted"; readonly run: Run; readonly pending: number }
  | { readonly is: "finished"; readonly outcome: RunOutcome }
  /** The store forgot the run, which is begun again. */
  | { readonly is: "forgotten"; readonly feed: string; readonly pool: string };

export interface RunOutcome {
  readonly summary: RunSummary;
  /** True where others deliver what was put. */
  readonly detached: boolean;
  /** How many workers are alive that deliver to the run's pool; looked at where others deliver. */
  readonly workers: number;
  /** True where an earlier command had put the whole feed, and not all of it was delivered. */
  readonly putBefore: boolean;
}

export type RunObserver = (event: RunEvent) => void;
