import { CsvError, parse } from "csv-parse";
import { FeedError } from "./feed-error.ts";
import { fault, textRecord } from "./record.ts";
import type { FeedRecord } from "./record.ts";
import { boundLines, tooLong } from "./text.ts";

export const DELIMITERS = [",", ";", "\t"] as const;
export type Delimiter = (typeof DELIMITERS)[number];

export interface Csv {
  /** The names of the first row, trimmed, in its order. */
  readonly headers: readonly string[];
  readonly records: AsyncGenerator<FeedRecord>;
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
  readonly wellQuoted: boolean;
}

/** What stands between the columns: the candidate met most often in the header, quoted text left out. */
export function delimiterOf(head: string): Delimiter {
  const counts = new Map<string, number>(DELIMITERS.map((delimiter) => [delimiter, 0]));
  let quoted = false;
  for (const char of head) {
    if (char === '"') quoted = !quoted;
    else if (!quoted && (char === "\n" || char === "\r")) break;
    else if (!quoted && counts.has(char)) counts.set(char, (counts.get(char) ?? 0) + 1);
  }
  return DELIMITERS.reduce((best, next) => ((counts.get(next) ?? 0) > (counts.get(best) ?? 0) ? next : best));
}

/** True once the text holds its whole first row. */
export function hasFirstRow(head: string): boolean {
  let quoted = false;
  for (const char of head) {
    if (char === '"') quoted = !quoted;
    else if (!quoted && (char === "\n" || char === "\r")) return true;
  }
  return false;
}

/**
 * Reads a CSV text. Throws a FeedError for a header that is not usable, a record without end and a file that ends
 * inside quotes; a row with a wrong number of columns or broken quotes is a fault of its own.
 */
export async function readCsv(
  text: AsyncIterable<string>,
  name: string,
  delimiter: Delimiter,
  maxRecordLength: number,
): Promise<Csv> {
  const rows = readRows(text, name, delimiter, maxRecordLength);
  const first = await rows.next();
  if (first.done)
    throw new FeedError("empty", `\`${name}\` holds nothing but blank lines; check the export that wrote it.`);
  try {
    const headers = headersOf(first.value, name);
    return { headers, records: readRecords(rows, headers) };
  } catch (error) {
    await rows.return(undefined);
    throw error;
  }
}

function headersOf({ line, cells, wellQuoted }: Row, name: string): string[] {
  if (!wellQuoted) {
    throw new FeedError(
      "columns",
      `The header of \`${name}\` (line ${line}) has a quote in a wrong place; correct that line.`,
    );
  }
  const headers = cells.map((cell) => cell.trim());
  // Spreadsheets leave empty columns at the right end.
  while (headers.at(-1) === "") headers.pop();
  const nameless = headers.indexOf("");
  if (nameless >= 0) {
    throw new FeedError(
      "columns",
      `Column ${nameless + 1} of \`${name}\` has no name; give it one in line ${line}, or remove it.`,
    );
  }
  const seen = new Set<string>();
  for (const [index, header] of headers.entries()) {
    if (seen.has(header)) {
      throw new FeedError(
        "columns",
        `Columns ${headers.indexOf(header) + 1} and ${index + 1} of \`${name}\` have the same name; rename or remove one of them in line ${line}.`,
      );
    }
    seen.add(header);
  }
  return headers;
}

async function* readRecords(rows: AsyncGenerator<Row>, headers: readonly string[]): AsyncGenerator<FeedRecord> {
  const width = headers.length;
  for await (const { line, cells, wellQuoted } of rows) {
    if (!wellQuoted) {
      yield fault(
        line,
        "bad-quotes",
        'Expected text after a closing quote to be a new column; write a quote within quotes as "".',
      );
    } else if (cells.length < width) {
      yield fault(line, "too-few-columns", `Expected ${width} columns as in the header, got ${cells.length}.`);
    } else if (cells.slice(width).some((cell) => cell.trim() !== "")) {
      yield fault(
        line,
        "too-many-columns",
        `Expected ${width} columns as in the header, got ${cells.length}; a value that holds the delimiter needs quotes.`,
      );
    } else yield textRecord(line, headers, cells);
  }
}

