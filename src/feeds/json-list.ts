import { FeedError } from "./feed-error.ts";
import { isBeside, severalLists } from "./json-envelope.ts";
import { keysText } from "./json-records.ts";
import { tooLong } from "./text.ts";

/**
 * Where the finder stands in the document:
 *
 *   value   before a value to which the path leads so far; its object is entered, its list passed on, else it is skipped
 *   entry   behind `{` or `,` of an object on the path    a `"` leads to key, `}` out of it
 *   key     within a key
 *   colon   behind a key                                  `:` leads to value where the path goes there, else to skip
 *   skip    within a value beside the path
 *   list    within what the path leads to
 *   next    behind a value of an object on the path       `,` leads to entry, `}` out of it
 *   done    behind the document
 */
type State = "value" | "entry" | "key" | "colon" | "skip" | "list" | "next" | "done";

export interface ListPlace {
  /** The keys that lead to it. */
  readonly keys: readonly string[];
  readonly name: string;
  readonly maxRecordLength: number;
  /** True where nobody said that the list is there: another list of objects beside it is refused then. */
  readonly isRecognised?: boolean;
}

/** How many keys are kept for a message. */
const MAX_KEYS = 100;

/**
 * The text of the list to which keys lead in a document of JSON, and only line ends of what is around it, so that lines
 * are still counted right. An object in its place is given as a list of one. Throws a FeedError where there is none, or
 * two, or the document does not end.
 */
export async function* listText(text: AsyncIterable<string>, place: ListPlace): AsyncGenerator<string> {
  const finder = createFinder(place);
  for await (const piece of text) yield finder.pass(piece);
  finder.end();
}

/** The next character, from here on, that means something within a text of JSON, or is a line end. */
export function pastPlain(piece: string, from: number): number {
  let at = from;
  for (; at < piece.length; at++) {
    const code = piece.charCodeAt(at);
    if (code === 34 || code === 92 || code === 10) break;
  }
  return at;
}

interface Finder {
  /** What of this piece is to be passed on. */
  pass(piece: string): string;
  /** Throws where the document has not ended, or had no list there. */
  end(): void;
}

/** One function, since its steps are taken for each character and share what they know of the last ones. */
function createFinder({ keys, name, maxRecordLength, isRecognised = false }: ListPlace): Finder {
  let state: State = "value";
  /** So many objects on the path are open. */
  let level = 0;
  /** Within a value: how many brackets are open, and whether it is in a text. */
  let depth = 0;
  let inString = false;
  let escaped = false;
  let key = "";
  let line = 1;
  let isFound = false;
  let isScalar = false;
  let isObject = false;
  const topKeys = new Set<string>();
  let lastKey = "";
  /** A list at the top has begun, and may be one of objects. */
  let mayBeRival = false;

  function misplaced(): FeedError {
    return new FeedError(
      "format",
      `\`${name}\` has something in line ${line} that does not belong into one document of JSON; where it has one object a line, each must end with its line, and \`records\` be left out.`,
    );
  }

  function isInList(): boolean {
    return state === "list";
  }

  /** What follows a value of the object that is open. */
  function after(): State {
    return level === 0 ? "done" : "next";
  }

  function leave(): void {
    level--;
    state = after();
  }

  function beginValue(char: string): string {
    const wanted = level === keys.length;
    if (wanted && (char === "[" || char === "{")) {
      if (isFound) {
        throw new FeedError(
          "format",
          `\`${name}\` has the list of \`records\` twice, again in line ${line}; keep one.`,
        );
      }
      isFound = true;
      isObject = char === "{";
      state = "list";
      depth = 1;
      return isObject ? "[{" : "[";
    }
    if (!wanted && char === "{") {
      level++;
      state = "entry";
      return "";
    }
    if (wanted && char !== "n") isScalar = true;
    beginSkipped(char);
    return "";
  }

  function beginSkipped(char: string): void {
    if (char === "," || char === "]" || char === "}" || char === ":") throw misplaced();
    state = "skip";
    mayBeRival = isRecognised && level === 1 && char === "[" && !isBeside(lastKey);
    inString = char === '"';
    depth = char === "{" || char === "[" ? 1 : 0;
  }

  /** True where the value ends with this character, or (a number or a word) ended before it. */
  function passValue(char: string): boolean {
    if (inString) {
      if (escaped) escaped = false;
      else if (char === "\\") escaped = true;
      else if (char === '"') {
        inString = false;
        return depth === 0;
      }
      return false;
    }
    if (char === '"') inString = true;
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      depth--;
      return depth <= 0;
    } else return depth === 0 && char === ",";
    return false;
  }

  function passKey(char: string): void {
    key += char;
    if (key.length > maxRecordLength) throw tooLong(name, line, maxRecordLength);
    if (escaped) escaped = false;
    else if (char === "\\") escaped = true;
    else if (char === '"') state = "colon";
  }

  function isOnPath(): boolean {
    let plain: string;
    try {
      plain = String(JSON.parse(key));
    } catch {
      // The message of the parser quotes the text.
      throw misplaced();
    }
    if (level === 1) lastKey = plain;
    if (level === 1 && topKeys.size < MAX_KEYS) topKeys.add(plain);
    return plain === keys[level - 1];
  }

  /** A character between values. Gives what is to be passed on of it. */
  function passBetween(char: string): string {
    if (char === " " || char === "\n" || char === "\r" || char === "\t") return char === "\n" ? char : "";
    if (state === "value") return beginValue(char);
    if (state === "entry" && char === '"') {
      state = "key";
      key = char;
    } else if (state === "colon" && char === ":") state = isOnPath() ? "value" : "skip";
    else if (state === "next" && char === ",") state = "entry";
    else if ((state === "next" || state === "entry") && char === "}") leave();
    else throw misplaced();
    // A value beside the path begins with its first character that is no white space.
    depth = -1;
    return "";
  }

  return {
    pass(piece) {
      let passed = "";
      let from = 0;
      for (let at = 0; at < piece.length; at++) {
        if (state === "list" && inString && !escaped) at = pastPlain(piece, at);
        const char = piece.charAt(at);
        if (char === "\n") line++;
        if (state === "list") {
          if (!passValue(char)) continue;
          passed += piece.slice(from, at + 1) + (isObject ? "]" : "");
          state = after();
        } else if (state === "key") passKey(char);
        else if (state === "skip") {
          if (depth < 0) {
            if (/\s/.test(char)) passed += char === "\n" ? char : "";
            else beginSkipped(char);
            continue;
          }
          if (char === "\n") passed += char;
          if (mayBeRival && !/\s/.test(char)) {
            if (char === "{") throw severalLists([keys, [lastKey]], name);
            mayBeRival = false;
          }
          if (!passValue(char)) continue;
          const isOver = char === '"' || (depth === 0 && (char === "}" || char === "]"));
          state = after();
          if (isOver) continue;
          depth = 0;
          passed += passBetween(char);
        } else {
          passed += passBetween(char);
          if (isInList()) from = at + 1;
        }
      }
      return isInList() ? passed + piece.slice(from) : passed;
    },
    end() {
      // A number or a word may be the whole document.
      if (state !== "done" && !(state === "skip" && level === 0 && depth === 0 && !inString)) {
        throw new FeedError("truncated", `\`${name}\` ends in line ${line} before its JSON does; fetch it again.`);
      }
      if (isFound) return;
      const what = isScalar ? "text or a number in the place of a list" : "nothing";
      throw new FeedError(
        "format",
        `\`records\` finds ${what} in \`${name}\`: ${keysText([...topKeys])}; say where the list of records is, such as employees[*].`,
      );
    },
  };
}
