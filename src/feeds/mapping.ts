import type { Identifier } from "../core/identifier.ts";
import type { Change, InvalidUnit } from "../core/change.ts";
import type { MissingColumn } from "../core/guards.ts";
import { defined } from "../core/defined.ts";
import { composed } from "../core/text.ts";
import { contactOf, isContact } from "../core/unit.ts";
import type { Unit, UnitValue, Verified } from "../core/unit.ts";
import { cellOf, valueCell, type Cell } from "./cell.ts";
import { createColumnCollector, knownColumns } from "./columns.ts";
import { parseInstant } from "./date.ts";
import { fault } from "./record.ts";
import type { CellRules } from "./rubble.ts";
import type { FieldsRecord, RowFault } from "./record.ts";
import { applyTransforms, fillTemplate, templateColumns } from "./transform.ts";
import type { Transform } from "./transform.ts";

/** How one attribute is made of a record. Exactly one of `column`, `constant` and `template` is there. */
export interface AttributeMapping {
  /** As Cognito spells it: `given_name`, `custom:cost_center`, `email`, `email_verified`. */
  readonly name: string;
  readonly column?: string;
  readonly constant?: string;
  /** `{First Name} {Last Name}` */
  readonly template?: string;
  /** Applied from left to right, to what column, constant or template gave. */
  readonly transforms: readonly Transform[];
  /** What null and "" mean (a column that is not there always means nothing). */
  readonly onBlank: "skip" | "clear";
  /** For `email` and `phone_number` only: what becomes of the flag where `verifiedColumn` does not say it. */
  readonly verified?: Verified;
  /** For `email` and `phone_number` only: the column that says true or false of the value of the same record. */
  readonly verifiedColumn?: string;
}

/** How a record becomes a change. */
export interface Mapping extends CellRules {
  readonly usernameColumn: string;
  /** What that column holds, where the feed says it; else what it holds is told by its form. */
  readonly identifier?: Identifier;
  /** The attribute of the pool whose value that column holds. It is found by a scan of the pool only. */
  readonly match?: string;
  /** `last`: of several rows of one time for one user the last stands. Else none of them does where they disagree. */
  readonly duplicates?: "last";
  readonly attributes: readonly AttributeMapping[];
  /** What was mapped from columns that this feed does not have, and is not in `attributes`. */
  readonly missing?: readonly MissingColumn[];
  /** ISO 8601 with a zone, or epoch seconds or milliseconds. Without it every record is of the feed's as-of. */
  readonly versionColumn?: string;
  /** Columns that are known and not wanted. */
  readonly ignored: readonly string[];
  /** What a column means that is named nowhere here: a fault, or nothing. */
  readonly unknown: "refuse" | "ignore";
}

export type MappedRecord =
  | {
      readonly kind: "change";
      readonly line: number;
      /** May have no unit at all, where every column was blank. */
      readonly change: Change;
      readonly invalid: readonly InvalidUnit[];
    }
  | RowFault;

export interface RecordContext {
  /** Epoch ms, by the source's clock, of a record that does not say its own version. */
  readonly asOfMs: number;
  /** The number of the record in its feed, so that a later one of the same user wins; 0 where its arrival is to decide. */
  readonly row: number;
  /** Whether the word `null` stands in one row of that column alone, in any case of letters; absent where nobody counted. */
  readonly isOnlyNull?: (column: string) => boolean;
}

/** Attributes that are somebody's name, which may be Null. */
const NAMES: ReadonlySet<string> = new Set(["name", "given_name", "family_name", "middle_name", "nickname"]);
/** Cognito's own pattern of a username. */
const USERNAME = /^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u;

/** Every column that a mapping reads, each once. */
export function mappedColumns(mapping: Mapping): ReadonlySet<string> {
  const columns = new Set([mapping.usernameColumn]);
  if (mapping.versionColumn !== undefined) columns.add(mapping.versionColumn);
  for (const attribute of mapping.attributes) for (const column of columnsOf(attribute)) columns.add(column);
  return columns;
}

