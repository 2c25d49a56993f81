/**
 * Takes events by HTTP: `POST /events/<feed>`, and `/healthz` and `/readyz` beside it. A request is measured, read,
 * verified and handed to `accept`, in this order, and is answered with 2xx only when that has kept the event. It
 * depends on no clock of its own but for time-outs, keeps nothing, and tells the log nothing about people.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { ConfigError } from "../config/config-error.ts";
import type { EventsSetting } from "../config/events.ts";
import { defined } from "../core/defined.ts";
import { healthAnswer, type Readiness } from "../http/health.ts";
import { isLoopback, listen } from "../http/listen.ts";
import type { Log } from "../log.ts";
import { ANSWERS, RETRY_AFTER, statusOf, type Reason } from "./answers.ts";
import { handshakeOf } from "./cloud-event.ts";
import { createConnections } from "./connections.ts";
import { canBeRead } from "./media-type.ts";
import { acknowledgement } from "./outbound-message.ts";
import { createEventReader, type ReadEvents, type ReceivedEvent } from "./received-events.ts";
import { endAfterRest, readBody } from "./request-body.ts";
import { createTally } from "./tally.ts";
import { createVerifier, type Verifier } from "./verifier.ts";

export interface IngestFeed {
  readonly name: string;
  readonly events: EventsSetting;
  /** As `eventSecrets` reads them. */
  readonly secrets: readonly (string | undefined)[];
}

/** `accepted` only where the event is kept for good, `repeated` where it was before. */
export type Acceptance = "accepted" | "repeated" | "full" | "unavailable";

export interface IngestOptions extends Readiness {
  readonly feeds: readonly IngestFeed[];
  /** Keeps all of them in one step, or none: `accepted` where one of them was not there before. */
  readonly accept: (feed: string, events: readonly ReceivedEvent[]) => Promise<Acceptance>;
  /** The store's time in ms; undefined where it is not known. */
  readonly now: () => number | undefined;
  readonly log: Log;
  readonly limits?: Partial<IngestLimits>;
}

export interface IngestLimits {
  /** How long the headers of a request may take, and its body. */
  readonly headersMs: number;
  readonly bodyMs: number;
  /** How long `accept` may take before the sender is asked to send again: HubSpot waits for five seconds. */
  readonly acceptMs: number;
  /** How long a connection waits for another request: longer than load balancers let theirs wait. */
  readonly keepAliveMs: number;
  /** Of more, idle ones are cut. */
  readonly connections: number;
  /** What all bodies in hand may take together, those of which the store has not answered among them. */
  readonly bytesInHand: number;
}

const DEFAULT_LIMITS: IngestLimits = {
  headersMs: 10_000,
  bodyMs: 10_000,
  acceptMs: 4000,
  keepAliveMs: 75_000,
  connections: 1000,
  bytesInHand: 64 * 2 ** 20,
};
const MAX_HEADER_BYTES = 16 * 1024;
/** While the store is asked an event is there as it came, sealed and as it is written: about thrice, and 2 to 3 kB beside. */
const COPIES = 3;
const BESIDE_BODY_BYTES = 8 * 1024;
const TALLY_MS = 60_000;

export interface IngestServer {
  /**
   * Listens; the port, any free one for 0. Throws a ConfigError where others than this machine could reach a feed
   * without a secret, and rejects where the address cannot be had.
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Takes no more connections, answers the requests in hand, and cuts what is left of them after `withinMs`. */
  close(withinMs: number): Promise<void>;
}

