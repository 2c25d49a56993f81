import { columnName, MAX_STEPS, type Step } from "./column-path.ts";
import { createColumnCollector, headerColumns, type Columns } from "./columns.ts";
import { damagedColumns, type DamagedColumns } from "./unusable.ts";
import { FeedError } from "./feed-error.ts";
import { openFeed } from "./format.ts";
import type { Format, ReadOptions } from "./format.ts";
import type { FieldsRecord } from "./record.ts";
import { isNullWord } from "./rubble.ts";
import type { Source } from "./source.ts";
import { MAX_RECORD_LENGTH } from "./text.ts";

/** More different columns than this, or longer ones together, are not columns: the keys of the objects are data. */
const MAX_COLUMNS = 20_000;
const MAX_NAMES_LENGTH = 4 * MAX_RECORD_LENGTH;

export interface Checked {
  readonly format: Format;
  readonly sha256: string;
  readonly bytes: number;
  /** Records that can be read. */
  readonly records: number;
  /** Records that are a fault of their own. */
  readonly faults: number;
  /** Those of a CSV's header, or all that a record of JSON has. */
  readonly columns: Columns;
  /** Columns that cannot be mapped, with why. */
  readonly ambiguous?: ReadonlyMap<string, string> | undefined;
  /** Where bytes are no text; undefined where all are. */
  readonly damaged?: DamagedColumns | undefined;
  /** By column: in how many records it holds the word `null`, in any case of letters. */
  readonly nullWords: ReadonlyMap<string, number>;
}

/**
 * The first pass over a source that can be read twice. It reads everything to the end, so that encoding, columns,
 * truncation and the end of gzip or JSON are known before anything is put. Throws a FeedError.
 */
export async function checkPass(source: Source, options: ReadOptions = {}): Promise<Checked> {
  const feed = await openFeed(source, options);
  const columns = createColumnCollector();
  const damaged = damagedColumns(feed.damage, feed.damagedAt);
  const nullWords = new Map<string, number>();
  let records = 0;
  let faults = 0;
  for await (const record of feed.records) {
    if (record.kind === "fault") {
      faults++;
      continue;
    }
    records++;
    // Looked for where there are some: no file is slower for those of others.
    if (feed.damage.places > 0) damaged.add(record);
    countNullWords(record, nullWords);
    if (feed.headers !== undefined) continue;
    columns.add(record);
    if (columns.size.names > MAX_COLUMNS || columns.size.length > MAX_NAMES_LENGTH) {
      const many = columns.size.names > MAX_COLUMNS;
      throw new FeedError(
        "columns",
        `The records of \`${source.name}\` have more than ${many ? `${MAX_COLUMNS} different names` : `${MAX_NAMES_LENGTH} characters of different names`} up to line ${record.line}; give one object a person with the same few names in each.`,
      );
    }
  }
  if (records + faults === 0) {
    throw new FeedError("empty", `\`${source.name}\` has no records; check the export that wrote it.`);
  }
  const { identity } = source;
  if (identity === undefined) throw new TypeError("Expected a source that was read to its end to have an identity");
  const found = feed.headers === undefined ? columns : headerColumns(feed.headers);
  return {
    format: feed.format,
    ...identity,
    records,
    faults,
    columns: found,
    ambiguous: feed.ambiguous,
    damaged: feed.damage.places > 0 ? damaged : undefined,
    nullWords,
  };
}

/** Nobody is called so in two rows: there it is a database's word for nothing. */
function countNullWords({ fields, nested }: FieldsRecord, counts: Map<string, number>): void {
  for (const text of fields.values()) {
    if (text === null || !isNullWord(text)) continue;
    for (const [name, other] of fields) if (other !== null && isNullWord(other)) count(name, counts);
    break;
  }
  if (nested !== undefined) for (const [name, value] of nested) countWithin(value, [name], counts);
}

function countWithin(value: object, path: readonly Step[], counts: Map<string, number>): void {
  if (path.length >= MAX_STEPS) return;
  const isList = Array.isArray(value);
  const entries: readonly [string, unknown][] = Object.entries(value);
  for (const [key, within] of entries) {
    const isWord = typeof within === "string" && isNullWord(within);
    if (!isWord && (typeof within !== "object" || within === null)) continue;
    const way = [...path, isList ? Number(key) : key];
    if (isWord) count(columnName(way), counts);
    else if (typeof within === "object" && within !== null) countWithin(within, way, counts);
  }
}

function count(name: string, counts: Map<string, number>): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
