/** Lines as the store keeps them of a plan, or of a report: packed, and in chunks that are each sealed at their place. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { isSealed, type Keyring } from "../store/keyring.ts";
import { chunkPlace } from "../store/sealed-unit.ts";
import { linesOf } from "./text-lines.ts";

const CHUNK_BYTES = 192 * 1024;

export class TooLargeError extends Error {}

/** `name`: what they are kept under. Throws a TooLargeError where they are more bytes, once packed. */
export async function* packedLines(
  keyring: Keyring,
  name: string,
  lines: Iterable<string>,
  maxBytes: number,
): AsyncGenerator<string> {
  let index = 0;
  for await (const chunk of packed(lines, maxBytes)) yield keyring.seal(chunkPlace(name, index++), chunk);
}

/** Ends early where a chunk was altered: whoever reads tells by the last line. */
export function unpackedLines(keyring: Keyring, name: string, chunks: AsyncIterable<string>): AsyncGenerator<string> {
  return linesOf(unpacked(keyring, name, chunks));
}

async function* packed(lines: Iterable<string>, maxBytes: number): AsyncGenerator<Buffer> {
  const ended = function* () {
    for (const line of lines) yield `${line}\n`;
  };
  const gzip = createGzip();
  // A fault of the lines destroys the packer with it, and so comes out of the loop below.
  const piped = pipeline(Readable.from(ended()), gzip).catch(() => undefined);
  let buffer = Buffer.alloc(0);
  let bytes = 0;
  for await (const piece of gzip) {
    if (!Buffer.isBuffer(piece)) throw new TypeError("Expected bytes of the packed lines");
    bytes += piece.length;
    if (bytes > maxBytes) throw new TooLargeError(`Expected at most ${maxBytes} bytes of packed lines`);
    buffer = Buffer.concat([buffer, piece]);
    for (; buffer.length >= CHUNK_BYTES; buffer = buffer.subarray(CHUNK_BYTES)) {
      yield buffer.subarray(0, CHUNK_BYTES);
    }
  }
  await piped;
  if (buffer.length > 0) yield buffer;
}

async function* unpacked(keyring: Keyring, name: string, chunks: AsyncIterable<string>): AsyncGenerator<string> {
  const bytes = async function* () {
    let index = 0;
    for await (const chunk of chunks) {
      const former = keyring.isSealed ? undefined : Buffer.from(chunk, "base64");
      const opened = isSealed(chunk) ? keyring.openBytes(chunkPlace(name, index), chunk) : former;
      // What was altered ends the plan, which has no signature then.
      if (opened === undefined) return;
      yield opened;
      index += 1;
    }
  };
  const input = Readable.from(bytes());
  const gunzip = createGunzip();
  const piped = pipeline(input, gunzip).catch(() => undefined);
  try {
    gunzip.setEncoding("utf8");
    for await (const piece of gunzip) yield String(piece);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && String(cause.code).startsWith("Z_"))) throw cause;
    // Data that does not unpack was cut off or altered, and so has no signature: the error says that.
  } finally {
    input.destroy();
    gunzip.destroy();
    await piped;
  }
}
