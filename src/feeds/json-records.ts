/** The records in one whole document of JSON: a file, or the body of an event. */
import { valueIn } from "./column-path.ts";
import { FeedError } from "./feed-error.ts";
import { objectRecord, type FeedRecord, type Unreadable, type Written } from "./record.ts";
import { findRecords } from "./records-expression.ts";

/** What was found: how many, and each in turn; its `line` is its number, from 1. Or why nothing was, without a value. */
export type FoundRecords =
  | { readonly is: "found"; readonly count: number; readonly records: Iterable<FeedRecord> }
  | { readonly is: "not-json" | "nothing" | "no-list" | "failed"; readonly detail: string };

const ROUNDED: Unreadable = {
  kind: "unreadable",
  reason: "rounded-number",
  detail: "Expected a number of 15 digits at most from what `records` makes itself; take it from the record as it is.",
};
const REMEDIES: Readonly<Record<Exclude<FoundRecords["is"], "found">, string>> = {
  "not-json": "fetch it again, or leave `records` out where it has one object a line",
  nothing: "say where the list is, such as employees[*]",
  "no-list": "say where the list is, such as employees[*]",
  failed: "correct the expression, or the export",
};
/** The longest file that is read as a whole, in characters: the most of its memory is what its text becomes. */
const MAX_DOCUMENT_LENGTH = 32_000_000;
/** How many keys a message lists, and how long each may be. */
const LISTED = 20;
const MAX_KEY = 60;

/**
 * The records of a document: what `records` finds in it, else its elements, or itself where it is one object. Numbers
 * are as they are written, but for those that the expression makes itself. `within`: keys that lead to what of it is the
 * document.
 */
export function jsonRecords(json: string, records?: string, within: readonly string[] = []): FoundRecords {
  const document = parseDocument(json);
  if (document === undefined) return { is: "not-json", detail: "Expected one whole document of JSON" };
  if (document === "too-deep") {
    return { is: "not-json", detail: "Expected lists and objects that are not thousands of levels deep" };
  }
  const { exact } = document;
  const value = within.reduce(valueIn, document.value);
  const answer = records === undefined ? { found: value } : findRecords(records, value);
  if ("why" in answer) return { is: "failed", detail: `Expected \`records\` to fit the document: ${answer.why}` };
  const { found } = answer;
  if (found === null || found === undefined) {
    return { is: "nothing", detail: `Expected \`records\` to find a list, and it finds nothing: ${topLevel(value)}` };
  }
  if (typeof found !== "object") {
    return {
      is: "no-list",
      detail: "Expected a list of records, or one object that is a record, got text or a number",
    };
  }
  const list: readonly unknown[] = Array.isArray(found) ? found : [found];
  return { is: "found", count: list.length, records: recordsIn(list, exact) };
}

function* recordsIn(list: readonly unknown[], exact: ExactNumbers): Generator<FeedRecord> {
  for (const [index, value] of list.entries()) {
    yield objectRecord(index + 1, value, (path) => writtenAt(value, path, exact));
  }
}

/** A number that is not known is one that the expression made. */
function writtenAt(record: unknown, path: Parameters<Written>[0], exact: ExactNumbers): ReturnType<Written> {
  const steps = [...path];
  const last = steps.pop();
  const holder = steps.reduce(valueIn, record);
  const text = typeof holder === "object" && holder !== null ? exact.get(holder)?.get(String(last)) : undefined;
  if (text !== undefined) return text;
  return Number.isInteger(valueIn(holder, last ?? "")) ? ROUNDED : undefined;
}

/** By what holds them, and by key or index: numbers that a double might not hold, as they are written. */
type ExactNumbers = WeakMap<object, Map<string, string>>;

/** What may be a number of more digits than a double holds, or be written otherwise than JavaScript writes it. */
const MAYBE_INEXACT = /\d{16}|\d[.eE]/;

function parseDocument(
  json: string,
): { readonly value: unknown; readonly exact: ExactNumbers } | "too-deep" | undefined {
  const exact: ExactNumbers = new WeakMap();
  function note(this: object, key: string, value: unknown, context?: { readonly source?: string }): unknown {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source;
    // Every long integer, so that one that is not here is one that the expression made.
    if (source !== undefined && (Number.isInteger(value) || String(value) !== source)) {
      const texts = exact.get(this) ?? new Map<string, string>();
      texts.set(key, source);
      exact.set(this, texts);
    }
    return value;
  }
  try {
    return { value: JSON.parse(json, MAYBE_INEXACT.test(json) ? note : undefined), exact };
  } catch (error) {
    // The message of the parser quotes the text, which may be somebody's data.
    return error instanceof RangeError ? "too-deep" : undefined;
  }
}

/**
 * The records of a file that must be read as a whole, in their order. Throws a FeedError where it is longer than can be
 * held, is no JSON, or where nothing is found in it.
 */
export async function* readWholeJson(
  text: AsyncIterable<string>,
  name: string,
  expression: string,
  maxLength = MAX_DOCUMENT_LENGTH,
): AsyncGenerator<FeedRecord> {
  const pieces: string[] = [];
  let length = 0;
  for await (const piece of text) {
    length += piece.length;
    if (length > maxLength) {
      throw new FeedError(
        "too-long",
        `\`${name}\` is longer than ${maxLength} characters, and this \`records\` needs all of it at once; give a plain path such as data.employees[*], which is read piece by piece.`,
      );
    }
    pieces.push(piece);
  }
  const found = jsonRecords(pieces.join(""), expression);
  if (found.is !== "found") {
    throw new FeedError("format", `\`${name}\` cannot be read: ${found.detail}; ${REMEDIES[found.is]}.`);
  }
  yield* found.records;
}

/** What the document is at its top. Keys that may be data are left out. */
function topLevel(value: unknown): string {
  if (Array.isArray(value)) return "at its top is a list";
  if (typeof value !== "object" || value === null) return "it is text, a number or null";
  return keysText(Object.keys(value));
}

/** The keys at the top of a document, for a message. */
export function keysText(keys: readonly string[]): string {
  if (keys.length === 0) return "there are no keys at its top";
  const listed = keys.filter((key) => key.length <= MAX_KEY && !/@|\d{5}/.test(key)).slice(0, LISTED);
  const more = keys.length - listed.length;
  if (listed.length === 0) return `at its top are ${keys.length} keys`;
  return `at its top are ${listed.map((key) => `\`${key.replace(/\s+/g, " ")}\``).join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}
