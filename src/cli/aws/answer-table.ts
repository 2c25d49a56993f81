/** `--output table`: the boxes that the AWS CLI draws, without its colours. */
import { columnsWide } from "../../views/table.ts";
import { isNested, plainText } from "./answer-lines.ts";

interface Section {
  readonly title: string;
  readonly depth: number;
  headers: readonly string[];
  readonly rows: string[][];
}

const PADDING = 4;
const BORDER = 2;

/** The table of an answer, titled with the operation. Blank for an answer without anything in it. */
export function answerTable(title: string, value: unknown, terminalWidth: number): string {
  const sections: Section[] = [];
  build(sections, title, value, 0);
  if (sections.length === 0) return "";
  if (Math.max(...sections.map(widthOf)) > terminalWidth) sections.forEach(transpose);
  const width = Math.max(...sections.map(widthOf));
  return `${"-".repeat(width)}\n${sections.map((section) => render(section, width)).join("")}`;
}

const isBlank = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  value === false ||
  value === 0 ||
  (isNested(value) && Object.keys(value).length === 0);

function build(sections: Section[], title: string | undefined, value: unknown, depth: number): void {
  if (isBlank(value)) return;
  if (title !== undefined) sections.push({ title, depth, headers: [], rows: [] });
  if (Array.isArray(value)) {
    if (isNested(value[0]) && !Array.isArray(value[0])) return buildList(sections, title ?? "", value, depth);
    for (const item of value) {
      if (!isNested(item)) sections.at(-1)?.rows.push([plainText(item)]);
      else if (Array.isArray(item) && item.every((item) => !isNested(item)))
        sections.at(-1)?.rows.push(item.map(plainText));
      else build(sections, undefined, item, 0);
    }
    return;
  }
  if (!isNested(value)) {
    sections.at(-1)?.rows.push([plainText(value)]);
    return;
  }
  const { plain, nested } = keysOf([value]);
  const cells = plain.map((key) => plainText(Reflect.get(value, key)));
  const section = sections.at(-1);
  if (section && plain.length === 1) section.rows.push([...plain, ...cells]);
  else if (section && plain.length > 0) {
    section.headers = plain;
    section.rows.push(cells);
  }
  for (const key of nested) build(sections, key, Reflect.get(value, key), depth + 1);
}

function buildList(sections: Section[], title: string, list: readonly unknown[], depth: number): void {
  const objects = list.filter(isNested);
  const { plain, nested } = keysOf(objects);
  for (const [index, object] of objects.entries()) {
    if (index > 0 && nested.length > 0) sections.push({ title, depth, headers: [], rows: [] });
    const section = sections.at(-1);
    if (section) {
      section.headers = plain;
      section.rows.push(plain.map((key) => (Object.hasOwn(object, key) ? plainText(Reflect.get(object, key)) : "")));
    }
    for (const key of nested) if (Object.hasOwn(object, key)) build(sections, key, Reflect.get(object, key), depth + 1);
  }
}

/** The names of texts, and of what has a table of its own, in order. */
function keysOf(objects: readonly object[]): { plain: string[]; nested: string[] } {
  const entries = objects.flatMap((object) => Object.entries(object));
  const names = (wanted: boolean): string[] =>
    [...new Set(entries.filter(([, value]) => isNested(value) === wanted).map(([key]) => key))].toSorted();
  return { plain: names(false), nested: names(true) };
}

/** Where the table is too wide, a section of one row has a line for each of its names. */
function transpose(section: Section): void {
  const [row, ...others] = section.rows;
  if (row === undefined || others.length > 0 || section.headers.length === 0) return;
  section.rows.splice(0, 1, ...section.headers.map((header, column) => [header, row[column] ?? ""]));
  section.headers = [];
}

function widestOf({ headers, rows }: Section): number[] {
  const lines = [headers, ...rows].filter((line) => line.length > 0);
  const columns = Math.max(0, ...lines.map((line) => line.length));
  return Array.from({ length: columns }, (_, column) =>
    Math.max(...lines.map((line) => columnsWide(line[column] ?? ""))),
  );
}

function widthOf(section: Section): number {
  const columns = widestOf(section).reduce((sum, wide) => sum + wide + PADDING, 0);
  return Math.max(columnsWide(section.title) + BORDER, columns + BORDER) + 2 * section.depth;
}

/** The columns scaled to the table, what is left over or lacking spread from the right or the left. */
function scaled(section: Section, width: number): number[] {
  const wide = widestOf(section).map((item) => item + PADDING);
  if (wide.length === 0) return [];
  const factor = width / wide.reduce((sum, item) => sum + item, 0);
  const widths = wide.map((item) => roundHalfEven(factor * item));
  let over = widths.reduce((sum, item) => sum + item, 0) - width;
  while (over !== 0) {
    const order = over < 0 ? [...widths.keys()].toReversed() : [...widths.keys()];
    const step = over < 0 ? 1 : -1;
    for (const column of order) {
      if (over === 0) break;
      widths[column] = (widths[column] ?? 0) + step;
      over += step;
    }
  }
  return widths;
}

/** As Python rounds. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function render(section: Section, width: number): string {
  const { title, depth, headers, rows } = section;
  const room = width - 2 * depth;
  const edge = "|".repeat(depth);
  const lines: string[] = [];
  if (title !== "") {
    lines.push(centred(title, room, true));
    if (headers.length === 0 && rows.length === 0) lines.push(`+${"-".repeat(room - 2)}+`);
  }
  if (headers.length > 0 || rows.length > 0) {
    const widths = scaled(section, room);
    if (widths.length === 0) return framed(edge, lines);
    const rule = widths.map((item, column) =>
      column === 0 ? `+${"-".repeat(item - 2)}+` : `${"-".repeat(item - 1)}+`,
    );
    if (headers.length > 0) {
      lines.push(
        rule.join(""),
        widths.map((item, column) => centred(headers[column] ?? "", item, column === 0)).join(""),
      );
    }
    lines.push(rule.join(""));
    for (const row of rows)
      lines.push(widths.map((item, column) => left(row[column] ?? "", item, column === 0)).join(""));
    lines.push(rule.join(""));
  }
  return framed(edge, lines);
}

function framed(edge: string, lines: readonly string[]): string {
  return lines.map((item) => `${edge}${item}${edge}\n`).join("");
}

function centred(text: string, length: number, isFirst: boolean): string {
  const wide = columnsWide(text);
  const before = `${isFirst ? "|" : ""}${" ".repeat(Math.max(0, Math.floor(length / 2) - Math.floor(wide / 2) - 1))}${text}`;
  return `${before}${" ".repeat(Math.max(0, length - 1 - columnsWide(before)))}|`;
}

function left(text: string, length: number, isFirst: boolean): string {
  const edges = isFirst ? 2 : 1;
  const padding = length - columnsWide(text) - 2 - edges >= 0 ? 2 : 0;
  const before = `${isFirst ? "|" : ""}${" ".repeat(padding)}${text}`;
  return `${before}${" ".repeat(Math.max(0, length - 1 - columnsWide(before)))}|`;
}
