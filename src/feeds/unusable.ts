/** What is wrong with a file in columns that somebody maps: of others it is nobody's concern. */
import { columnPath } from "./column-path.ts";
import { damagedPlaces, type Damage } from "./damage.ts";
import { FeedError } from "./feed-error.ts";
import type { FieldsRecord } from "./record.ts";
import type { Source } from "./source.ts";
import { misread } from "./text.ts";

/** Throws a FeedError for a mapped column that could be one of two. */
export function refuseAmbiguous(
  ambiguous: ReadonlyMap<string, string> | undefined,
  mapped: ReadonlySet<string>,
  name: string,
): void {
  const problems = [...(ambiguous ?? [])].filter(([column]) => mapped.has(column)).map(([, why]) => why);
  if (problems.length > 0) {
    throw new FeedError("columns", `The columns of \`${name}\` do not fit: ${problems.join(". Also, ")}.`);
  }
}

/** By the name of a column at the top: how often bytes in it are no characters, and where first. */
export interface DamagedColumns {
  readonly places: ReadonlyMap<string, { count: number; readonly first: number }>;
  readonly damage: Readonly<Damage>;
  /** Where it is in the header. */
  readonly headerAt: number | undefined;
  add(record: FieldsRecord): void;
}

export function damagedColumns(damage: Readonly<Damage>, headerAt?: number): DamagedColumns {
  const places = new Map<string, { count: number; readonly first: number }>();
  const note = (column: string, text: string): void => {
    const found = damagedPlaces(text).filter(({ isNul }) => !isNul);
    const [first] = found;
    if (first === undefined) return;
    const known = places.get(column);
    if (known === undefined) places.set(column, { count: found.length, first: first.offset });
    else known.count += found.length;
  };
  return {
    places,
    damage,
    headerAt,
    add({ fields, nested = new Map<string, object>() }) {
      for (const [column, value] of fields) if (value !== null) note(column, value);
      for (const [column, value] of nested) note(column, textIn(value));
    },
  };
}

function textIn(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    // Thousands of levels deep: no column leads there.
    return "";
  }
}

/**
 * Throws a FeedError where most of the mapped text beyond ASCII does not fit the encoding in which the file was read: it
 * is the file that is to be read in another, and not some of its rows that are faulty.
 */
export function refuseMisread(
  damaged: DamagedColumns | undefined,
  mapped: ReadonlySet<string>,
  source: Pick<Source, "name" | "encoding">,
): void {
  if (damaged === undefined) return;
  const tops = new Set([...mapped].flatMap((column) => [column, String(columnPath(column)?.[0] ?? column)]));
  const found = [...damaged.places].filter(([column]) => tops.has(column)).map(([, place]) => place);
  const count = found.reduce((sum, place) => sum + place.count, 0);
  if (count <= damaged.damage.wellFormed) return;
  throw misread(source, Math.min(...found.map(({ first }) => first)));
}

/** The same where the names of columns do not fit, and may not for that reason. */
export function refuseMisreadHeader(
  damaged: DamagedColumns | undefined,
  source: Pick<Source, "name" | "encoding">,
): void {
  if (damaged?.headerAt === undefined || damaged.damage.places <= damaged.damage.wellFormed) return;
  throw misread(source, damaged.headerAt);
}
