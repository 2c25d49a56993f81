import { FeedError } from "./feed-error.ts";
import { pastPlain } from "./json-list.ts";
import { jsonRecord } from "./record.ts";
import type { FeedRecord } from "./record.ts";
import { tooLong } from "./text.ts";

/** An element of the array as it is written, and the line it starts on. */
export interface Element {
  readonly line: number;
  readonly json: string;
}

/**
 * Where the cutter stands in the text:
 *
 *   before   in what opens the array                `[` leads to first
 *   first    right behind the `[`                   `]` leads to after, anything that begins an element to element
 *   element  within an element                      `,` behind it leads to next, `]` to after
 *   next     behind a `,`                           what begins an element leads to element
 *   after    behind the `]`
 */
type State = "before" | "first" | "element" | "next" | "after";

/**
 * The records of a JSON array. The text is cut into the elements of the array by
 * brackets and strings, and each is parsed alone, so that a file of any size takes the memory of one record. Throws a
 * FeedError where the array does not end, or more follows than should.
 */
export async function* readJsonArray(
  text: AsyncIterable<string>,
  name: string,
  maxRecordLength: number,
): AsyncGenerator<FeedRecord> {
  const cutter = createCutter(name, maxRecordLength);
  for await (const piece of text) {
    for (const { line, json } of cutter.cut(piece)) yield jsonRecord(line, json);
  }
  cutter.end();
}

interface Cutter {
  /** The elements that are complete with this piece of the text. */
  cut(piece: string): Generator<Element>;
  /** Throws where the text ended too soon. */
  end(): void;
}

/** One function of 90 lines, since its steps are taken for each character and share what they know of the last ones. */
function createCutter(name: string, maxLength: number): Cutter {
  let state: State = "before";
  let line = 1;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let startLine = 1;
  /** What the current element has from earlier pieces. */
  let partial = "";

  function misplaced(): FeedError {
    return new FeedError(
      "format",
      `\`${name}\` has something in line ${line} that does not belong in a JSON array of records; give [{…},{…}].`,
    );
  }

  /** True where the element ended before this character. */
  function passElement(char: string): boolean {
    if (inString) {
      if (escaped) escaped = false;
      else if (char === "\\") escaped = true;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{" || char === "[") depth++;
    else if (depth === 0) return char === "," || char === "]" || char === "}";
    else if (char === "}" || char === "]") depth--;
    return false;
  }

  /** True where an element begins with this character. */
  function passBetween(char: string): boolean {
    if (char === " " || char === "\n" || char === "\r" || char === "\t") return false;
    if (state === "after" || (state === "before" && char !== "[")) throw misplaced();
    if (state === "before") {
      state = "first";
      return false;
    }
    if (state === "first" && char === "]") {
      state = "after";
      return false;
    }
    if (char === "," || char === "]" || char === "}" || char === ":") throw misplaced();
    startLine = line;
    depth = char === "{" || char === "[" ? 1 : 0;
    inString = char === '"';
    state = "element";
    return true;
  }

  return {
    *cut(piece) {
      let from = 0;
      for (let at = 0; at < piece.length; at++) {
        if (inString && !escaped && state === "element") at = pastPlain(piece, at);
        const char = piece.charAt(at);
        if (char === "\n") line++;
        if (state !== "element") {
          if (passBetween(char)) from = at;
        } else if (passElement(char)) {
          const json = partial + piece.slice(from, at);
          if (json.length > maxLength) throw tooLong(name, startLine, maxLength);
          partial = "";
          if (char === "}") throw misplaced();
          state = char === "," ? "next" : "after";
          yield { line: startLine, json };
        }
      }
      if (state !== "element") return;
      partial += piece.slice(from);
      if (partial.length > maxLength) throw tooLong(name, startLine, maxLength);
    },
    end() {
      if (state === "after") return;
      throw new FeedError("truncated", `\`${name}\` ends in line ${line} before its JSON does; fetch it again.`);
    },
  };
}