interface ServedFeed extends IngestFeed {
  readonly verifier: Verifier;
  readonly readEvents: ReadEvents;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
  readonly reason?: Reason;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** How one request ended. */
interface Outcome {
  readonly reason: Reason;
  readonly bytes: number;
  /** Which of the feed's secrets it was signed with, from 1. */
  readonly secret?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export function createIngestServer(options: IngestOptions): IngestServer {
  const { accept, now, log, notes = () => [] } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const feeds = new Map<string, ServedFeed>();
  const faults: string[] = [];
  for (const feed of options.feeds) {
    const verifier = createVerifier(feed.events, feed.secrets);
    feeds.set(feed.name, { ...feed, verifier, readEvents: createEventReader(feed.events) });
    const [variable, old] = feed.events.secret;
    if (old !== undefined && feed.secrets[1] === undefined) {
      log.warn({ feed: feed.name, variable: old }, "second secret is not set");
    }
    const { fault } = verifier;
    if (fault === undefined) continue;
    log.error({ feed: feed.name, variable, fault }, "secret cannot be used");
    faults.push(`feed ${feed.name} takes no events: ${variable} is ${fault}`);
  }
  const readiness: Readiness = {
    ready: () => !closing && faults.length === 0 && options.ready(),
    notes: () => [...faults, ...notes()],
  };
  const tally = createTally(log, TALLY_MS);
  const budget = { left: limits.bytesInHand };
  let closing = false;

  /** What becomes of a request to `/events/<feed>`, before it is answered. */
  async function receive(feed: ServedFeed, incoming: IncomingMessage, outgoing: ServerResponse): Promise<Outcome> {
    const { method, headers } = incoming;
    if (method === "GET" || method === "HEAD") return { reason: "probe", bytes: 0 };
    const request = { header: (name: string) => headerOf(headers, name), token: tokenOf(incoming.url) };
    if (method === "OPTIONS" && feed.events.format === "cloudevents") {
      const granted = handshakeOf(request.header);
      if (granted !== undefined) return { reason: "handshake", bytes: 0, headers: granted };
    }
    if (method !== "POST") return { reason: "wrong-method", bytes: 0 };
    // What none of our secrets can verify is not worth reading.
    if (feed.verifier.fault !== undefined) return { reason: "no-secret", bytes: 0 };
    const contentType = headers["content-type"];
    if (!canBeRead(contentType, headers["content-encoding"], feed.events.scheme))
      return { reason: "unreadable-type", bytes: 0 };
    if (headers.expect !== undefined && Number(headers["content-length"] ?? 0) <= feed.events.maxBytes) {
      outgoing.writeContinue();
      // The body comes from now on.
      delete headers.expect;
    }
    const { maxBytes } = feed.events;
    const { body, fault = "cut", bytes } = await readBody(incoming, { maxBytes, withinMs: limits.bodyMs, budget });
    let held = bytes;
    const hold = (more: number) => {
      held += more;
      budget.left -= more;
    };
    hold((COPIES - 1) * bytes + BESIDE_BODY_BYTES);
    const giveBack = () => void (budget.left += held);
    let keeping: Promise<Acceptance> | undefined;
    try {
      if (body === undefined) return { reason: fault, bytes };
      const verification = feed.verifier.verify({ ...request, body }, now());
      if (verification.kind !== "authentic") return { reason: verification.reason, bytes };
      const secret = verification.secret === undefined ? undefined : verification.secret + 1;
      const events = feed.readEvents({ ...request, body }, contentType, verification);
      if (typeof events === "string") return { reason: events, bytes, secret };
      hold(Math.max(0, events.length - 1) * BESIDE_BODY_BYTES);
      keeping = keepAll(feed.name, events);
      return { reason: await inTime(keeping), bytes, secret };
    } finally {
      // A store that is away is waited for on and on, also when the sender was asked to send again.
      if (keeping === undefined) giveBack();
      else void keeping.then(giveBack);
    }
  }

  /**
   * In one step, so that they stay in their order. Where the inbox has no room for all of them, what is kept of the first
   * is known when the sender sends all again.
   */
  async function keepAll(feed: string, events: readonly ReceivedEvent[]): Promise<Acceptance> {
    const acceptance = await accept(feed, events).catch((error: unknown) => {
      log.error({ feed, err: error }, "event could not be kept");
      return "unavailable" as const;
    });
    if (acceptance !== "full" || events.length === 1) return acceptance;
    const middle = Math.ceil(events.length / 2);
    const first = await keepAll(feed, events.slice(0, middle));
    if (first === "full" || first === "unavailable") return first;
    const second = await keepAll(feed, events.slice(middle));
    return second === "repeated" ? first : second;
  }

  async function inTime(keeping: Promise<Acceptance>): Promise<Reason> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"unavailable">((resolve) => {
      timer = setTimeout(() => resolve("unavailable"), limits.acceptMs);
    });
    try {
      // Where it is kept after all, the sender's repeat is known by its id.
      const acceptance = await Promise.race([keeping, late]);
      return acceptance === "unavailable" ? "store-away" : acceptance;
    } finally {
      clearTimeout(timer);
    }
  }

  function answer({ incoming, outgoing }: HttpBindings, { status, body, reason, ...said }: Answer): void {
    const isUnread = !incoming.complete && hasBody(incoming);
    const again = status === 429 || status === 503;
    const headers = defined({
      "content-type": said.type ?? "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "content-length": Buffer.byteLength(body),
      allow: status === 405 ? "GET, HEAD, POST" : undefined,
      ...said.headers,
      "retry-after": again ? String(RETRY_AFTER) : undefined,
      connection: closing || isUnread ? "close" : undefined,
    });
    outgoing.writeHead(status, headers);
    // Who is slow, or waits to be asked for the body, sends no more of it.
    if (!isUnread || reason === "slow" || incoming.headers.expect !== undefined) return void outgoing.end(body);
    outgoing.write(body);
    endAfterRest(incoming, outgoing);
  }

