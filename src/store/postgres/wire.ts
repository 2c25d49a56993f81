/** Messages between two processes over a socket, a line of JSON each. */
import type { Socket } from "node:net";

/** In UTF-16 units. A longer one ends the connection. */
const LONGEST_MESSAGE = 2_000_000;

export interface Wire {
  /**
   * A message that can be sent no more is dropped: the other end is gone, which `closed` says. `onTaken` is told once it
   * has left this process, or never will.
   */
  send(message: unknown, onTaken?: () => void): void;
  /** Told each message from now on. What is no JSON ends the connection. */
  onMessage(listener: (message: unknown) => void): void;
  /** Aborts when the connection has ended, however it did. */
  readonly closed: AbortSignal;
  /** Nothing more is read until {@link resume}, and who writes at the other end has to wait. */
  pause(): void;
  resume(): void;
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
    send(message, onTaken) {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`, onTaken);
      else onTaken?.();
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    onMessage(listener) {
      const tell = (): void => {
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > LONGEST_MESSAGE) socket.destroy();
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
