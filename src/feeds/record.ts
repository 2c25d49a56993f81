import { valueIn, type Step } from "./column-path.ts";

/** One record of a feed as it was written, whatever the format. */
export interface FieldsRecord {
  readonly kind: "record";
  /** 1-based physical line on which the record starts. */
  readonly line: number;
  /** A column that is not there is absent; null (JSON only) and "" are two more things. */
  readonly fields: ReadonlyMap<string, string | null>;
  /** JSON only: objects and lists, by their key. Dotted columns lead into them (see cell.ts). They are not in `fields`. */
  readonly nested?: ReadonlyMap<string, object>;
  /** The number at the end of this way as it is written, where a double might not hold it. */
  readonly written?: Written;
}

/** What cannot be the text of an attribute. The words are those of InvalidUnit. */
export interface Unreadable {
  readonly kind: "unreadable";
  readonly reason: string;
  readonly detail: string;
}

/** Undefined where it is written as JavaScript writes it. */
export type Written = (path: readonly Step[]) => string | Unreadable | undefined;

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

const NOTHING_NESTED: ReadonlyMap<string, object> = new Map();
const TOO_DEEP: Unreadable = {
  kind: "unreadable",
  reason: "nested-too-deep",
  detail: "Expected lists and objects that are not thousands of levels deep.",
};

/** A record of plain text columns. One without a name is none. */
export function textRecord(line: number, names: readonly string[], cells: readonly string[]): FieldsRecord {
  const fields = new Map<string, string | null>();
  for (const [index, name] of names.entries()) if (name !== "") fields.set(name, cells[index] ?? "");
  return { kind: "record", line, fields };
}

/** The record that a piece of JSON says. Numbers and booleans become text, a number as it is written. */
export function jsonRecord(line: number, json: string): FeedRecord {
  const value = parsed(json);
  if (value === undefined) {
    return fault(line, "not-json", "Expected one complete JSON object, got something that is no JSON.");
  }
  let exact: { readonly value: unknown } | undefined;
  return objectRecord(line, value, (path) => {
    // Reading numbers as they are written takes a stack, unlike reading without.
    exact ??= { value: parsed(json, asWritten) };
    if (exact.value === undefined) return TOO_DEEP;
    const found = path.reduce(valueIn, exact.value);
    return typeof found === "string" ? found : undefined;
  });
}

/** The record that a value of JSON is. */
export function objectRecord(line: number, value: unknown, written: Written): FeedRecord {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return fault(line, "not-an-object", 'Expected a JSON object with one entry a column, such as {"username":…}.');
  }
  const fields = new Map<string, string | null>();
  let nested: Map<string, object> | undefined;
  const entries: readonly [string, unknown][] = Object.entries(value);
  for (const [name, field] of entries) {
    if (typeof field === "string" || field === null) fields.set(name, field);
    else if (typeof field === "boolean") fields.set(name, String(field));
    else if (typeof field === "number") {
      // An employee number of 20 digits must not lose its last ones on the way through a double.
      const text = Number.isSafeInteger(field) ? String(field) : (written([name]) ?? String(field));
      if (typeof text !== "string") return fault(line, text.reason, text.detail);
      fields.set(name, text);
    } else if (typeof field === "object") (nested ??= new Map<string, object>()).set(name, field);
  }
  return nested === undefined
    ? { kind: "record", line, fields, nested: NOTHING_NESTED }
    : { kind: "record", line, fields, nested, written };
}

type Columns = FieldsRecord["fields"];

/** The columns of `front`, and those of `back` that it has not. Neither is copied until somebody goes through them. */
export function columnsBefore(front: Columns, back: Columns): Columns {
  return new LayeredColumns(front, back);
}

class LayeredColumns implements Columns {
  readonly #front: Columns;
  readonly #back: Columns;

  constructor(front: Columns, back: Columns) {
    this.#front = front;
    this.#back = back;
  }

  get(name: string) {
    const value = this.#front.get(name);
    return value === undefined ? this.#back.get(name) : value;
  }

  has(name: string) {
    return this.#front.has(name) || this.#back.has(name);
  }

  get size() {
    return this.#all().size;
  }

  forEach(visit: Parameters<Columns["forEach"]>[0]) {
    for (const [name, value] of this) visit(value, name, this);
  }

  entries() {
    return this.#all().entries();
  }

  keys() {
    return this.#all().keys();
  }

  values() {
    return this.#all().values();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  #all() {
    return new Map([...this.#back, ...this.#front]);
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const asWritten: Reviver = (_key, value, context) => (typeof value === "number" ? context?.source : value);

/** The value of a piece of JSON; undefined for what is no JSON, or too deep to be revived. */
function parsed(json: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(json, reviver);
  } catch {
    // The message of the parser quotes the text, which may be somebody's data.
    return undefined;
  }
}

/** Builds a row's fault. */
export function fault(line: number, reason: string, detail: string): RowFault {
  return { kind: "fault", line, reason, detail };
}
