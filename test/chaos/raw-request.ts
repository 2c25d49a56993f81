/** A request as a stranger's program may write it: in pieces, in chunks, twice on one connection, cut in the middle. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../support/random.ts";

export interface RawRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Manner {
  readonly chunked: boolean;
  /** How many pieces it is written in. */
  readonly pieces: number;
  /** How often it is written on one connection, one behind the other without a look at the answer. */
  readonly times: number;
  /** Nothing more is written after it, and the connection says so. */
  readonly halfCloses: boolean;
  /** So much of it is written, and then the connection is gone: from 0 up to, not including, 1. */
  readonly cutAt?: number;
}

export const PLAIN: Manner = { chunked: false, pieces: 1, times: 1, halfCloses: false };

export function drawManner(random: Random): Manner {
  return {
    chunked: random.chance(0.3),
    pieces: random.chance(0.3) ? 2 + random.below(4) : 1,
    times: random.chance(0.1) ? 2 : 1,
    halfCloses: random.chance(0.1),
  };
}

/** Answers the status of each answer that came, which may be none. Never rejects. */
export async function requestOf(
  port: number,
  request: RawRequest,
  { chunked, pieces, times, halfCloses, cutAt }: Manner,
  withinMs: number,
): Promise<readonly number[]> {
  const text = Buffer.concat(
    Array.from({ length: times }, (_, index) => textOf(request, { chunked, isLast: index === times - 1 })),
  );
  const whole = cutAt === undefined ? text : text.subarray(0, Math.floor(cutAt * text.length));
  return exchange(port, whole, { pieces, halfCloses, isCut: cutAt !== undefined }, withinMs);
}

/** Writes bytes to a connection, and answers the statuses that came back. Never rejects. */
export async function exchange(
  port: number,
  bytes: Buffer,
  { pieces, halfCloses, isCut }: Pick<Manner, "pieces" | "halfCloses"> & { readonly isCut: boolean },
  withinMs: number,
): Promise<readonly number[]> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let heard = "";
  // A connection that is refused, or broken, has no answer.
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const late = setTimeout(() => socket.destroy(), withinMs);
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length && !socket.destroyed; at += size) {
    socket.write(bytes.subarray(at, at + size));
    // Each piece is a packet of its own.
    if (pieces > 1) await sleep(1);
  }
  if (halfCloses) socket.end();
  if (isCut) socket.destroySoon();
  await closed;
  clearTimeout(late);
  return Array.from(heard.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status)).filter(
    (status) => status >= 200,
  );
}

function textOf({ path, headers, body }: RawRequest, how: { readonly chunked: boolean; readonly isLast: boolean }) {
  const lines = [
    `POST ${path} HTTP/1.1`,
    "host: 127.0.0.1",
    "content-type: application/json",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    how.chunked ? "transfer-encoding: chunked" : `content-length: ${body.length}`,
    ...(how.isLast ? ["connection: close"] : []),
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), how.chunked ? chunksOf(body) : body]);
}

function chunksOf(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  const size = Math.max(1, Math.ceil(body.length / 3));
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.subarray(at, at + size);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat([...chunks, Buffer.from("0\r\n\r\n")]);
}

/** Bytes that are no request of the feed's: some of one with a wrong signature, changed, or its framing a lie, or noise. */
export function garbageOf(random: Random, request: RawRequest): Buffer {
  const headers = { ...request.headers, "webhook-signature": "v1,bm9ib2R5J3M=" };
  const bytes = textOf({ ...request, headers }, { chunked: random.chance(0.5), isLast: true });
  const place = (): number => random.below(bytes.length);
  switch (random.below(5)) {
    case 0:
      return Buffer.from(Array.from({ length: 200 }, () => random.below(256)));
    case 1:
      return Buffer.from(bytes.toString("latin1").replace("\r\n", "\r\ncontent-length: 7\r\n"), "latin1");
    case 2:
      return Buffer.from(bytes.toString("latin1").replace("\r\n", `\r\nx: ${"7".repeat(20_000)}\r\n`), "latin1");
    case 3:
      return Buffer.concat([bytes.subarray(0, place()), bytes.subarray(place())]);
    default:
      // The first word stays: who asks whether there is anybody is answered that there is.
      for (let each = 0; each <= random.below(8); each += 1)
        bytes[5 + random.below(bytes.length - 5)] = random.below(256);
      return bytes;
  }
}
