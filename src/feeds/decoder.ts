/** Bytes as text, whatever is in them: what is no text is marked where it stands (see damage.ts). */
import { TextDecoder } from "node:util";
import { markOf, type Damage } from "./damage.ts";

export interface Decoder {
  /** The text of the next bytes, as far as they are whole characters. */
  decode(chunk: Buffer): string;
  /** The text of what is left; the offset of a character that the file ends in the middle of. */
  end(): { readonly text: string; readonly cutAt: number | undefined };
}

/** So many bytes without one that ends a character for certain are no text of many bytes a character. */
const MAX_UNDECIDED = 65_536;
const EMPTY = Buffer.alloc(0);

/** A byte order mark at the beginning is left out. `damage` is kept up to date. */
export function createDecoder(encoding: string, damage: Damage): Decoder {
  const isUtf16 = encoding.startsWith("utf-16");
  const isUtf8 = encoding === "utf-8";
  // Those of other encodings may go on from one piece to the next.
  const stream = !isUtf8 && !isUtf16;
  const options = { fatal: true, ignoreBOM: true };
  let decoder = new TextDecoder(encoding, options);
  let rest: Buffer = EMPTY;
  let offset = 0;
  /** Where the last stretch of bytes that are no text ends. */
  let damagedTo = -1;

  function mark(at: number, length: number, isNul = false): string {
    const from = offset + at;
    const goesOn = from === damagedTo;
    damagedTo = from + length;
    if (goesOn) return "";
    const place = { isNul, offset: from };
    damage.places++;
    damage.first ??= place;
    return markOf(place);
  }

  function textOf(bytes: Buffer, isLast: boolean): string {
    const text = wellFormed(bytes, isLast) ?? repaired(bytes);
    offset += bytes.length;
    return text;
  }

  /** Undefined where something in it is no text. */
  function wellFormed(bytes: Buffer, isLast: boolean): string | undefined {
    let text: string;
    try {
      text = decoder.decode(bytes, { stream: stream && !isLast });
    } catch {
      decoder = new TextDecoder(encoding, options);
      return undefined;
    }
    if (text.includes("\0") || text.includes("\uffff")) return undefined;
    damage.wellFormed += isUtf8 ? bytes.length - text.length : text.length;
    return withoutMark(text);
  }

  function repaired(bytes: Buffer): string {
    const text = isUtf8 ? fromUtf8(bytes) : isUtf16 ? fromUtf16(bytes) : fromOther(bytes);
    if (!isUtf8) damage.wellFormed += text.length;
    return withoutMark(text);
  }

  function withoutMark(text: string): string {
    if (offset > 0 || !text.startsWith("\ufeff")) return text;
    // Nobody writes it by chance.
    damage.wellFormed = Infinity;
    return text.slice(1);
  }

  function fromUtf8(bytes: Buffer): string {
    let text = "";
    let from = 0;
    for (let at = 0; at < bytes.length;) {
      const length = utf8Length(bytes, at);
      if (length > 0) {
        if (length > 1) damage.wellFormed++;
        at += length;
        continue;
      }
      const size = bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbf ? 3 : 1;
      text += bytes.toString("utf8", from, at) + mark(at, size, bytes[at] === 0);
      at += size;
      from = at;
    }
    return text + bytes.toString("utf8", from);
  }

  function fromUtf16(bytes: Buffer): string {
    const unit = (at: number) => (encoding === "utf-16le" ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
    let text = "";
    for (let at = 0; at < bytes.length; at += 2) {
      const code = at + 1 < bytes.length ? unit(at) : -1;
      const next = at + 3 < bytes.length ? unit(at + 2) : -1;
      if (code >= 0xd800 && code <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
        text += String.fromCharCode(code, next);
        at += 2;
      } else if (code <= 0 || code === 0xffff || (code >= 0xd800 && code <= 0xdfff)) text += mark(at, 2, code === 0);
      else text += String.fromCharCode(code);
    }
    return text;
  }

  function fromOther(bytes: Buffer): string {
    let text = "";
    let start = 0;
    for (let at = 0; at < bytes.length;) {
      let char: string;
      try {
        char = decoder.decode(bytes.subarray(at, at + 1), { stream: true });
      } catch {
        decoder = new TextDecoder(encoding, options);
        // What begins no character after half of one is looked at again.
        const again = at > start && (bytes[at] ?? 0) < 0x80;
        text += mark(start, again ? at - start : at + 1 - start);
        at += again ? 0 : 1;
        start = at;
        continue;
      }
      at++;
      if (char === "") continue;
      text += char === "\0" || char === "\uffff" ? mark(start, at - start, char === "\0") : char;
      start = at;
    }
    decoder = new TextDecoder(encoding, options);
    return start < bytes.length ? text + mark(start, bytes.length - start) : text;
  }

  return {
    decode(chunk) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const length = completeLength(bytes, encoding);
      rest = bytes.subarray(length);
      return length === 0 ? "" : textOf(bytes.subarray(0, length), false);
    },
    end() {
      const cutAt = rest.length > 0 && !stream ? offset : undefined;
      return { text: textOf(rest, true), cutAt };
    },
  };
}

/** How many bytes the character here has; 0 where there is none, or a NUL. */
function utf8Length(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return first === 0 ? 0 : 1;
  const length = first >= 0xf5 || first < 0xc2 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const second = bytes[at + 1] ?? 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < least || second > most) return 0;
  for (let next = 2; next < length; next++) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  return first === 0xef && second === 0xbf && bytes[at + 2] === 0xbf ? 0 : length;
}

/** How many of the bytes are whole characters, so that a fault is always found within one piece. */
function completeLength(bytes: Buffer, encoding: string): number {
  const { length } = bytes;
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
  // No encoding has a byte like a space, a comma or a line end as the later half of a character.
  const end = bytes.findLastIndex((byte) => byte < 0x30) + 1;
  return end === 0 && length > MAX_UNDECIDED ? length : end;
}
