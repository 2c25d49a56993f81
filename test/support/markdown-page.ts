import assert from "node:assert/strict";

/** What stands under a heading, up to the next of the same level. */
export function section(page: string, title: string): string {
  const [, level = "", body] = new RegExp(`^(#{2,3}) ${title}\\n([\\s\\S]*)`, "m").exec(page) ?? [];
  assert.ok(body !== undefined, `a section "${title}"`);
  return body.split(new RegExp(`^#{2,${level.length}} `, "m"), 1)[0] ?? "";
}

/** A row of a table: its cells by the names of the columns. */
export interface Row {
  readonly [column: string]: string;
}

/** The tables of a text whose header begins with this column, as one. */
export function table(text: string, first: string): Row[] {
  const rows: Row[] = [];
  let columns: string[] | undefined;
  for (const line of text.split("\n")) {
    const cells = line.startsWith("|") ? cellsOf(line) : undefined;
    if (cells === undefined) columns = undefined;
    else if (columns === undefined) columns = cells;
    else if (columns[0] === first && !/^-+$/.test(cells[0] ?? "")) {
      assert.equal(cells.length, columns.length, `a cell for each column in: ${line}`);
      rows.push(Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""])));
    }
  }
  assert.ok(rows.length > 0, `a table whose first column is "${first}"`);
  return rows;
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf("|"))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/** Every word in code marks. */
export function marked(cell: string | undefined): string[] {
  return Array.from((cell ?? "").matchAll(/`([^`]+)`/g), ([, word = ""]) => word);
}

/** The first of them, or the cell itself. */
export function only(cell: string | undefined): string {
  const [word = cell ?? ""] = marked(cell);
  return word;
}
