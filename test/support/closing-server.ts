/**
 * A server that closes the connection with its answer: who reads slowly has the end before the body. Undici's parser
 * fell over that, in sizes that just fill what is read ahead (nodejs/undici#5360).
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";

/** How an answer says where it ends, and whether it comes whole. */
export const ANSWERS = [
  ["announced", true],
  ["announced and cut off", false],
  ["in chunks", true],
  ["in chunks and cut off", false],
  ["as long as the connection", true],
] as const;
export type Answer = (typeof ANSWERS)[number][0];

/** Below, about and above 64 KiB, which are read ahead. */
export const SIZES = [20_000, 65_536, 66_000, 68_000, 70_000, 148_000, 200_000] as const;

export interface ClosingServer {
  readonly origin: string;
  /** Settles when the end of the answer to the last request was sent, and this process had time to hear of it. */
  ended(): Promise<void>;
  close(): void;
}

export async function startClosingServer(kind: Answer, body: Buffer, packed?: string): Promise<ClosingServer> {
  let end = Promise.withResolvers<void>();
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.end(answerOf(kind, body, packed), () => end.resolve());
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`,
    async ended() {
      await end.promise;
      end = Promise.withResolvers<void>();
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    close: () => server.close(),
  };
}

function answerOf(kind: Answer, body: Buffer, packed: string | undefined): Buffer {
  const isChunked = kind.startsWith("in chunks");
  const length = kind === "announced" ? body.length : kind === "announced and cut off" ? body.length + 1000 : undefined;
  const head = [
    "HTTP/1.1 200 OK",
    "connection: close",
    ...(length === undefined ? [] : [`content-length: ${length}`]),
    ...(packed === undefined ? [] : [`content-encoding: ${packed}`]),
    ...(isChunked ? ["transfer-encoding: chunked"] : []),
  ];
  return Buffer.concat([
    Buffer.from(`${head.join("\r\n")}\r\n\r\n`),
    ...(isChunked ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")] : [body]),
    Buffer.from(kind === "in chunks" ? "0\r\n\r\n" : ""),
  ]);
}
