/** The rows of a table as records: what its first row names, and what each of the others has. */
import type { Row } from "./csv.ts";
import { damagedPlaces, shownDamage } from "./damage.ts";
import { FeedError } from "./feed-error.ts";
import { fault, textRecord, type FeedRecord } from "./record.ts";
import { isFooter, type TableSetting } from "./table.ts";

/** What a total may be one of. */
const COUNTED =
  /\b(?:number|no\.?|of|employees|workers|people|users|members|staff|records|rows|entries|headcount|count)\b/giu;

export interface Table {
  /** The names of the first row, trimmed, in its order, each once. Columns without a name are none. */
  readonly headers: readonly string[];
  /** Why a column cannot be mapped although it is in `headers`, by its name, as a clause with the next step. */
  readonly ambiguous: ReadonlyMap<string, string>;
  /** The offset of the first byte of the header that is no part of a character. */
  readonly damagedAt: number | undefined;
  readonly records: AsyncGenerator<FeedRecord>;
}

interface Header {
  /** One for each column, blank for those without a name. */
  readonly names: readonly string[];
  /** How many cells the row has, blank ones at its end among them. */
  readonly cells: number;
}

/** Rows that end a table begin so in exports: these words, and no others, are recognised where `footer` says none. */
const TOTALS =
  /^(?:grand total|sub-?total|totals?|sum|summe|gesamt|gesamtsumme|total général|totale|suma)(?![\p{L}\p{M}])/iu;

/**
 * The table of which these are the rows, the first of them its header. Throws a FeedError for a header that is not
 * usable; a row with a wrong number of columns or broken quotes is a fault of its own.
 */
export async function readTable(rows: AsyncGenerator<Row>, name: string, table: TableSetting): Promise<Table> {
  const first = await rows.next();
  if (first.done === true) {
    throw new FeedError("empty", `\`${name}\` holds nothing but blank lines; check the export that wrote it.`);
  }
  try {
    const header = headerOf(first.value, name);
    const [damaged] = damagedPlaces(first.value.cells.join("")).filter(({ isNul }) => !isNul);
    const headers = [...new Set(header.names.filter((one) => one !== ""))];
    return {
      headers,
      ambiguous: ambiguousIn(header, first.value.line),
      damagedAt: damaged?.offset,
      records: readRecords(rows, header, name, table),
    };
  } catch (error) {
    await rows.return(undefined);
    throw error;
  }
}

function headerOf({ line, cells, wellQuoted }: Row, name: string): Header {
  if (!wellQuoted) {
    throw new FeedError(
      "columns",
      `The header of \`${name}\` (line ${line}) has a quote in a wrong place; correct that line.`,
    );
  }
  const names = cells.map((cell) => shownDamage(cell).trim());
  // Spreadsheets leave empty columns at the right end.
  while (names.at(-1) === "") names.pop();
  return { names, cells: cells.length };
}

function ambiguousIn({ names }: Header, line: number): ReadonlyMap<string, string> {
  const ambiguous = new Map<string, string>();
  const places = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const before = places.get(name);
    if (before === undefined) places.set(name, index + 1);
    else if (name !== "") {
      ambiguous.set(
        name,
        `columns ${before} and ${index + 1} have the same name; rename or remove one of them in line ${line}`,
      );
    }
  }
  return ambiguous;
}

async function* readRecords(
  rows: AsyncGenerator<Row>,
  header: Header,
  name: string,
  { footer }: TableSetting,
): AsyncGenerator<FeedRecord> {
  let footerLine: number | undefined;
  for await (const row of rows) {
    if (footerLine !== undefined) {
      if (isFull(row, header)) throw afterFooter(name, footerLine, row.line);
    } else if (footer !== undefined && isFooter(row.cells, footer)) footerLine = row.line;
    else yield recordOf(row, header);
  }
}

function recordOf({ line, cells, wellQuoted }: Row, { names, cells: headerCells }: Header): FeedRecord {
  const width = names.length;
  if (!wellQuoted) {
    return fault(
      line,
      "bad-quotes",
      'Expected text after a closing quote to be a new column; write a quote within quotes as "".',
    );
  }
  const totals = totalsIn(cells);
  if (totals !== undefined) {
    return fault(
      line,
      "totals-row",
      `Expected a row of the table, got what looks like its totals: where such a row ends it, say \`footer: "${totals}"\` under \`table\` of the feed, or \`--footer "${totals}"\`.`,
    );
  }
  if (cells.length < width) {
    return fault(line, "too-few-columns", `Expected ${width} columns as in the header, got ${cells.length}.`);
  }
  // Columns at the right end that have no name may hold something, but not what was pushed there by a delimiter.
  if (cells.length > headerCells && cells.slice(width).some((cell) => cell.trim() !== "")) {
    return fault(
      line,
      "too-many-columns",
      `Expected ${width} columns as in the header, got ${cells.length}; a value that holds the delimiter needs quotes.`,
    );
  }
  return textRecord(line, names, cells);
}

/** The word by which a row says that it holds totals: it begins with it, and has nothing but numbers besides. */
function totalsIn(cells: readonly string[]): string | undefined {
  const index = cells[0] === "" ? cells.findIndex((cell) => cell !== "") : 0;
  const first = cells[index]?.trim() ?? "";
  // Looked at in every row, so that what decides most often comes first.
  if (!/^[gst]/i.test(first)) return undefined;
  const [word] = TOTALS.exec(first) ?? [];
  const behind = word === undefined ? "" : first.slice(word.length).replace(COUNTED, "");
  if (word === undefined || !isFigure(behind)) return undefined;
  return cells.slice(index + 1).every(isFigure) ? word : undefined;
}

/** A number, an amount, or nothing. */
function isFigure(text: string): boolean {
  return /^[\s\d.,:;%()'’=+-]*$/.test(text);
}

/** A row of people, in the eyes of whoever says that there is none any more: most of its columns are filled. */
function isFull({ cells }: Row, { names }: Header): boolean {
  const filled = cells.filter((cell) => cell.trim() !== "").length;
  return cells.length >= names.length && filled >= 2 && filled * 2 > names.length;
}

function afterFooter(name: string, footer: number, line: number): FeedError {
  return new FeedError(
    "columns",
    `\`${name}\` goes on in line ${line} behind the row that is taken for the end of its table (\`footer\`, line ${footer}); give a text with which no row but the last ones begins.`,
  );
}