  async function serve(feed: ServedFeed | undefined, http: HttpBindings): Promise<Response> {
    const { incoming, outgoing } = http;
    const began = performance.now();
    const outcome: Outcome =
      feed === undefined
        ? { reason: "unknown-path", bytes: 0 }
        : await receive(feed, incoming, outgoing).catch((error: unknown): Outcome => {
            log.error({ err: error, feed: feed.name }, "request failed");
            return { reason: "failed", bytes: 0 };
          });
    const { reason, bytes, secret, headers } = outcome;
    const status = statusOf(reason, feed?.events.scheme);
    const isSoap = feed?.events.scheme === "salesforce-outbound" && incoming.method === "POST";
    const said = isSoap
      ? { type: "text/xml; charset=utf-8", body: acknowledgement(reason === "accepted" || reason === "repeated") }
      : { body: `${reason}: ${ANSWERS[reason].text}\n` };
    if (status === undefined) outgoing.destroy();
    else answer(http, { status, reason, headers, ...said });
    const ms = Math.round(performance.now() - began);
    log.info({ feed: feed?.name, status, reason, bytes, ms, secret }, "request answered");
    if (feed !== undefined) tally.add(feed.name, reason, secret);
    return RESPONSE_ALREADY_SENT;
  }

  function health(http: HttpBindings): Response {
    const { incoming } = http;
    const path = incoming.url?.split("?", 1)[0] ?? "";
    const isRead = incoming.method === "GET" || incoming.method === "HEAD";
    const { status, text } = (isRead ? healthAnswer(path, readiness) : undefined) ?? {
      status: 405,
      text: "wrong method",
    };
    answer(http, { status, body: `${text}\n` });
    log.debug({ status }, "health answered");
    return RESPONSE_ALREADY_SENT;
  }

  const app = new Hono<{ Bindings: HttpBindings }>();
  app.all("/events/:feed", (context) => serve(feeds.get(context.req.param("feed")), context.env));
  app.all("/healthz", (context) => health(context.env));
  app.all("/readyz", (context) => health(context.env));
  app.notFound((context) => serve(undefined, context.env));
  app.onError((error, { env }) => {
    log.error({ err: error }, "request failed");
    env.outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  });

  // Requests are read, and answers written, as node:http has them: hono's own would not count what they read.
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    // HTTP/1.0 needs no host, and a balancer that looks whether the process is there says none.
    hostname: "localhost",
    // What has no path that can be read, or names a host that is none.
    errorHandler() {
      const reason = "bad-request";
      const { status, text } = ANSWERS[reason];
      log.info({ status, reason }, "request answered");
      return new Response(`${reason}: ${text}\n`, { status: status ?? 400 });
    },
  });
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headersMs,
    // Behind the limit of the body, which answers.
    requestTimeout: limits.headersMs + 2 * limits.bodyMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersMs),
  });
  // Who has sent all of a request may end its side, and is answered.
  Object.assign(server, { httpAllowHalfOpen: true });
  const connections = createConnections(limits.connections, (what) => tally.cut(what));
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    connections.begin(incoming.socket);
    outgoing.once("close", () => connections.end(incoming.socket));
    void listener(incoming, outgoing);
  };
  server.on("request", onRequest);
  server.on("checkContinue", onRequest);
  server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    // Another expectation than of a word to go on may be passed over: the body comes anyway.
    delete incoming.headers.expect;
    onRequest(incoming, outgoing);
  });
  server.on("connection", (socket) => connections.add(socket));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // Of a request in hand it is told where its body ends. What is too slow is cut, and sent again.
    const isTold = connections.isServing(socket) || !socket.writable || error.code === "ECONNRESET";
    if (isTold || error.code === "ERR_HTTP_REQUEST_TIMEOUT") return void socket.destroy();
    const reason = error.code === "HPE_HEADER_OVERFLOW" ? "long-headers" : "bad-request";
    const { status } = ANSWERS[reason];
    socket.end(`HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    log.info({ status, reason }, "request answered");
  });

  return {
    async listen(address) {
      const open = options.feeds.filter(({ events }) => events.scheme === "none");
      if (open.length > 0 && !isLoopback(address.host)) {
        throw new ConfigError(
          open.map(({ name }) => ({
            path: `poolsync.yaml: feeds.${name}.events.scheme`,
            message: `Expected a scheme with a secret, because others than this machine reach ${address.host}: \`none\` is for 127.0.0.1`,
          })),
        );
      }
      const port = await listen(server, address);
      log.info({ host: address.host, port, feeds: feeds.size }, "events are taken");
      return port;
    },
    async close(withinMs) {
      closing = true;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), withinMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        connections.cutIdle();
      });
      tally.close();
    },
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** It stands in the address, which is logged nowhere. */
function tokenOf(url = ""): string | undefined {
  const query = url.indexOf("?");
  return query < 0 ? undefined : (new URLSearchParams(url.slice(query)).get("token") ?? undefined);
}

function headerOf(headers: IncomingMessage["headers"], name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === "string" ? value : value?.join(", ");
}
