/**
 * Two answers for a supervisor of the process, and nothing else: `/healthz` says that it runs, `/readyz` whether it
 * takes work, and what a person should know besides. They carry no data of users and need no credential.
 */
import { createServer } from "node:http";
import { listen } from "./listen.ts";

export interface HealthOptions extends Readiness {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

export interface Readiness {
  /** True while the process takes work. */
  readonly ready: () => boolean;
  /** What a person should know besides, a line each: behind whether it is ready. */
  readonly notes?: () => readonly string[];
}

export interface HealthAnswer {
  readonly status: number;
  readonly text: string;
}

/** What is answered to a GET of this path; undefined where it is none of the two. */
export function healthAnswer(path: string, { ready, notes = () => [] }: Readiness): HealthAnswer | undefined {
  if (path === "/healthz") return { status: 200, text: "ok" };
  if (path !== "/readyz") return undefined;
  const is = ready();
  return { status: is ? 200 : 503, text: [is ? "ready" : "not ready", ...notes()].join("\n") };
}

export interface Health {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens. Rejects where the address is taken or not this machine's. */
export async function startHealth({ host, port, ...readiness }: HealthOptions): Promise<Health> {
  const server = createServer((request, response) => {
    const answer = ({ status, text }: HealthAnswer): void => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
      response.end(request.method === "HEAD" ? undefined : `${text}\n`);
    };
    if (request.method !== "GET" && request.method !== "HEAD") {
      return answer({ status: 405, text: "method not allowed" });
    }
    const path = request.url?.split("?", 1)[0] ?? "";
    return answer(healthAnswer(path, readiness) ?? { status: 404, text: "not found" });
  });
  server.requestTimeout = 5000;
  return {
    port: await listen(server, { host, port }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
