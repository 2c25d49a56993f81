/** What a scenario of the bench is: it runs, prints tables and leaves figures, which bench/results.json may keep. */
import type { Column } from "../src/views/table.ts";

export interface Scenario {
  readonly name: string;
  /** One line for `npm run bench`. */
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<Outcome>;
}

export interface BenchContext {
  /** What follows the scenario's name on the command line, for `util.parseArgs`. */
  readonly args: readonly string[];
  /** To standard error, for a person who waits. */
  readonly say: (line: string) => void;
  /** The scenario's figures of the last time, for one that goes on where it was cut. */
  readonly kept: unknown;
  /** Keeps what there is so far, where figures are kept. What `run` answers is kept then anyhow. */
  readonly keep: (figures: object) => Promise<void>;
}

export interface Outcome {
  readonly tables: readonly Table[];
  /** Plain JSON. */
  readonly figures: object;
  /** What was lost or failed: above 0 the bench ends with 1. A figure that falls short is no failure. */
  readonly failed: number;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  /** Whole sentences below the table. */
  readonly notes?: readonly string[];
}
