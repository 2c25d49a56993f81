import { FeedError } from "./feed-error.ts";
import type { TableSetting } from "./table.ts";
import { tooLong } from "./text.ts";

export const DELIMITERS = [",", ";", "\t"] as const;

/** One row of a table. */
export interface Row {
  /** 1-based physical line on which it starts. */
  readonly line: number;
  readonly cells: readonly string[];
  /** False where text stands behind a closing quote, which could mean two things, and is not guessed at. */
  readonly wellQuoted: boolean;
}

/** What stands between the columns: the candidate met most often in the header, quoted text left out. */
function delimiterOf(head: string): (typeof DELIMITERS)[number] {
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
 * The rows of a CSV text that are not blank, from its header on, with quotes as in RFC 4180; white space around quotes
 * is none of the value, and a quote amid an unquoted one (`5" pipe`) is text. Rows end with CRLF, LF or CR. Throws a
 * FeedError for a record without end and a text that ends inside quotes.
 */
export async function* readRows(
  text: AsyncIterable<string>,
  name: string,
  table: TableSetting,
  maxLength: number,
): AsyncGenerator<Row> {
  const cutter = createCutter(name, table, maxLength);
  for await (const piece of text) yield* cutter.cut(piece);
  yield* cutter.end();
}

/** The rows of the beginning of a text, as many as are whole in it, and what stands between their columns. */
export function sampleRows(
  head: string,
  isComplete: boolean,
  table: TableSetting,
): { readonly rows: readonly Row[]; readonly delimiter: string } {
  const cutter = createCutter("", table, head.length);
  const rows = [...cutter.cut(head)];
  try {
    if (isComplete) rows.push(...cutter.end());
  } catch {
    // What ends within quotes, or before its header, is told where it is read.
  }
  return { rows, delimiter: cutter.delimiter };
}

interface Cutter {
  /** A comma until the header has come, where none is said. */
  readonly delimiter: string;
  /** The rows that are complete with this piece of the text. */
  cut(piece: string): Iterable<Row>;
  /** The last row. Throws where the text ended too soon. */
  end(): Iterable<Row>;
}

/** A row that was found in the text, and where the next one begins; undefined where it may go on in the next piece. */
interface Found {
  readonly cells: readonly string[];
  readonly wellQuoted: boolean;
  readonly next: number;
  /** Line ends in it, its own among them. */
  readonly lines: number;
}

function createCutter(
  name: string,
  { comment, headerLine = 1, after, ...said }: TableSetting,
  maxLength: number,
): Cutter {
  let { delimiter } = said;
  let isAfter = after === undefined;
  let line = 1;
  /** What has come and is no whole row yet. */
  let rest = "";

  function* rowsIn(text: string, isLast: boolean): Generator<Row> {
    const scanner = createScanner(text, isLast);
    let at = 0;
    while (at < text.length) {
      // What is above the header is no table, and its quotes mean nothing.
      const isAbove = !isAfter || line < headerLine;
      if (isAbove || (comment !== undefined && text.startsWith(comment, at))) {
        const end = scanner.lineEnd(at);
        if (end === undefined) break;
        if (after !== undefined && !isAfter) isAfter = text.slice(at, end.at).includes(after);
        line++;
        at = end.next;
        continue;
      }
      if (delimiter === undefined) {
        const first = text.slice(at);
        if (!isLast && !hasFirstRow(first)) break;
        // Blank lines may stand before the header.
        if (/^\s*?[\r\n]/.test(first)) {
          const end = scanner.lineEnd(at);
          if (end === undefined) break;
          line++;
          at = end.next;
          continue;
        }
        delimiter = delimiterOf(first);
      }
      const found = scanner.row(at, delimiter);
      if (found === undefined) break;
      if (found.next - at > maxLength + 2) throw tooLong(name, line, maxLength);
      if (found.cells.some((cell) => cell !== "")) {
        yield { line, cells: found.cells, wellQuoted: found.wellQuoted };
      }
      line += found.lines;
      at = found.next;
    }
    rest = at === 0 ? text : text.slice(at);
    if (rest.length > maxLength + 2) throw tooLong(name, line, maxLength);
  }

  return {
    get delimiter() {
      return delimiter ?? ",";
    },
    cut: (piece) => rowsIn(rest === "" ? piece : rest + piece, false),
    *end() {
      yield* rowsIn(rest, true);
      if (rest !== "") {
        throw new FeedError(
          "truncated",
          `\`${name}\` ends inside quotes that were opened in the record from line ${line} on; it was cut off, or a quote there is never closed.`,
        );
      }
      if (!isAfter || line < headerLine) {
        const wanted = isAfter ? `line ${headerLine}, and ends before it` : "the text of `after`, and no line holds it";
        throw new FeedError(
          "columns",
          `\`${name}\` is to have its header behind ${wanted}; correct \`table\` of the feed.`,
        );
      }
    },
  };
}

/** Finds lines and rows in a text; places are remembered, so that each is looked for once. */
function createScanner(text: string, isLast: boolean) {
  const found = { "\n": -1, "\r": -1, '"': -1 };
  let delimiterAt = -1;

  /** The first place from here on; the end of the text and beyond where there is none. */
  function next(char: keyof typeof found, from: number): number {
    if (found[char] < from) {
      const at = text.indexOf(char, from);
      found[char] = at < 0 ? Infinity : at;
    }
    return found[char];
  }

  /** Where a line ends, and the next one begins. A CR at the end of a piece may be half a line end. */
  function lineEnd(from: number): { readonly at: number; readonly next: number } | undefined {
    const at = Math.min(next("\n", from), next("\r", from));
    if (at >= text.length) return isLast ? { at: text.length, next: text.length } : undefined;
    if (text[at] === "\n") return { at, next: at + 1 };
    if (at + 1 === text.length && !isLast) return undefined;
    return { at, next: text[at + 1] === "\n" ? at + 2 : at + 1 };
  }

  function row(from: number, delimiter: string): Found | undefined {
    const end = lineEnd(from);
    if (next('"', from) >= (end?.at ?? text.length)) {
      return end && { cells: text.slice(from, end.at).split(delimiter), wellQuoted: true, next: end.next, lines: 1 };
    }
    return quotedRow(from, delimiter);
  }

  function quotedRow(from: number, delimiter: string): Found | undefined {
    const cells: string[] = [];
    let wellQuoted = true;
    let at = from;
    for (;;) {
      const open = pastSpace(at, delimiter);
      let behind = at;
      if (text[open] === '"') {
        const close = closingQuote(open);
        if (close === undefined) return undefined;
        cells.push(text.slice(open + 1, close).replaceAll('""', '"'));
        behind = pastSpace(close + 1, delimiter);
      }
      const end = lineEnd(behind);
      const cut = nextDelimiter(behind, delimiter);
      const isCut = cut < (end?.at ?? text.length);
      if (!isCut && end === undefined) return undefined;
      const stop = isCut ? cut : (end?.at ?? text.length);
      if (behind === at) cells.push(text.slice(at, stop));
      else if (stop !== behind) wellQuoted = false;
      if (!isCut) return end && { cells, wellQuoted, next: end.next, lines: linesIn(text.slice(from, end.next)) };
      at = cut + 1;
    }
  }

  function nextDelimiter(from: number, delimiter: string): number {
    if (delimiterAt < from) {
      const at = text.indexOf(delimiter, from);
      delimiterAt = at < 0 ? Infinity : at;
    }
    return delimiterAt;
  }

  /** Undefined where the quotes do not end in this text, or it may go on with a second quote. */
  function closingQuote(open: number): number | undefined {
    let close = text.indexOf('"', open + 1);
    while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
    return close < 0 || (close + 1 === text.length && !isLast) ? undefined : close;
  }

  function pastSpace(from: number, delimiter: string): number {
    let at = from;
    for (let char = text[at]; char !== undefined && char !== delimiter && isSpace(char); char = text[at]) at++;
    return at;
  }

  return { lineEnd, row };
}

function linesIn(row: string): number {
  let lines = 0;
  for (let at = 0; at < row.length; at++) {
    const char = row[at];
    if (char === "\n" || (char === "\r" && row[at + 1] !== "\n")) lines++;
  }
  return lines;
}

function isSpace(char: string): boolean {
  return char === " " || (char !== "\n" && char !== "\r" && /\s/.test(char));
}
