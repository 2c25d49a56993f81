import { DELIMITERS, delimiterOf, hasFirstRow, readCsv } from "./csv.ts";
import { FeedError } from "./feed-error.ts";
import { REPORT_ENTRY, readJsonArray } from "./json-array.ts";
import { listText } from "./json-list.ts";
import { readWholeJson } from "./json-records.ts";
import { readNdjson } from "./ndjson.ts";
import type { FeedRecord } from "./record.ts";
import { plainPath } from "./records-expression.ts";
import type { Source } from "./source.ts";
import { MAX_RECORD_LENGTH, peekText, readText } from "./text.ts";

export const FORMATS = ["csv", "ndjson", "json-array"] as const;
export type Format = (typeof FORMATS)[number];

export interface Feed {
  readonly format: Format;
  /** The columns, where the format says them before the records. JSON names them in each record. */
  readonly headers: readonly string[] | undefined;
  readonly records: AsyncGenerator<FeedRecord>;
}

export interface ReadOptions {
  /** In characters; a longer record ends the feed with one error. */
  readonly maxRecordLength?: number | undefined;
  /** Where the records are in one document of JSON: see records-expression.ts. */
  readonly records?: string | undefined;
}

/** How much of the beginning is looked at: enough to tell Workday's object from one object a line. */
const LOOK_AHEAD = 1000;
/** The first line by which some spreadsheets say their delimiter. */
const SEPARATOR_LINE = /^sep=(.)\r?\n/i;

/** Begins a pass over a source: recognises the format by what is in it, never by the name, and reads a CSV's header. */
export async function openFeed(source: Source, options: ReadOptions = {}): Promise<Feed> {
  const maxRecordLength = options.maxRecordLength ?? MAX_RECORD_LENGTH;
  const { name } = source;
  const { head, complete, text } = await peekText(
    readText(source),
    (begin) =>
      begin.length > maxRecordLength ||
      (begin.trim().length > LOOK_AHEAD && (isJson(begin) || hasFirstRow(begin.trimStart()))),
  );
  const begin = head.trimStart();
  if (complete && begin === "") {
    throw new FeedError("empty", `\`${name}\` holds nothing but white space; check the export that wrote it.`);
  }
  if (begin.startsWith("<")) {
    throw new FeedError(
      "format",
      `\`${name}\` is XML or HTML; ask the system that wrote it for CSV or JSON (Workday: \`format=json\`).`,
    );
  }
  if (options.records !== undefined) {
    if (isJson(begin)) return recordsFeed(text, name, maxRecordLength, options.records);
    throw new FeedError("format", `\`${name}\` is no JSON, and \`records\` is for JSON; leave it out for this file.`);
  }
  if (begin.startsWith("[") || REPORT_ENTRY.test(begin)) {
    return { format: "json-array", headers: undefined, records: readJsonArray(text, name, maxRecordLength) };
  }
  if (begin.startsWith("{")) {
    return { format: "ndjson", headers: undefined, records: readNdjson(text, name, maxRecordLength) };
  }
  const separator = SEPARATOR_LINE.exec(head);
  if (separator === null) {
    const csv = await readCsv(text, name, delimiterOf(begin), maxRecordLength);
    return { format: "csv", ...csv };
  }
  const delimiter = DELIMITERS.find((one) => one === separator[1]);
  if (delimiter === undefined) {
    throw new FeedError(
      "format",
      `\`${name}\` says a delimiter in its first line that is not supported; use a comma, a semicolon or a tab.`,
    );
  }
  const csv = await readCsv(blankLine(text, separator[0].length), name, delimiter, maxRecordLength);
  return { format: "csv", ...csv };
}

/** The records that an expression finds: piece by piece where it is a plain path, else in the document as a whole. */
function recordsFeed(text: AsyncGenerator<string>, name: string, maxRecordLength: number, expression: string): Feed {
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
