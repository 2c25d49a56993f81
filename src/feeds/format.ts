import { DELIMITERS, readRows } from "./csv.ts";
import type { Damage } from "./damage.ts";
import { FeedError } from "./feed-error.ts";
import { kindOfMarkup } from "./file-kind.ts";
import { readJsonArray } from "./json-array.ts";
import { envelopeOf } from "./json-envelope.ts";
import { listText } from "./json-list.ts";
import { readWholeJson } from "./json-records.ts";
import { readNdjson } from "./ndjson.ts";
import type { FeedRecord } from "./record.ts";
import { plainPath } from "./records-expression.ts";
import type { Source } from "./source.ts";
import { isPlain, type TableSetting } from "./table.ts";
import { refuseMisplaced } from "./table-guess.ts";
import { readTable } from "./table-rows.ts";
import { MAX_RECORD_LENGTH, peekText, readText } from "./text.ts";

export const FORMATS = ["csv", "ndjson", "json-array"] as const;
export type Format = (typeof FORMATS)[number];

export interface Feed {
  readonly format: Format;
  /** The columns, where the format says them before the records. JSON names them in each record. */
  readonly headers: readonly string[] | undefined;
  /** Columns of `headers` that cannot be mapped, with why. */
  readonly ambiguous?: ReadonlyMap<string, string>;
  /** The offset of the first byte of the header that is no part of a character. */
  readonly damagedAt?: number | undefined;
  readonly records: AsyncGenerator<FeedRecord>;
  /** What is no text, as far as the file has been read. */
  readonly damage: Readonly<Damage>;
}

export interface ReadOptions {
  /** In characters; a longer record ends the feed with one error. */
  readonly maxRecordLength?: number | undefined;
  /** Where the records are in one document of JSON: see records-expression.ts. */
  readonly records?: string | undefined;
  /** Where the table of a CSV begins and ends. */
  readonly table?: TableSetting | undefined;
}

/** How many characters of the beginning are looked at, whatever pieces they come in: of a table, and of JSON. */
const LOOK_AHEAD = 8000;
const LOOK_AHEAD_JSON = 64 * 1024;
/** The first line by which some spreadsheets say their delimiter. */
const SEPARATOR_LINE = /^sep=(.)[,;\t]*\r?\n/i;
/** The first line of the templates of Microsoft Entra. */
const VERSION_LINE = /^"?version:v\d[\d.]*"?[,;\t]*\r?\n/i;

/** Begins a pass over a source: recognises the format by what is in it, never by the name, and reads a CSV's header. */
export async function openFeed(source: Source, options: ReadOptions = {}): Promise<Feed> {
  const damage: Damage = { places: 0, wellFormed: 0, first: undefined };
  const feed = await feedOf(source, options, damage);
  return { ...feed, damage };
}

async function feedOf(source: Source, options: ReadOptions, damage: Damage): Promise<Omit<Feed, "damage">> {
  const maxRecordLength = options.maxRecordLength ?? MAX_RECORD_LENGTH;
  const { name } = source;
  const lookAheadIn = (read: string): number => Math.min(isJson(read) ? LOOK_AHEAD_JSON : LOOK_AHEAD, maxRecordLength);
  const { head, text } = await peekText(readText(source, damage), (read) => read.length > lookAheadIn(read));
  const lookAhead = lookAheadIn(head);
  // Cut at the same place however the text comes in.
  const complete = head.length <= lookAhead;
  const sample = head.slice(0, lookAhead);
  const begin = sample.trimStart();
  if (complete && begin === "") {
    throw new FeedError("empty", `\`${name}\` holds nothing but white space; check the export that wrote it.`);
  }
  if (begin.startsWith("<")) {
    const { what, next } = kindOfMarkup(begin);
    throw new FeedError("format", `\`${name}\` is ${what}; ${next}.`);
  }
  if (options.records !== undefined) {
    if (isJson(begin)) return recordsFeed(text, name, maxRecordLength, options.records);
    throw new FeedError("format", `\`${name}\` is no JSON, and \`records\` is for JSON; leave it out for this file.`);
  }
  const { table = {} } = options;
  if (isJson(begin)) {
    if (isPlain(table)) return jsonFeed(text, sample, complete, name, maxRecordLength);
    throw new FeedError("format", `\`${name}\` is JSON, and \`table\` is for CSV; leave it out for this file.`);
  }
  return tableFeed(text, sample, complete, name, table, maxRecordLength);
}

function jsonFeed(
  text: AsyncGenerator<string>,
  sample: string,
  isComplete: boolean,
  name: string,
  maxRecordLength: number,
): Omit<Feed, "damage"> {
  const array = (list: AsyncIterable<string>) => readJsonArray(list, name, maxRecordLength);
  if (/^\s*\[/.test(sample)) return { format: "json-array", headers: undefined, records: array(text) };
  const envelope = envelopeOf(sample, isComplete, name);
  if (envelope.is === "lines") {
    return { format: "ndjson", headers: undefined, records: readNdjson(text, name, maxRecordLength) };
  }
  const keys = envelope.is === "list" ? envelope.keys : [];
  const list = listText(text, { keys, name, maxRecordLength, isRecognised: envelope.is === "list" });
  return { format: "json-array", headers: undefined, records: array(list) };
}

async function tableFeed(
  text: AsyncGenerator<string>,
  sample: string,
  isComplete: boolean,
  name: string,
  table: TableSetting,
  maxRecordLength: number,
): Promise<Omit<Feed, "damage">> {
  const [known = ""] = VERSION_LINE.exec(sample) ?? SEPARATOR_LINE.exec(sample) ?? [];
  const [, separator] = SEPARATOR_LINE.exec(sample) ?? [];
  const delimiter = table.delimiter ?? separator;
  if (separator !== undefined && table.delimiter === undefined && !DELIMITERS.some((one) => one === separator)) {
    throw new FeedError(
      "format",
      `\`${name}\` says a delimiter in its first line that is not supported; use a comma, a semicolon or a tab, or say another with \`table: { delimiter: … }\` of the feed or \`--delimiter\`.`,
    );
  }
  const said = { ...table, delimiter };
  refuseMisplaced(known === "" ? sample : `\n${sample.slice(known.length)}`, isComplete, name, said);
  const rows = readRows(known === "" ? text : blankLine(text, known.length), name, said, maxRecordLength);
  return { format: "csv", ...(await readTable(rows, name, said)) };
}

/** The records that an expression finds: piece by piece where it is a plain path, else in the document as a whole. */
function recordsFeed(
  text: AsyncGenerator<string>,
  name: string,
  maxRecordLength: number,
  expression: string,
): Omit<Feed, "damage"> {
  const keys = plainPath(expression);
  const records =
    keys === undefined
      ? readWholeJson(text, name, expression)
      : readJsonArray(listText(text, { keys, name, maxRecordLength }), name, maxRecordLength);
  return { format: "json-array", headers: undefined, records };
}

function isJson(begin: string): boolean {
  return /^\s*[[{]/.test(begin);
}

/** Leaves the first line's text out but keeps its end, so that the lines are still counted right. */
async function* blankLine(text: AsyncIterable<string>, length: number): AsyncGenerator<string> {
  let first = true;
  for await (const piece of text) {
    yield first ? `\n${piece.slice(length)}` : piece;
    first = false;
  }
}

/** The records of a source, in their order. Throws a FeedError where the feed as a whole cannot be read. */
export async function* readRecords(source: Source, options: ReadOptions = {}): AsyncGenerator<FeedRecord> {
  const feed = await openFeed(source, options);
  yield* feed.records;
}
