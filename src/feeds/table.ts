/** Where the table of a CSV file begins and ends, as far as that cannot be told by its form: `table` of a feed. */

export interface TableSetting {
  /** What stands between the columns: one character. */
  readonly delimiter?: string | undefined;
  /** 1-based: the line with the names of the columns. What is above it is left out. */
  readonly headerLine?: number | undefined;
  /** The names of the columns come after the first line that holds this text. */
  readonly after?: string | undefined;
  /** Lines that begin with this text are left out. */
  readonly comment?: string | undefined;
  /** A row whose first text begins with this ends the table. */
  readonly footer?: string | undefined;
}

export const DELIMITER_FORM = "one character such as ; or |, or `tab`";

/** The delimiter that a text says; undefined where it is none. */
export function delimiterIn(said: string): string | undefined {
  const text = said === "tab" || said === "\\t" ? "\t" : said;
  return text.length === 1 && !/[\p{L}\p{N}"\r\n\p{Cs}\uffff]/u.test(text) ? text : undefined;
}

/** A text that can stand in one line. */
export function isLineText(said: string): boolean {
  return said.trim() !== "" && !/[\r\n]/.test(said);
}

/** True where nothing is said. */
export function isPlain(table: TableSetting): boolean {
  return Object.values(table).every((value) => value === undefined);
}

/** True where a row is the one that the setting means: `Total` is met by `Total`, `Total: 3` and ` Total 3`, not by `Totalli`. */
export function isFooter(cells: readonly string[], footer: string): boolean {
  const first = cells.find((cell) => cell.trim() !== "")?.trim() ?? "";
  return first.startsWith(footer) && !/^[\p{L}\p{M}]/u.test(first.slice(footer.length));
}
