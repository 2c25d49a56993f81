import type { Socket } from "node:net";

/** The connections of a server, as many as it may have: whoever waits for nothing makes room for who comes. */
export interface Connections {
  /** Where there are too many, the one that is idle longest is cut, and this one where none is. */
  add(socket: Socket): void;
  /** A request of it is in hand until `end`. */
  begin(socket: Socket): void;
  end(socket: Socket): void;
  isServing(socket: Socket): boolean;
  /** Cuts those that have no request in hand. */
  cutIdle(): void;
}

export function createConnections(most: number, onCut: (what: "idle" | "refused") => void): Connections {
  /** Those that have been idle longest are the first of the idle. */
  const sockets = new Set<Socket>();
  const serving = new Set<Socket>();
  const idle = () => sockets.values().filter((socket) => !serving.has(socket));
  return {
    add(socket) {
      if (sockets.size >= most) {
        const [longest] = idle();
        onCut(longest === undefined ? "refused" : "idle");
        (longest ?? socket).destroy();
        if (longest === undefined) return;
        sockets.delete(longest);
      }
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    },
    begin: (socket) => void serving.add(socket),
    end(socket) {
      serving.delete(socket);
      if (sockets.delete(socket)) sockets.add(socket);
    },
    isServing: (socket) => serving.has(socket),
    cutIdle() {
      for (const socket of idle()) socket.destroy();
    },
  };
}