/** The mapping with other names of its columns. */
export function withColumns(mapping: Mapping, nameOf: (column: string) => string): Mapping {
  const renamed = (column: string | undefined): string | undefined => column && nameOf(column);
  return defined({
    ...mapping,
    usernameColumn: nameOf(mapping.usernameColumn),
    versionColumn: renamed(mapping.versionColumn),
    attributes: mapping.attributes.map((attribute) =>
      defined({
        ...attribute,
        column: renamed(attribute.column),
        verifiedColumn: renamed(attribute.verifiedColumn),
        template: attribute.template && fillTemplate(attribute.template, (column) => `{${nameOf(column)}}`),
      }),
    ),
  });
}

/** The columns that one attribute is made of. */
export function columnsOf({ column, template, verifiedColumn }: AttributeMapping): readonly string[] {
  const named = [column, verifiedColumn].filter((name) => name !== undefined);
  return template === undefined ? named : [...named, ...templateColumns(template)];
}

/** Makes a record a change. Pure: the same record gives the same change in every pass. */
export function mapRecord(mapping: Mapping, record: FieldsRecord, context: RecordContext): MappedRecord {
  const { line } = record;
  const username = usernameOf(mapping, record);
  if (typeof username !== "string") return username;
  const timeMs = versionOf(mapping.versionColumn, record, context.asOfMs);
  if (typeof timeMs !== "number") return timeMs;
  const units: Unit[] = [];
  const invalid: InvalidUnit[] = [];
  for (const attribute of mapping.attributes) {
    const mapped = mapAttribute(attribute, record, mapping, context);
    if (mapped === undefined) continue;
    if ("reason" in mapped) invalid.push(mapped);
    else units.push({ name: attribute.name, value: mapped });
  }
  return { kind: "change", line, change: { username, units, version: { timeMs, sequence: context.row } }, invalid };
}

/**
 * The columns of a record that its mapping does not know, where it wants to know them all. A pass that reads once
 * cannot look at every record's names beforehand, and uses this instead.
 */
export function createUnknownCheck(mapping: Mapping): (record: FieldsRecord) => RowFault | undefined {
  if (mapping.unknown === "ignore") return () => undefined;
  const known = knownColumns(mappedColumns(mapping), mapping.ignored);
  return (record) => {
    const columns = createColumnCollector();
    columns.add(record);
    if (columns.unknown(known).length === 0) return undefined;
    return fault(
      record.line,
      "unknown-column",
      "Expected only the columns of the first record; map the others, or ignore them with --ignore-unknown.",
    );
  };
}

function usernameOf(mapping: Mapping, record: FieldsRecord): string | RowFault {
  const { usernameColumn: column, match } = mapping;
  const { line } = record;
  const cell = valueCell(column, record, mapping);
  if (cell.kind === "unreadable") {
    return cell.reason === "not-text"
      ? fault(line, "bad-username", "Expected the username to be text, got an object or a list.")
      : fault(line, cell.reason, cell.detail);
  }
  const username = cell.kind === "text" ? cell.text.trim() : "";
  if (username === "") return fault(line, "no-username", "Expected a username in this row, got none.");
  // What an attribute holds may be any text.
  if (match === undefined && !USERNAME.test(username)) {
    return fault(line, "bad-username", "Expected a username of 1 to 128 letters, digits or signs without white space.");
  }
  return username;
}

function versionOf(column: string | undefined, record: FieldsRecord, asOfMs: number): number | RowFault {
  if (column === undefined) return asOfMs;
  const cell = cellOf(column, record);
  const timeMs = parseInstant(cell.kind === "text" ? cell.text.trim() : "");
  // A row that does not say when it is from might be older than what is there, so the as-of is no substitute.
  if (timeMs !== undefined) return timeMs;
  return fault(
    record.line,
    "bad-version",
    "Expected the version column to hold a time with its zone such as 2026-01-31T18:42:00Z, or epoch seconds or milliseconds.",
  );
}

/** What a column of the record has for an attribute. */
type CellIn = (column: string) => Cell;

