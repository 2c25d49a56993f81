/**
 * What a file is that begins with `{`: objects, one a line, or one document of JSON, and where the list of records is in
 * that. Known by the lists of objects at its beginning; what could be one of two is refused, and not guessed at.
 */
import { FeedError } from "./feed-error.ts";

export type Envelope =
  | { readonly is: "lines" }
  /** The whole document is the one record. */
  | { readonly is: "object" }
  | { readonly is: "list"; readonly keys: readonly string[] };

/**
 * Where systems put their records: Workday, OData (SAP SuccessFactors; Microsoft Graph), SCIM, BambooHR, ADP, Google,
 * Personio and others, HubSpot, Salesforce.
 */
const KNOWN = [
  "Report_Entry",
  "d",
  "d.results",
  "value",
  "Resources",
  "employees",
  "workers",
  "users",
  "data",
  "results",
  "records",
];
/** Lists that stand beside those and have no records: BambooHR's columns, what JSON:API adds, messages. */
const BESIDES = ["fields", "included", "errors", "warnings", "links"];
/** Who has one of these is a record. */
const PERSON = /^(?:cognito:)?(?:user_?name|sub)$/i;

export function envelopeOf(head: string, isComplete: boolean, name: string): Envelope {
  const { keys, hasText, lists, end } = beginningOf(head);
  const begin = head.trimStart();
  const object = end === undefined ? begin : head.slice(0, end).trimStart();
  const whole: Envelope = object.includes("\n") ? { is: "object" } : { is: "lines" };
  // Behind an object that ends with its line the next one may follow.
  if (end !== undefined && !(isComplete && head.slice(end).trim() === "")) return whole;
  if (keys.some((key) => PERSON.test(key))) return whole;
  const all = lists.filter((path) => path.length === 1 || KNOWN.includes(path.join(".")));
  const candidates = all.filter((path) => !isBeside(path[0] ?? ""));
  const [list, other] = candidates;
  if (list === undefined) return whole;
  const isKnown = candidates.some((path) => KNOWN.includes(path.join(".")));
  // What has a text beside lists that nobody knows may well be somebody with addresses and numbers.
  if (other !== undefined && (isKnown || !hasText)) throw severalLists(candidates, name);
  if (KNOWN.includes(list.join("."))) return { is: "list", keys: list };
  // Too long to be looked through, it is no record of one person.
  if (end === undefined && !isComplete) throw severalLists(candidates, name);
  return whole;
}

/** True of a key beside the list of records whose list of objects holds none. */
export function isBeside(key: string): boolean {
  return BESIDES.includes(key);
}

export function severalLists(paths: readonly (readonly string[])[], name: string): FeedError {
  const shown = paths.slice(0, 5).map((path) => `\`${path.map(keyText).join(".")}[*]\``);
  const which =
    shown.length === 1 ? `a list of objects, ${shown.join()}` : `several lists of objects: ${shown.join(", ")}`;
  return new FeedError(
    "format",
    `\`${name}\` is one document of JSON with ${which}; say with \`records\` of the feed, or \`--records\`, where its records are (\`@\` where all of it is one record).`,
  );
}

/** As an expression names it. Keys that may be somebody's data are not shown. */
function keyText(key: string): string {
  if (/^[A-Za-z_]\w{0,59}$/.test(key)) return key;
  return key.length <= 60 && !/@|\d{5}/.test(key) ? JSON.stringify(key) : "…";
}

interface Beginning {
  readonly keys: readonly string[];
  /** Whether a text stands at the top. */
  readonly hasText: boolean;
  /** The ways to lists whose first element is an object, or that are empty and known. */
  readonly lists: readonly (readonly string[])[];
  /** Behind the object, where it ends within the text. */
  readonly end: number | undefined;
}

interface Frame {
  readonly isList: boolean;
  key: string;
  /** Of an object: a key is to come. Of a list: nothing has come yet. */
  isFresh: boolean;
}

const TOKEN = /"(?:[^"\\]|\\[\s\S])*"|[{}[\],]|[^\s"{}[\],:]+/g;

function beginningOf(head: string): Beginning {
  const keys: string[] = [];
  let hasText = false;
  const lists: string[][] = [];
  const frames: Frame[] = [];
  const found = (isEmpty: boolean): void => {
    const path = frames.slice(0, -1);
    if (path.length === 0 || path.length > 2 || path.some(({ isList }) => isList)) return;
    const way = path.map(({ key }) => key);
    // Of an empty list nobody knows what it would hold.
    if (!isEmpty || KNOWN.includes(way.join("."))) lists.push(way);
  };
  for (const { 0: token, index } of head.matchAll(TOKEN)) {
    const top = frames.at(-1);
    if (top?.isList === true && top.isFresh && (token === "{" || token === "]")) found(token === "]");
    if (token === "{" || token === "[") {
      if (top?.isList === true) top.isFresh = false;
      frames.push({ isList: token === "[", key: "", isFresh: true });
    } else if (token === "}" || token === "]") {
      frames.pop();
      if (frames.length === 0) return { keys, hasText, lists, end: index + 1 };
    } else if (top === undefined) break;
    else if (token === ",") top.isFresh = !top.isList;
    else if (top.isList) top.isFresh = false;
    else if (top.isFresh) {
      top.isFresh = false;
      top.key = keyOf(token);
      if (frames.length === 1) keys.push(top.key);
    } else if (frames.length === 1 && token.startsWith('"')) hasText = true;
  }
  return { keys, hasText, lists, end: undefined };
}

function keyOf(token: string): string {
  try {
    return String(JSON.parse(token));
  } catch {
    // No JSON: it is told where it is read.
    return "";
  }
}
