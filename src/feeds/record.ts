/** One record of a feed as it was written, whatever the format. */
export interface FieldsRecord {
  readonly kind: "record";
  /** 1-based physical line on which the record starts. */
  readonly line: number;
  /** A column that is not there is absent; null (JSON only) and "" are two more things. */
  readonly fields: ReadonlyMap<string, string | null>;
  /** Columns whose value is an object or an array, which no attribute can hold. They are not in `fields`. */
  readonly nested: ReadonlySet<string>;
}

/** A record that cannot be read. The rest of the feed goes on. */
export interface RowFault {
  readonly kind: "fault";
  readonly line: number;
  /** A kebab-case word, a bounded set: it is counted and shown by itself. */
  readonly reason: string;
  /** A whole sentence for the report, without a value. */
  readonly detail: string;
}

export type FeedRecord = FieldsRecord | RowFault;

const NOTHING_NESTED: ReadonlySet<string> = new Set();

/** A record of plain text columns. */
export function textRecord(line: number, names: readonly string[], cells: readonly string[]): FieldsRecord {
  const fields = new Map<string, string | null>();
  for (const [index, name] of names.entries()) fields.set(name, cells[index] ?? "");
  return { kind: "record", line, fields, nested: NOTHING_NESTED };
}

/** The record that a piece of JSON says. Numbers and booleans become text, a number as it is written. */
export function jsonRecord(line: number, json: string): FeedRecord {
  const value = parseObject(json);
  if (value === undefined) {
    return fault(line, "not-json", "Expected one complete JSON object, got something that is no JSON.");
  }
  if (value === null) {
    return fault(line, "not-an-object", 'Expected a JSON object with one entry a column, such as {"username":…}.');
  }
  const fields = new Map<string, string | null>();
  const nested = new Set<string>();
  let exact: ReadonlyMap<string, unknown> | null | undefined;
  for (const [name, field] of value) {
    if (typeof field === "string" || field === null) fields.set(name, field);
    else if (typeof field === "boolean") fields.set(name, String(field));
    else if (typeof field === "number") {
      if (Number.isSafeInteger(field)) fields.set(name, String(field));
      else {
        // An employee number of 20 digits must not lose its last ones on the way through a double.
        exact ??= parseObject(json, asWritten);
        // Reading numbers as they are written takes a stack, unlike reading without.
        if (!exact) {
          return fault(line, "nested-too-deep", "Expected lists and objects that are not thousands of levels deep.");
        }
        const written = exact.get(name);
        fields.set(name, typeof written === "string" ? written : String(field));
      }
    } else nested.add(name);
  }
  return { kind: "record", line, fields, nested: nested.size === 0 ? NOTHING_NESTED : nested };
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const asWritten: Reviver = (_key, value, context) => (typeof value === "number" ? context?.source : value);

/** The entries of a JSON object; null for JSON that is no object, undefined for what is no JSON. */
function parseObject(json: string, reviver?: Reviver): ReadonlyMap<string, unknown> | null | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json, reviver);
  } catch {
    // The message of the parser quotes the text, which may be somebody's data.
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return new Map(Object.entries(value));
}

/** Builds a row's fault. */
export function fault(line: number, reason: string, detail: string): RowFault {
  return { kind: "fault", line, reason, detail };
}
