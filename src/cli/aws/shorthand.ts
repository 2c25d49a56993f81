/**
 * The shorthand syntax of the AWS CLI, version 2: `Name=email,Value=jane@example.com`, lists as `a,b` or `[a,b]`,
 * maps as `{a=b}`, quotes of both kinds, `\,` for a comma in text without quotes, and `@=` for a value that is read
 * from a file. The grammar is the AWS CLI's own; its documentation is "Using shorthand syntax in the AWS CLI".
 */

export type Shorthand = string | readonly Shorthand[] | { readonly [key: string]: Shorthand };

/** What a text has where something else was expected. The message points at the place, and shows no value. */
export class ShorthandError extends Error {
  override readonly name = "ShorthandError";
}

/** The text that a `file://` reference of `@=` stands for; undefined for what is no reference. */
export type ReadReference = (text: string) => string | undefined;

const KEY = /[A-Za-z0-9\-_.#/:]*/y;
const SPACE = /[\t\n\v\f\r ]*/y;
const SINGLE_QUOTED = /'(?:\\'|[^'])*'/y;
const DOUBLE_QUOTED = /"(?:\\"|[^"])*"/y;
// Where a text without quotes may begin, and how it goes on: the first of a list may hold `=`, those after it may not.
const START = String.raw`(?:\\,|[!#-&(-+\--<>-Z\\-z|-\uffff])`;
const FIRST = new RegExp(String.raw`${START}(?:\\,|[\s!#-&(-+\--\\^-|~-\uffff])*`, "y");
const FURTHER = new RegExp(String.raw`${START}(?:\\,|[\s!#-&(-+\--<>-\uffff])*`, "y");
/** Deeper than this nothing is written by hand. */
const DEEPEST = 100;

/**
 * Parses one word, such as `Name=given_name,Value=Jane`. Throws a ShorthandError. One function of 125 lines: a parser by
 * descent, whose rules call one another and share how far they are.
 */
export function parseShorthand(text: string, read: ReadReference = () => undefined): Record<string, Shorthand> {
  let at = 0;
  /** The value that is being read was introduced with `@=`. */
  let fromFile = false;
  let depth = 0;

  const fail = (expected: string, index = at): never => {
    const received = text[index] ?? "EOF";
    throw new ShorthandError(`Expected: '${expected}', received: '${received}' for input:\n${pointAt(text, index)}`);
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const skip = (): void => void take(SPACE);
  const expect = (character: string): void => {
    skip();
    if (text[at] !== character) fail(character);
    at += 1;
    skip();
  };
  const finished = (value: string): string => (fromFile ? (read(value) ?? value) : value);

  function quoted(): string | undefined {
    const quote = text[at];
    if (quote !== "'" && quote !== '"') return undefined;
    const found = take(quote === "'" ? SINGLE_QUOTED : DOUBLE_QUOTED) ?? fail(`closing ${quote}`);
    return finished(found.slice(1, -1).replaceAll(`\\${quote}`, quote).replaceAll("\\\\", "\\"));
  }

  function plain(pattern: RegExp): string | undefined {
    const found = take(pattern);
    return found === undefined ? undefined : finished(found.replaceAll("\\,", ",").trimEnd());
  }

  const first = (): string => quoted() ?? plain(FIRST) ?? "";

  /** `key=` or `key@=` */
  function key(): string {
    const name = take(KEY) ?? "";
    skip();
    fromFile = text[at] === "@";
    if (fromFile) expect("@");
    expect("=");
    return name;
  }

  /** A value that may be a list without brackets: `a,b` up to the comma before the next key. */
  function open(): Shorthand {
    if (at >= text.length) return "";
    if (text[at] === "[" || text[at] === "{") return enclosed();
    const list = [first()];
    skip();
    if (text[at] !== ",") return list[0] ?? "";
    let comma = at;
    expect(",");
    for (;;) {
      const next = quoted() ?? plain(FURTHER);
      skip();
      const isEnd = at >= text.length;
      if (next === undefined && isEnd) fail("text");
      if (next === undefined || (!isEnd && text[at] !== ",")) {
        // What follows the comma is the next key, not a further text of this list.
        at = comma;
        return list.length === 1 ? (list[0] ?? "") : list;
      }
      list.push(next);
      if (isEnd) return list;
      comma = at;
      expect(",");
    }
  }

  /** `[a,b]`, `{a=b}`, or a text among those. */
  function enclosed(): Shorthand {
    if (text[at] !== "[" && text[at] !== "{") return first();
    depth += 1;
    if (depth > DEEPEST) fail(`at most ${DEEPEST} levels`);
    const value = text[at] === "[" ? list() : map();
    depth -= 1;
    return value;
  }

  function list(): Shorthand {
    const values: Shorthand[] = [];
    expect("[");
    while (text[at] !== "]") {
      values.push(enclosed());
      skip();
      if (text[at] !== "]") expect(",");
    }
    at += 1;
    return values;
  }

  function map(): Shorthand {
    const values = new Map<string, Shorthand>();
    expect("{");
    while (text[at] !== "}") {
      const name = key();
      const value = enclosed();
      skip();
      if (text[at] !== "}") expect(",");
      values.set(name, value);
    }
    at += 1;
    return Object.fromEntries(values);
  }

  const values = new Map<string, Shorthand>();
  for (;;) {
    const begin = at;
    const name = key();
    if (values.has(name)) {
      throw new ShorthandError(
        `Second instance of key "${name}" encountered for input:\n${pointAt(text, begin)}\nThis is often because there is a preceding "," instead of a space.`,
      );
    }
    values.set(name, open());
    if (at >= text.length) return Object.fromEntries(values);
    expect(",");
  }
}

/**
 * The text with a caret under the place, on the line that the place is in. Words are masked, but for those that every
 * request has: whoever reads a log of this command is not to learn anybody's address.
 */
function pointAt(text: string, index: number): string {
  const shown = text.replaceAll(/[^\s,=@[\]{}'"\\]+/g, (word) => (SHOWN.has(word) ? word : "*".repeat(word.length)));
  const lineStart = text.lastIndexOf("\n", index - 1) + 1;
  const nextLine = text.indexOf("\n", index);
  const lineEnd = nextLine === -1 ? text.length : nextLine;
  return `${shown.slice(0, lineEnd)}\n${" ".repeat(index - lineStart)}^${shown.slice(lineEnd)}`;
}

const SHOWN: ReadonlySet<string> = new Set(["Name", "Value"]);
