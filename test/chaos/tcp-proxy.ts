/** A network between two parties that can be cut, slowed and held up. What was sent before its sender died arrives. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Resets this share of the connections; answers how many. */
  cut(share: number): number;
  /** Every chunk takes this much longer, in its order. */
  slow(byMs: number): void;
  /** Nothing arrives until it is let go. */
  holdUp(held: boolean): void;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number, random: () => number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let delayMs = 0;
  let gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;

  function pass(from: Socket, to: Socket): void {
    let last: Promise<void> = Promise.resolve();
    const later = (act: () => void): void => {
      const waited = delayMs;
      last = last.then(async () => {
        if (waited > 0) await new Promise((resolve) => setTimeout(resolve, waited));
        await gate?.opened;
        act();
      });
    };
    from.on("data", (chunk) => {
      from.pause();
      later(() => {
        if (!to.destroyed) to.write(chunk);
        from.resume();
      });
    });
    from.on("end", () => later(() => to.end()));
    from.on("error", () => later(() => to.destroy()));
    from.on("close", () => later(() => to.destroy()));
  }

  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    pass(client, upstream);
    pass(upstream, client);
    client.once("close", () => pairs.delete(pair));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Expected the proxy to have a port");
  return {
    port: address.port,
    cut(share) {
      const cuts = [...pairs].filter(() => random() < share);
      for (const [client, upstream] of cuts) {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      }
      return cuts.length;
    },
    slow(byMs) {
      delayMs = byMs;
    },
    holdUp(held) {
      if (!held) {
        gate?.open();
        gate = undefined;
      } else if (!gate) {
        const { promise, resolve } = Promise.withResolvers<void>();
        gate = { opened: promise, open: resolve };
      }
    },
    async close() {
      gate?.open();
      const closed = once(server, "close");
      server.close();
      for (const [client, upstream] of pairs) {
        client.destroy();
        upstream.destroy();
      }
      await closed;
    },
  };
}
