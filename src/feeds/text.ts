import { TextDecoder } from "node:util";
import { FeedError } from "./feed-error.ts";
import type { Source } from "./source.ts";

/** The longest record that is read, in characters, unless told otherwise. */
export const MAX_RECORD_LENGTH = 1024 * 1024;

const EMPTY = Buffer.alloc(0);
const ZIP = Buffer.from("PK\u0003\u0004", "latin1");

/**
 * The text of a source, piece by piece: UTF-8, UTF-16 by its byte order mark, or what `--encoding` says. Nothing is
 * guessed and nothing replaced: bytes that are no text of that encoding are refused with their offset.
 */
export async function* readText(source: Source): AsyncGenerator<string> {
  let encoding: string | undefined;
  let decoder: TextDecoder | undefined;
  let buffer: Buffer = EMPTY;
  let offset = 0;
  for await (const chunk of source.open()) {
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    if (decoder === undefined || encoding === undefined) {
      if (buffer.length < ZIP.length) continue;
      encoding = encodingOf(buffer, source);
      decoder = new TextDecoder(encoding, { fatal: true });
    }
    const complete = buffer.subarray(0, completeLength(buffer, encoding));
    const text = decode(decoder, complete, encoding, offset, source);
    offset += complete.length;
    buffer = buffer.subarray(complete.length);
    if (text !== "") yield text;
  }
  if (offset === 0 && buffer.length === 0) {
    throw new FeedError("empty", `\`${source.name}\` is empty; check the export that wrote it.`);
  }
  encoding ??= encodingOf(buffer, source);
  decoder ??= new TextDecoder(encoding, { fatal: true });
  const text = decode(decoder, buffer, encoding, offset, source, true);
  if (text !== "") yield text;
}

function encodingOf(head: Buffer, source: Source): string {
  const mark =
    head[0] === 0xff && head[1] === 0xfe ? "utf-16le" : head[0] === 0xfe && head[1] === 0xff ? "utf-16be" : undefined;
  const declared = source.encoding === undefined ? undefined : new TextDecoder(source.encoding).encoding;
  // "utf-16" alone means little-endian to a decoder, but the mark knows better.
  const encoding = declared === "utf-16le" && mark !== undefined ? mark : (declared ?? mark ?? "utf-8");
  if (head.subarray(0, ZIP.length).equals(ZIP)) {
    throw new FeedError("binary", `\`${source.name}\` is a ZIP or Excel file, not text; export it as CSV (UTF-8).`);
  }
  return encoding;
}

function decode(
  decoder: TextDecoder,
  bytes: Buffer,
  encoding: string,
  offset: number,
  source: Source,
  last = false,
): string {
  const nul = encoding.startsWith("utf-16") ? -1 : bytes.indexOf(0);
  if (nul >= 0) throw binary(source, `a NUL byte at offset ${offset + nul}`);
  let text: string;
  try {
    text = decoder.decode(bytes, { stream: !last });
  } catch {
    // The cause would say nothing that is not said here.
    throw undecodable(source, encoding, offset + firstBad(bytes, encoding));
  }
  if (nul < 0 && text.includes("\0")) throw binary(source, "a NUL character");
  return text;
}

function binary(source: Source, what: string): FeedError {
  return new FeedError(
    "binary",
    `\`${source.name}\` holds ${what}, so it is no text file; export it as CSV or JSON, or give \`--encoding utf-16le\` if it is UTF-16 without a byte order mark.`,
  );
}

function undecodable(source: Source, encoding: string, at: number): FeedError {
  const remedy =
    source.encoding === undefined
      ? "say how it is encoded, for example `--encoding windows-1252`, or export it as UTF-8"
      : "give the `--encoding` that it really has, or export it as UTF-8";
  return new FeedError(
    "encoding",
    `\`${source.name}\` is not ${encoding}: the byte at offset ${at} is no part of a character; ${remedy}.`,
  );
}

/** How many of the bytes are whole characters, so that a fault is always found within one piece. */
function completeLength(bytes: Buffer, encoding: string): number {
  const length = bytes.length;
  if (encoding === "utf-8") {
    for (let back = 1; back <= Math.min(3, length); back++) {
      const byte = bytes[length - back] ?? 0;
      if (byte < 0x80) break;
      if (byte >= 0xc0) {
        const wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return back < wanted ? length - back : length;
      }
    }
    return length;
  }
  if (encoding.startsWith("utf-16")) {
    const even = length - (length % 2);
    const high = bytes[encoding === "utf-16le" ? even - 1 : even - 2] ?? 0;
    return even >= 2 && high >= 0xd8 && high <= 0xdb ? even - 2 : even;
  }
  return length;
}

/** The offset, within the piece, of the first byte that belongs to no character. */
function firstBad(bytes: Buffer, encoding: string): number {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    try {
      if (decoder.decode(bytes.subarray(at, at + 1), { stream: true }) !== "") start = at + 1;
    } catch {
      return start;
    }
  }
  return start;
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
