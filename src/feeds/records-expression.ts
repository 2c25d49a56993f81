import { createRequire } from "node:module";
import type * as JmesPath from "@aws-lambda-powertools/jmespath";

/**
 * `records`: where the records are in a document of JSON, in JMESPath: `employees[*]`, `data.people[?active]`. What it
 * finds is a list of records, or one object that is the only record.
 */

/** Keys, and `[*]` for the elements of what they lead to: nothing that would need the document as a whole. */
const KEY = String.raw`(?:[A-Za-z_]\w*|"(?:[^"\\]|\\.)*")`;
const PLAIN = new RegExp(`^(?:@|${KEY}(?:\\.${KEY})*)?(?:\\[\\*\\])?$`);

const require: (name: "@aws-lambda-powertools/jmespath") => typeof JmesPath = createRequire(import.meta.url);

/** Loaded with the first expression that is no plain path: few feeds have one. */
function jmesPath(): typeof JmesPath {
  return require("@aws-lambda-powertools/jmespath");
}

/** The keys that lead to the list, where the expression is a plain path to it; else undefined. */
export function plainPath(records: string): readonly string[] | undefined {
  const text = records.trim();
  if (text === "" || !PLAIN.test(text)) return undefined;
  try {
    return Array.from(text.matchAll(new RegExp(KEY, "g")), ([key]) =>
      key.startsWith('"') ? String(JSON.parse(key)) : key,
    );
  } catch {
    // An escape that JSON does not have: the library says where.
    return undefined;
  }
}

/** What is wrong with an expression, as a sentence with the place in it, or undefined. */
export function recordsFault(records: string): string | undefined {
  if (plainPath(records) !== undefined) return undefined;
  const expected = "Expected `records` to be a JMESPath expression such as employees[*]";
  if (records.trim() === "") return `${expected}, got nothing`;
  // A `constructor` would be one of the library's own cache, and is a plain path.
  const { search, JMESPathTypeError } = jmesPath();
  try {
    search(records, null);
  } catch (error) {
    // Of nothing, most functions want something else.
    if (error instanceof JMESPathTypeError) return undefined;
    const [why = ""] = error instanceof Error ? error.message.split(" in expression: ") : [];
    return `${expected}: ${why.slice(0, 200)}`;
  }
  return undefined;
}

/** What an expression finds, or why it cannot be worked out. Says no value. */
export function findRecords(
  records: string,
  document: unknown,
): { readonly found: unknown } | { readonly why: string } {
  const keys = plainPath(records);
  if (keys !== undefined) return { found: keys.reduce(entry, document) };
  const { search, ArityError, JMESPathTypeError, UnknownFunctionError } = jmesPath();
  try {
    return { found: isJson(document) ? search(records, document) : undefined };
  } catch (error) {
    const isOwnWord = [ArityError, JMESPathTypeError, UnknownFunctionError].some((one) => error instanceof one);
    // Only these are known to say no value. Others come of lists and objects that are thousands of levels deep.
    return { why: isOwnWord && error instanceof Error ? error.message : "it goes too deep" };
  }
}

/** What JSON.parse gives is what the library calls JSON, and the library only reads. */
function isJson(document: unknown): document is Parameters<typeof JmesPath.search>[1] {
  return document !== undefined;
}

function entry(value: unknown, key: string): unknown {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}
