/** Messages between two processes over a socket, a line of JSON each. */
import type { Socket } from "node:net";

export interface Wire {
  /** A message that can be sent no more is dropped: the other end is gone, which `closed` says. */
  send(message: unknown): void;
  /** Told each message from now on. What is no JSON ends the connection. */
  onMessage(listener: (message: unknown) => void): void;
  /** Aborts when the connection has ended, however it did. */
  readonly closed: AbortSignal;
  /** Ends it once what was sent has gone. */
  end(): void;
}

/** `read`: what has come already. The socket's encoding is set. */
export function wireOn(socket: Socket, read = ""): Wire {
  const closing = new AbortController();
  socket.once("close", () => closing.abort());
  socket.on("error", () => socket.destroy());
  if (socket.destroyed) closing.abort();
  let rest = read;
  return {
    closed: closing.signal,
    send(message) {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
    },
    onMessage(listener) {
      const tell = (): void => {
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const message = parsed(line);
          if (message === undefined) socket.destroy();
          else listener(message);
        }
      };
      socket.on("data", (part) => {
        rest += String(part);
        tell();
      });
      tell();
    },
    end: () => void socket.end(),
  };
}

export function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
