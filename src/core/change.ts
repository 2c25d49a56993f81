import type { CallOptions } from "./call-options.ts";
import type { Person } from "./person.ts";
import type { Found } from "./put.ts";
import type { Ordinal } from "./version.ts";
import type { Unit } from "./unit.ts";

/** Wanted values for some attributes of one user. Its pool, source and run are those of the page it is put with. */
export interface Change {
  /** As the source spells it; made canonical by the pool's profile. */
  readonly username: string;
  /** Absent where the source gave only a username, and nobody has looked the user up. */
  readonly person?: Person;
  readonly units: readonly Unit[];
  /** Absent where the source has no clock of its own: the run's as-of, or the store's time, is taken. */
  readonly version?: Ordinal;
  /** How all of its units are sent; plainly where it is absent. */
  readonly callOptions?: CallOptions;
  /** Of its record in the entry of the inbox that it came in; absent where it came otherwise. */
  readonly arrival?: number;
  /** Units that another row of the same feed overrules: they are counted, and never sent. */
  readonly overruled?: ReadonlySet<string>;
  /** Absent where nobody looked at the pool. */
  readonly look?: {
    /** Epoch ms by the store's clock: before it began. */
    readonly at: number;
    /** By unit; those that were not compared are absent. */
    readonly found: ReadonlyMap<string, Found>;
  };
}

/** A unit that cannot be sent, found before a call was spent. The reason never holds the value. */
export interface InvalidUnit {
  readonly name: string;
  /** A kebab-case word, a bounded set: it is counted and shown by itself. */
  readonly reason: string;
  /** A whole sentence for the report: what is wrong and the form that is expected. No value, no username. */
  readonly detail: string;
}
