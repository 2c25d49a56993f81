/** Tells where a table seems to begin that does not begin in the first line, so that a message can name the setting. */
import { DELIMITERS, sampleRows, type Row } from "./csv.ts";
import { FeedError } from "./feed-error.ts";
import type { TableSetting } from "./table.ts";

/** What may stand between columns, and is not taken for it unless somebody says so. */
const OTHER_DELIMITERS = ["|", "^"];
const COMMENTS = ["#", "//", "--"];
/** How many rows of the beginning are looked at. */
const MAX_ROWS = 50;

interface Guess {
  readonly delimiter: string;
  /** Rows above the header. */
  readonly above: readonly Row[];
  readonly headerLine: number;
  readonly columns: number;
  /** How many cells the rows have that are as wide as the header. */
  readonly score: number;
}

/**
 * Throws a FeedError that names the settings where the beginning of a file shows that its table begins further down, or
 * has a delimiter that nobody said. Nothing is guessed silently: what shows nothing is read from its first line on.
 */
export function refuseMisplaced(head: string, isComplete: boolean, name: string, table: TableSetting): void {
  const guessed = guess(head, isComplete, table);
  if (guessed === undefined) return;
  const { delimiter, above, headerLine, columns } = guessed;
  const isSaid = table.headerLine !== undefined || table.after !== undefined;
  const wanted: [string, string][] = [];
  if (table.delimiter === undefined && OTHER_DELIMITERS.includes(delimiter)) {
    wanted.push([`delimiter: "${delimiter}"`, `--delimiter "${delimiter}"`]);
  }
  if (above.length > 0 && !isSaid) {
    const comment = COMMENTS.find((sign) => above.every(({ cells }) => cells[0]?.startsWith(sign)));
    if (comment === undefined) wanted.push([`headerLine: ${headerLine}`, `--header-line ${headerLine}`]);
    else wanted.push([`comment: "${comment}"`, `--comment "${comment}"`]);
  }
  if (wanted.length === 0) return;
  const keys = wanted.map(([key]) => key).join(", ");
  const options = wanted.map(([, option]) => option).join(" ");
  const what =
    above.length > 0
      ? `does not seem to begin with the names of its columns: from line ${headerLine} on there are ${columns}, and fewer above`
      : `seems to have \`${delimiter}\` between its columns, of which there are ${columns}`;
  throw new FeedError(
    "columns",
    `\`${name}\` ${what}; if so, say \`table: { ${keys} }\` of the feed, or \`${options}\`, else correct its first line.`,
  );
}

function guess(head: string, isComplete: boolean, table: TableSetting): Guess | undefined {
  const rowsBy = (delimiter: string) => sampleRows(head, isComplete, { ...table, delimiter }).rows.slice(0, MAX_ROWS);
  const { rows, delimiter: plain } = sampleRows(head, isComplete, table);
  const byPlain = guessBy(plain, rows.slice(0, MAX_ROWS));
  // Nothing is to be said of what begins as a table should.
  if (byPlain?.above.length === 0) return undefined;
  const others =
    table.delimiter === undefined ? [...DELIMITERS, ...OTHER_DELIMITERS].filter((one) => one !== plain) : [];
  return others
    .map((delimiter) => guessBy(delimiter, rowsBy(delimiter)))
    .reduce((best, next) => ((next?.score ?? 0) > (best?.score ?? 0) ? next : best), byPlain);
}

/** Undefined where these rows are no table, or its header cannot be told from them. */
function guessBy(delimiter: string, rows: readonly Row[]): Guess | undefined {
  const counts = new Map<number, number>();
  for (const { cells } of rows) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  const [columns, count] = [...counts]
    .filter(([width, times]) => width > 1 && times > 1)
    .reduce((best, next) => (next[0] * next[1] > best[0] * best[1] ? next : best), [0, 0]);
  const index = rows.findIndex((row) => width(row) === columns);
  const header = rows[index];
  if (columns === 0 || header === undefined || !header.cells.every(isName)) return undefined;
  const below = rows.slice(index + 1);
  if (below.filter(({ cells }) => cells.length === columns).length * 2 <= below.length) return undefined;
  return { delimiter, above: rows.slice(0, index), headerLine: header.line, columns, score: columns * count };
}

/** How many columns a row has, without the blank ones that spreadsheets leave at its right end. */
function width({ cells }: Row): number {
  return cells.findLastIndex((cell) => cell.trim() !== "") + 1;
}

function isName(cell: string): boolean {
  return cell.trim() !== "" && cell.length <= 200 && !/@|^[\d\s.,:/+-]*$/.test(cell);
}