function templateCell(template: string, cellIn: CellIn): Cell {
  const cells = new Map(templateColumns(template).map((column) => [column, cellIn(column)]));
  const kinds = new Set(Array.from(cells.values(), ({ kind }) => kind));
  // Half a name is not a name: one column that is not there makes the whole absent.
  for (const kind of ["unreadable", "absent"] as const) {
    const cell = cells.values().find((one) => one.kind === kind);
    if (cell !== undefined) return cell;
  }
  if (cells.size > 0 && !kinds.has("text")) return { kind: "blank" };
  const text = fillTemplate(template, (column) => {
    const cell = cells.get(column);
    return cell?.kind === "text" ? cell.text : "";
  });
  return text === "" ? { kind: "blank" } : { kind: "text", text };
}

function sourceCell(attribute: AttributeMapping, cellIn: CellIn): Cell {
  if (attribute.column !== undefined) return cellIn(attribute.column);
  if (attribute.template !== undefined) return templateCell(attribute.template, cellIn);
  return attribute.constant === undefined || attribute.constant === ""
    ? { kind: "blank" }
    : { kind: "text", text: attribute.constant };
}

function mapAttribute(
  attribute: AttributeMapping,
  record: FieldsRecord,
  rules: CellRules,
  { isOnlyNull }: RecordContext,
): UnitValue | InvalidUnit | undefined {
  const { name } = attribute;
  const counted = NAMES.has(name) ? isOnlyNull : undefined;
  const cell = sourceCell(attribute, (column) => valueCell(column, record, rules, counted));
  if (cell.kind === "absent") return undefined;
  if (cell.kind === "unreadable") return invalidUnit(name, cell.reason, cell.detail);
  const isFlag = contactOf(name) !== undefined;
  const outcome = applyTransforms(attribute.transforms, cell.kind === "text" ? cell.text : "");
  if (!outcome.ok) return invalidUnit(name, outcome.reason, outcome.detail);
  // A flag cannot be cleared: it is said to be true or false, or nothing is said.
  if (outcome.text === "") return attribute.onBlank === "clear" && !isFlag ? { kind: "clear" } : undefined;
  if (isFlag) {
    const verified = booleanOf(outcome.text);
    return verified === undefined ? notBoolean(name) : { kind: "as-is", verified };
  }
  const text = rules.normalize === "nfc" ? composed(outcome.text) : outcome.text;
  if (!isContact(name)) return { kind: "text", text };
  const verified = verifiedOf(attribute, record, rules);
  return typeof verified === "string" ? { kind: "text", text, verified } : verified;
}

/**
 * What becomes of the flag of this record's address or number. The flag column decides where it says true or false,
 * whatever the mapping says: true is `mark`; false is `ask`, the only one of the three that never claims the value to
 * be verified. Cognito then sets the flag to false by itself, and writes to the person where the pool verifies
 * automatically. A blank flag says nothing, and leaves it to the mapping.
 */
function verifiedOf(attribute: AttributeMapping, record: FieldsRecord, rules: CellRules): Verified | InvalidUnit {
  const cell: Cell =
    attribute.verifiedColumn === undefined ? { kind: "absent" } : valueCell(attribute.verifiedColumn, record, rules);
  const text = cell.kind === "text" ? cell.text.trim() : "";
  if (cell.kind === "unreadable") return notBoolean(attribute.name);
  if (text === "") {
    return (
      attribute.verified ??
      invalidUnit(
        attribute.name,
        "verified-not-said",
        "Expected the row to say whether this value is verified; fill that column, or set `verified` to mark, ask or keep.",
      )
    );
  }
  const verified = booleanOf(text);
  if (verified === undefined) return notBoolean(attribute.name);
  return verified ? "mark" : "ask";
}

function notBoolean(name: string): InvalidUnit {
  return invalidUnit(name, "not-true-or-false", "Expected the verified flag to be true or false.");
}

function booleanOf(text: string): boolean | undefined {
  switch (text.trim().toLowerCase()) {
    case "true":
    case "yes":
    case "y":
    case "1":
      return true;
    case "false":
    case "no":
    case "n":
    case "0":
      return false;
    default:
      return undefined;
  }
}

function invalidUnit(name: string, reason: string, detail: string): InvalidUnit {
  return { name, reason, detail };
}
