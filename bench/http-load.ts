/**
 * Sends requests that are made beforehand over connections that stay, one at a time each, and says how long their answers
 * took. Bare sockets: on a machine of two cores a client that does more takes from the server what it measures.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Answers {
  /** In the order in which they came. */
  readonly ms: readonly number[];
  /** Those that were no 200. */
  readonly refused: number;
  readonly seconds: number;
}

export interface Load {
  readonly port: number;
  readonly connections: number;
  /** The next request, whole; undefined ends it. */
  readonly next: () => Buffer | undefined;
  /**
   * How many are sent a second, whether they are answered or not: one that finds no connection free waits for it, and its
   * time counts from when it was due. Absent: each connection sends its next once it has an answer.
   */
  readonly ratePerSecond?: number;
}

interface Connection {
  readonly socket: Socket;
  /** Resolves with the status of the answer. */
  send(request: Buffer): Promise<number>;
}

export async function sendAll(load: Load): Promise<Answers> {
  const connections = await Promise.all(Array.from({ length: load.connections }, () => open(load.port)));
  const ms: number[] = [];
  let refused = 0;
  const began = performance.now();
  const ask = async (connection: Connection, request: Buffer, dueAt: number): Promise<void> => {
    const status = await connection.send(request);
    ms.push(performance.now() - dueAt);
    if (status !== 200) refused += 1;
  };
  try {
    await (load.ratePerSecond === undefined
      ? Promise.all(connections.map((connection) => oneByOne(load, connection, ask)))
      : atRate(load, load.ratePerSecond, connections, ask));
    return { ms, refused, seconds: (performance.now() - began) / 1000 };
  } finally {
    for (const { socket } of connections) socket.destroy();
  }
}

type Ask = (connection: Connection, request: Buffer, dueAt: number) => Promise<void>;

async function oneByOne({ next }: Load, connection: Connection, ask: Ask): Promise<void> {
  for (let request = next(); request !== undefined; request = next()) {
    await ask(connection, request, performance.now());
  }
}

async function atRate({ next }: Load, ratePerSecond: number, all: readonly Connection[], ask: Ask): Promise<void> {
  const free = [...all];
  const due: { readonly request: Buffer; readonly at: number }[] = [];
  const asked = new Set<Promise<void>>();
  const go = (): void => {
    while (due.length > 0 && free.length > 0) {
      const [one, connection] = [due.shift(), free.pop()];
      if (one === undefined || connection === undefined) return;
      const asking = ask(connection, one.request, one.at).finally(() => {
        asked.delete(asking);
        free.push(connection);
        go();
      });
      asked.add(asking);
    }
  };
  const began = performance.now();
  for (let count = 0; ;) {
    for (; count < ((performance.now() - began) * ratePerSecond) / 1000; count += 1) {
      const request = next();
      if (request === undefined) {
        while (asked.size > 0) await Promise.all(asked);
        return;
      }
      due.push({ request, at: began + (count * 1000) / ratePerSecond });
    }
    go();
    await sleep(1);
  }
}

async function open(port: number): Promise<Connection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve()).once("error", reject);
  });
  let text = "";
  let waiting: PromiseWithResolvers<number> | undefined;
  const fail = (): void => waiting?.reject(new Error("Expected an answer, and the connection was closed"));
  socket.on("close", fail).on("error", fail);
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    const end = text.indexOf("\r\n\r\n");
    if (end < 0 || waiting === undefined) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
    if (text.length < end + 4 + length) return;
    const status = Number(text.slice(9, 12));
    text = "";
    waiting.resolve(status);
  });
  return {
    socket,
    send(request) {
      waiting = Promise.withResolvers();
      socket.write(request);
      return waiting.promise;
    },
  };
}
