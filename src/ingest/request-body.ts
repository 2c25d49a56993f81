import type { IncomingMessage, ServerResponse } from "node:http";

/** What all requests of a server may hold in memory together, in bytes. */
export interface ByteBudget {
  left: number;
}

export interface BodyLimits {
  readonly maxBytes: number;
  readonly withinMs: number;
  /** What was read is taken off it; whoever is done with the body gives it back. Overdrawn where it is below 0. */
  readonly budget: ByteBudget;
}

export interface BodyRead {
  /** The body as it came, where it is whole. */
  readonly body: Buffer | undefined;
  readonly fault?: "too-long" | "busy" | "slow" | "cut";
  /** How much was read, and is held. */
  readonly bytes: number;
}

/** The bytes of a request's body, counted while they come; no more is read than may be. */
export function readBody(incoming: IncomingMessage, { maxBytes, withinMs, budget }: BodyLimits): Promise<BodyRead> {
  const announced = Number(incoming.headers["content-length"] ?? 0);
  if (announced > maxBytes) return Promise.resolve({ body: undefined, fault: "too-long", bytes: 0 });
  if (announced > budget.left) return Promise.resolve({ body: undefined, fault: "busy", bytes: 0 });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (fault?: NonNullable<BodyRead["fault"]>): void => {
      clearTimeout(timer);
      incoming.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      if (fault === undefined) {
        const [only] = chunks;
        resolve({ body: chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks), bytes });
        return;
      }
      incoming.pause();
      // What may still be told of a connection that broke is no news.
      incoming.on("error", () => undefined);
      resolve({ body: undefined, fault, bytes });
    };
    const onData = (chunk: Buffer): void => {
      if (bytes + chunk.length > maxBytes) return end("too-long");
      if (chunk.length > budget.left) return end("busy");
      bytes += chunk.length;
      budget.left -= chunk.length;
      chunks.push(chunk);
    };
    const onEnd = (): void => end();
    const onClose = (): void => end("cut");
    const timer = setTimeout(() => end("slow"), withinMs);
    incoming.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

/** What is discarded of a body that nobody wants, so that the sender reads the answer and not a broken connection. */
const LINGER_BYTES = 4 * 2 ** 20;
const LINGER_MS = 1000;

/** Ends a response, whose text is written, when the rest of the request has gone by, or enough of it. */
export function endAfterRest(incoming: IncomingMessage, outgoing: ServerResponse): void {
  let bytes = 0;
  const end = (): void => {
    clearTimeout(timer);
    incoming.off("data", onData).off("end", end).off("close", end);
    outgoing.end();
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES) end();
  };
  const timer = setTimeout(end, LINGER_MS);
  incoming.on("data", onData).on("end", end).on("close", end).resume();
}
