/** Tables in plain text that never are wider than the terminal: what does not fit becomes one block a row. */

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** May be cut with an ellipsis where the table is too wide. */
  readonly shrinks?: boolean;
  /** Of the last column, which shrinks: goes on in lines below instead of being cut. */
  readonly wraps?: boolean;
  /** Left out, with all others that may be, where the table is too wide with them. */
  readonly spare?: boolean;
}

const GAP = "  ";
/** A column that shrinks keeps at least this. */
const NARROWEST = 12;

/** Lines of the table, each ended. No rows: nothing. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string {
  if (rows.length === 0) return "";
  const natural = columns.map(({ title }, index) =>
    Math.max(...[title, ...rows.map((row) => row[index] ?? "")].map(columnsWide)),
  );
  const widths = shrink(columns, natural, width - GAP.length * (columns.length - 1));
  if (widths === undefined) {
    const kept = columns.flatMap(({ spare }, index) => (spare === true ? [] : [index]));
    const of = <T>(all: readonly T[]): T[] => all.filter((_, index) => kept.includes(index));
    return kept.length < columns.length ? table(of(columns), rows.map(of), width) : blocks(columns, rows, width);
  }
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, wide) => sum + wide + GAP.length, 0);
  const lines = (cells: readonly string[]): string => {
    if (columns[last]?.wraps !== true) return line(cells);
    const [first = "", ...more] = wrap(cells[last] ?? "", widths[last] ?? 0);
    return [
      line([...cells.slice(0, last), first]),
      ...more.map((text) => " ".repeat(before) + cut(text, widths[last] ?? 0)),
    ].join("\n");
  };
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const room = widths[index] ?? 0;
        const cell = cut(cells[index] ?? "", room);
        const padding = " ".repeat(Math.max(0, room - columnsWide(cell)));
        return align === "right" ? padding + cell : cell + padding;
      })
      .join(GAP)
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(lines)].map((text) => `${text}\n`).join("");
}

function shrink(columns: readonly Column[], natural: readonly number[], room: number): number[] | undefined {
  const widths = [...natural];
  let over = widths.reduce((sum, amount) => sum + amount, 0) - room;
  while (over > 0) {
    const wide = columns
      .map((column, index) => ({ index, width: widths[index] ?? 0, shrinks: column.shrinks === true }))
      .filter((candidate) => candidate.shrinks && candidate.width > NARROWEST)
      .toSorted((a, b) => b.width - a.width)[0];
    if (wide === undefined) return undefined;
    widths[wide.index] = wide.width - 1;
    over -= 1;
  }
  return widths;
}

function blocks(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string {
  const label = Math.max(...columns.map(({ title }) => columnsWide(title)));
  return rows
    .map((row) =>
      columns
        .map(({ title }, index) => ({ title, cell: row[index] ?? "" }))
        .filter(({ cell }) => cell !== "")
        .map(({ title, cell }) => indent(`${title.padEnd(label)}  `, cell, width))
        .join(""),
    )
    .join("\n");
}

/** The text wrapped at the width, its first line after `head`, the others below its beginning. Each line is ended. */
export function indent(head: string, text: string, width: number): string {
  const room = Math.max(NARROWEST, width - head.length);
  return wrap(text, room)
    .map((line, index) => `${index === 0 ? head : " ".repeat(head.length)}${line}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}

/** Breaks between words; a word that is longer than the line stays whole, so that it can be copied. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && columnsWide(line) + 1 + columnsWide(word) > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}

/** How many columns of a terminal a text takes: wide letters take two, and marks that combine none. */
export function columnsWide(text: string): number {
  let wide = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    wide +=
      /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}]/u.test(
        segment,
      )
        ? 2
        : 1;
  }
  return wide;
}

function cut(text: string, room: number): string {
  if (columnsWide(text) <= room) return text;
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (columnsWide(kept + segment) > room - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
