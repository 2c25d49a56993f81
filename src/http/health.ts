/**
 * Two answers for a supervisor of the process, and nothing else: `/healthz` says that it runs, `/readyz` whether it
 * takes work, and what a person should know besides. They carry no data of users and need no credential.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface HealthOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** True while the process takes work. */
  readonly ready: () => boolean;
  /** What a person should know besides, a line each: behind whether it is ready. */
  readonly notes?: () => readonly string[];
}

export interface Health {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens. Rejects where the address is taken or not this machine's. */
export async function startHealth({ host, port, ready, notes = () => [] }: HealthOptions): Promise<Health> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string): void => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
      response.end(request.method === "HEAD" ? undefined : `${body}\n`);
    };
    const path = request.url?.split("?", 1)[0];
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "method not allowed");
    if (path === "/healthz") return answer(200, "ok");
    if (path === "/readyz") {
      const is = ready();
      return answer(is ? 200 : 503, [is ? "ready" : "not ready", ...notes()].join("\n"));
    }
    return answer(404, "not found");
  });
  server.requestTimeout = 5000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address: AddressInfo | string | null = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