/** What csv-parse makes of a row with its option `raw`; its types know only the cells. */
interface RawRow {
  readonly raw: string;
  readonly record: readonly string[];
}

function isRawRow(value: unknown): value is RawRow {
  return typeof value === "object" && value !== null && "raw" in value && "record" in value;
}

/** The rows that are not blank. */
async function* readRows(
  text: AsyncIterable<string>,
  name: string,
  delimiter: Delimiter,
  maxRecordLength: number,
): AsyncGenerator<Row> {
  // The line after the last row that was parsed: where the next one begins, or what went wrong.
  let line = 1;
  const rows: Row[] = [];
  const parser = parse({
    delimiter,
    record_delimiter: ["\r\n", "\n", "\r"],
    // Its own faults end the whole file and do not say where a row begins, so it takes every row, and the raw text
    // tells line and quoting.
    relax_quotes: true,
    relax_column_count: true,
    raw: true,
    max_record_size: maxRecordLength,
    // The rows are taken here and not from the stream, which would drop those before a fault.
    on_record(item: unknown) {
      if (!isRawRow(item)) throw new TypeError("Expected csv-parse to give `raw` and `record`");
      const { raw, record } = item;
      if (record.some((cell) => cell !== "")) {
        rows.push({ line, cells: record, wellQuoted: !raw.includes('"') || isWellQuoted(raw, delimiter) });
      }
      line += countLines(raw);
      return null;
    },
  });
  // Each fault comes to the callback of the write that met it; the event says it once more.
  parser.on("error", () => {});
  parser.resume();
  try {
    for await (const piece of boundLines(text, name, maxRecordLength)) {
      await settled((done) => parser.write(piece, done));
      yield* rows.splice(0);
    }
    await settled((done) => parser.end(done));
  } catch (error) {
    yield* rows.splice(0);
    throw csvFault(error, name, line, maxRecordLength);
  } finally {
    parser.destroy();
  }
  yield* rows;
}

function settled(act: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => act((error) => (error ? reject(error) : resolve())));
}

/** Our own sentence. The parser's error holds the row, so it must not travel along as a cause. */
function csvFault(error: unknown, name: string, line: number, maxRecordLength: number): unknown {
  if (!(error instanceof CsvError)) return error;
  if (error.code === "CSV_MAX_RECORD_SIZE") return tooLong(name, line, maxRecordLength);
  if (error.code === "CSV_QUOTE_NOT_CLOSED") {
    return new FeedError(
      "truncated",
      `\`${name}\` ends inside quotes that were opened in the record from line ${line} on; it was cut off, or a quote there is never closed.`,
    );
  }
  return new FeedError(
    "format",
    `\`${name}\` is no CSV that can be read from line ${line} on (${error.code}); check that line.`,
  );
}

/** Line ends in a row's raw text: its own (of which CRLF comes as a lone CR) and those within quotes. */
function countLines(raw: string): number {
  let lines = 0;
  for (let at = 0; at < raw.length; at++) {
    const char = raw.charCodeAt(at);
    if (char === 10 || (char === 13 && raw.charCodeAt(at + 1) !== 10)) lines++;
  }
  return lines;
}

/**
 * True where every column that begins with a quote ends with one. A quote amid an unquoted column (`5" pipe`) is
 * text; text behind a closing quote could mean two things, and is not guessed at.
 */
function isWellQuoted(raw: string, delimiter: string): boolean {
  let at = 0;
  while (at < raw.length) {
    if (raw[at] !== '"') {
      const end = raw.indexOf(delimiter, at);
      if (end < 0) return true;
      at = end + 1;
      continue;
    }
    let close = raw.indexOf('"', at + 1);
    while (close >= 0 && raw[close + 1] === '"') close = raw.indexOf('"', close + 2);
    if (close < 0) return false;
    const next = raw[close + 1];
    if (next === delimiter) at = close + 2;
    else return next === undefined || next === "\n" || next === "\r";
  }
  return true;
}
