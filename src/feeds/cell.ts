import { unseenIn, withoutMarks } from "../core/text.ts";
import { columnPath, type Step } from "./column-path.ts";
import { damageFault } from "./damage.ts";
import type { FieldsRecord, Unreadable } from "./record.ts";
import { ORDINARY, readCell, type CellRules } from "./rubble.ts";

/** What a record has in one column. */
export type Cell =
  | { readonly kind: "absent" }
  /** Null or "". */
  | { readonly kind: "blank" }
  | { readonly kind: "text"; readonly text: string }
  | Unreadable;

const ABSENT: Cell = { kind: "absent" };
const BLANK: Cell = { kind: "blank" };
const NOT_TEXT: Cell = {
  kind: "unreadable",
  reason: "not-text",
  detail: "Expected text, a number or true/false, got an object or a list.",
};

/**
 * What is in a column. A column at the top goes before a deep one of the same name, which can be named by quoting its
 * first key (`"name".first`). In a record of plain text columns every name is just a name. Marks that nobody sees are no
 * part of a text at its ends.
 */
export function cellOf(column: string, record: FieldsRecord): Cell {
  const cell = rawCell(column, record);
  return cell.kind === "text" ? tidied(cell.text) : cell;
}

function rawCell(column: string, record: FieldsRecord): Cell {
  const { fields, nested } = record;
  const field = fields.get(column);
  if (field !== undefined) return field === null ? BLANK : textCell(field);
  if (nested === undefined) return ABSENT;
  if (nested.has(column)) return NOT_TEXT;
  if (!/[.["]/.test(column)) return ABSENT;
  const path = columnPath(column);
  return path === undefined ? ABSENT : deepCell(path, record);
}

/** The same for an attribute: what a spreadsheet leaves behind, and what nobody sees in the middle, is no value. */
export function valueCell(
  column: string,
  record: FieldsRecord,
  rules: CellRules,
  isOnlyNull?: (column: string) => boolean,
): Cell {
  const given = rawCell(column, record);
  if (given.kind !== "text" || (rules.blank === undefined && ORDINARY.test(given.text))) return given;
  const cell = tidied(given.text);
  const read = cell.kind === "text" ? readCell(cell.text, rules, isOnlyNull?.(column) === true) : cell;
  const unseen = read.kind === "text" ? unseenIn(read.text) : undefined;
  if (unseen === undefined) return read;
  const detail =
    unseen === "<U+FFFD>"
      ? `Expected text, got ${unseen}: a character was lost when the file was written or read; export it once more as UTF-8.`
      : `Expected text without controls and characters that nobody sees in its middle, got ${unseen}; take it out in the source.`;
  return { kind: "unreadable", reason: "hidden-character", detail };
}

function textCell(text: string): Cell {
  return text === "" ? BLANK : (damageFault(text) ?? { kind: "text", text });
}

function tidied(written: string): Cell {
  return textCell(withoutMarks(written));
}

/** A null on the way is a null for all that could lie behind it; anything else that leads nowhere is absent. */
function deepCell(path: readonly Step[], { fields, nested, written }: FieldsRecord): Cell {
  const [top, ...deeper] = path;
  let value: unknown = nested?.get(String(top)) ?? fields.get(String(top));
  for (const step of deeper) {
    if (value === null) return BLANK;
    if (typeof value !== "object") return ABSENT;
    // An index is no key, and a key no index.
    if (Array.isArray(value) !== (typeof step === "number") || !Object.hasOwn(value, step)) return ABSENT;
    value = Reflect.get(value, step);
  }
  switch (typeof value) {
    case "string":
      return textCell(value);
    case "boolean":
      return { kind: "text", text: String(value) };
    case "number": {
      if (Number.isSafeInteger(value)) return { kind: "text", text: String(value) };
      const text = written?.(path) ?? String(value);
      return typeof text === "string" ? { kind: "text", text } : text;
    }
    case "object":
      return value === null ? BLANK : NOT_TEXT;
    default:
      return ABSENT;
  }
}
