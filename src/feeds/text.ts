import { TextDecoder } from "node:util";
import type { Damage, DamagedPlace } from "./damage.ts";
import { createDecoder, type Decoder } from "./decoder.ts";
import { FeedError } from "./feed-error.ts";
import { KIND_BYTES, kindOfBytes } from "./file-kind.ts";
import type { Source } from "./source.ts";

/** The longest record that is read, in characters, unless told otherwise. */
export const MAX_RECORD_LENGTH = 1024 * 1024;

/**
 * The text of a source, piece by piece: UTF-8, UTF-16 by its byte order mark, or what `--encoding` says. Nothing is
 * guessed. Bytes that are no text of that encoding are marked where `damage` is there to be told, and else refused with
 * their offset.
 */
export async function* readText(source: Source, damage?: Damage): AsyncGenerator<string> {
  const met = damage ?? { places: 0, wellFormed: 0, first: undefined };
  let head: Buffer = Buffer.alloc(0);
  let decoder: Decoder | undefined;
  let encoding = "";
  const begin = (): Decoder => {
    encoding = encodingOf(head, source);
    return createDecoder(encoding, met);
  };
  const checked = (text: string): string => {
    if (damage === undefined && met.first !== undefined) throw undecodable(source, met.first);
    return text;
  };
  for await (const chunk of source.open()) {
    let bytes = chunk;
    if (decoder === undefined) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      if (head.length < KIND_BYTES) continue;
      decoder = begin();
      bytes = head;
    }
    const text = checked(decoder.decode(bytes));
    if (text !== "") yield text;
  }
  if (decoder === undefined) {
    if (head.length === 0) {
      throw new FeedError("empty", `\`${source.name}\` is empty; check the export that wrote it.`);
    }
    decoder = begin();
    const text = checked(decoder.decode(head));
    if (text !== "") yield text;
  }
  const { text, cutAt } = decoder.end();
  // Half a character at the end of a file in another encoding is a whole one in that.
  if (cutAt !== undefined && (encoding !== "utf-8" || met.wellFormed >= met.places)) {
    throw new FeedError(
      "truncated",
      `\`${source.name}\` ends in the middle of a character at offset ${cutAt}; fetch it again.`,
    );
  }
  if (checked(text) !== "") yield text;
}

function encodingOf(head: Buffer, source: Source): string {
  const mark =
    head[0] === 0xff && head[1] === 0xfe ? "utf-16le" : head[0] === 0xfe && head[1] === 0xff ? "utf-16be" : undefined;
  const declared = source.encoding === undefined ? undefined : new TextDecoder(source.encoding).encoding;
  // "utf-16" alone means little-endian to a decoder, but the mark knows better.
  const encoding = declared === "utf-16le" && mark !== undefined ? mark : (declared ?? mark ?? "utf-8");
  const kind = kindOfBytes(head);
  if (kind !== undefined) throw new FeedError("binary", `\`${source.name}\` is ${kind.what}; ${kind.next}.`);
  if (!encoding.startsWith("utf-16")) refuseBinary(head.subarray(0, KIND_BYTES), source.name);
  return encoding;
}

/** A NUL in a text is the fault of a row; of what is no text, or UTF-16 without a mark, there are many. */
function refuseBinary(head: Buffer, name: string): void {
  const nuls = [0, 0];
  for (const [at, byte] of head.entries()) if (byte === 0) nuls[at % 2] = (nuls[at % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = nuls;
  if ((even + odd) * 4 <= head.length) return;
  const utf16 = odd > 9 * even ? "utf-16le" : even > 9 * odd ? "utf-16be" : undefined;
  const what = utf16 === undefined ? "is no text file" : "looks like UTF-16 without a byte order mark";
  const remedy =
    utf16 === undefined ? "export it as CSV or JSON" : `give \`--encoding ${utf16}\`, or export it as UTF-8`;
  throw new FeedError("binary", `\`${name}\` ${what}: it holds NUL bytes in great number; ${remedy}.`);
}

function undecodable(source: Source, { isNul, offset }: DamagedPlace): FeedError {
  if (isNul) {
    return new FeedError(
      "binary",
      `\`${source.name}\` holds a NUL at offset ${offset}, which no text has; correct it in the source.`,
    );
  }
  return misread(source, offset);
}

/** A file that is another encoding's, by the first byte that shows it. */
export function misread({ name, encoding }: Pick<Source, "name" | "encoding">, at: number): FeedError {
  const remedy =
    encoding === undefined
      ? "say how it is encoded, for example `--encoding windows-1252`, or export it as UTF-8"
      : "give the `--encoding` that it really has, or export it as UTF-8";
  return new FeedError(
    "encoding",
    `\`${name}\` is not ${encoding ?? "utf-8"}: the byte at offset ${at} is no part of a character; ${remedy}.`,
  );
}

/** What {@link peekText} found: the beginning, and everything including the beginning. */
export interface Peeked {
  readonly head: string;
  /** True where the head is all there is. */
  readonly complete: boolean;
  readonly text: AsyncGenerator<string>;
}

/** Reads ahead until `enough` says so, to look at the beginning, and gives the whole text all the same. */
export async function peekText(text: AsyncGenerator<string>, enough: (head: string) => boolean): Promise<Peeked> {
  let head = "";
  let complete = false;
  while (!enough(head)) {
    const next = await text.next();
    if (next.done === true) {
      complete = true;
      break;
    }
    head += next.value;
  }
  async function* replay(): AsyncGenerator<string> {
    try {
      if (head !== "") yield head;
      yield* text;
    } finally {
      await text.return(undefined);
    }
  }
  return { head, complete, text: replay() };
}

/** The one answer to a record without an end: a wrong quote, a wrong delimiter, or no feed at all. */
export function tooLong(name: string, line: number, maxLength: number): FeedError {
  return new FeedError(
    "too-long",
    `\`${name}\` has a record from line ${line} on that is longer than ${maxLength} characters; look for a quote that is never closed or a missing line end there.`,
  );
}

export interface Line {
  /** 1-based. */
  readonly line: number;
  readonly text: string;
  /** False for a last line without a line end: where the file may have been cut off. */
  readonly ended: boolean;
}

/** The lines of a text, without their ends (LF or CRLF). */
export async function* readLines(text: AsyncIterable<string>, name: string, maxLength: number): AsyncGenerator<Line> {
  let rest = "";
  let line = 1;
  for await (const piece of text) {
    let from = 0;
    for (let end = piece.indexOf("\n"); end >= 0; end = piece.indexOf("\n", from)) {
      const fullLine = rest + piece.slice(from, end);
      if (fullLine.length > maxLength) throw tooLong(name, line, maxLength);
      yield { line, text: fullLine.endsWith("\r") ? fullLine.slice(0, -1) : fullLine, ended: true };
      rest = "";
      from = end + 1;
      line++;
    }
    rest += piece.slice(from);
    if (rest.length > maxLength) throw tooLong(name, line, maxLength);
  }
  if (rest !== "") yield { line, text: rest, ended: false };
}
