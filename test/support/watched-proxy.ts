import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";

/** Stands before an emulator, and counts the calls of each user that are in flight there at a time. */
export interface WatchedProxy {
  readonly url: string;
  /** The most writes of one user, and the most of all users, that were ever in flight at a time. */
  readonly most: { ofOneUser: number; ofAll: number };
  close(): Promise<void>;
}

export async function startWatchedProxy(target: string): Promise<WatchedProxy> {
  const flying = new Map<string, number>();
  const most = { ofOneUser: 0, ofAll: 0 };

  async function pass(request: IncomingMessage, body: string): Promise<Response> {
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) {
      if (typeof value === "string" && !/^(?:host|connection|content-length|expect)$/.test(name))
        headers.set(name, value);
    }
    return fetch(target, { method: "POST", headers, body });
  }

  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      const user = String(request.headers["x-amz-target"]).endsWith("UpdateUserAttributes")
        ? /"Username":"([^"]*)"/.exec(body)?.[1]
        : undefined;
      if (user !== undefined) flying.set(user, (flying.get(user) ?? 0) + 1);
      most.ofOneUser = Math.max(most.ofOneUser, ...flying.values());
      most.ofAll = Math.max(
        most.ofAll,
        [...flying.values()].reduce((sum, calls) => sum + calls, 0),
      );
      const answer = await pass(request, body);
      const said = await answer.text();
      if (user !== undefined) flying.set(user, (flying.get(user) ?? 1) - 1);
      const type = answer.headers.get("content-type") ?? "application/x-amz-json-1.1";
      response.writeHead(answer.status, { "content-type": type }).end(said);
    })().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Expected the proxy to have a port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    most,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
