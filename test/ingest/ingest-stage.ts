import { connect } from "node:net";
import { createHmac } from "node:crypto";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { z } from "zod";
import { createLog } from "../../src/log.ts";
import type { EventsSetting, Scheme } from "../../src/config/events.ts";
import {
  createIngestServer,
  type Acceptance,
  type IngestFeed,
  type IngestOptions,
} from "../../src/ingest/ingest-server.ts";
import { ORGANIZATION, outboundMessage } from "./outbound-sample.ts";
import type { ReceivedEvent } from "../../src/ingest/received-events.ts";

/** The store's time in these tests. */
export const NOW = 1_700_000_000_000;
export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const Line = z.record(z.string(), z.unknown());
const mapping = { usernameColumn: "user", attributes: [], ignored: [], unknown: "ignore" } as const;
const common = { toleranceMs: 300_000, maxBytes: 1000, mapping };

/** A feed with a secret of its own, where the scheme has one. */
export function feed(name: string, events: Partial<EventsSetting> & Pick<EventsSetting, "scheme">): IngestFeed {
  const isOpen = events.scheme === "none";
  const sender =
    events.scheme === "hubspot"
      ? { publicUrl: PUBLIC_URL, signatureVersion: "v3" as const }
      : { organization: ORGANIZATION.slice(0, 15) };
  const setting: EventsSetting = { ...common, ...sender, secret: isOpen ? [] : ["S", "S_OLD"], ...events };
  const secrets = {
    "standard-webhooks": SECRET,
    bamboohr: "b",
    hubspot: "p",
    "salesforce-outbound": "s",
    hmac: "h",
    bearer: "t",
    none: undefined,
  };
  return { name, events: setting, secrets: isOpen ? [] : [secrets[events.scheme], undefined] };
}

export interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Stage {
  readonly port: number;
  /** What was handed to `accept`. */
  readonly events: { readonly feed: string; readonly event: ReceivedEvent }[];
  /** The log as it was written, and its lines with this message. */
  log(): string;
  lines(message: string): Record<string, unknown>[];
  send(what: Sent): Promise<Answered>;
  /** What a connection that sends these bytes is answered until it ends. */
  raw(bytes: string): Promise<string>;
  close(withinMs?: number): Promise<void>;
}

/** A server with these feeds on a port of its own, whose inbox says `accepted` unless it is told otherwise. */
export async function startIngest(
  t: TestContext,
  feeds: readonly IngestFeed[],
  options: Partial<IngestOptions> = {},
): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "poolsync-ingest-"));
  const logFile = join(directory, "log");
  const events: Stage["events"] = [];
  const log = createLog("debug", openSync(logFile, "w"));
  t.after(() => rmSync(directory, { recursive: true }));
  const accept = options.accept ?? (() => Promise.resolve<Acceptance>("accepted"));
  const server = createIngestServer({
    now: () => NOW,
    ready: () => true,
    log,
    ...options,
    feeds,
    accept(name, batch) {
      events.push(...batch.map((event) => ({ feed: name, event })));
      return accept(name, batch);
    },
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  let closed: Promise<void> | undefined;
  const close = (withinMs = 1000) => (closed ??= server.close(withinMs));
  t.after(() => close());
  const written = () => readFileSync(logFile, "utf8");
  return {
    port,
    events,
    log: written,
    lines: (message) =>
      written()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => Line.parse(JSON.parse(line)))
        .filter(({ msg }) => msg === message)
        .map((line) => Object.fromEntries(Object.entries(line).filter(([name]) => name !== "time"))),
    close,
    send: (what) => sendTo(port, what),
    async raw(bytes) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(bytes);
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
      // A connection that is reset has said what it has said.
      await new Promise((resolve) => socket.once("close", resolve));
      return text;
    },
  };
}

async function sendTo(
  port: number,
  { path = "/events/hr", method = "POST", headers = {}, body }: Sent,
): Promise<Answered> {
  const sent = request({ port, host: "127.0.0.1", path, method, headers, agent: false });
  const answered = responseTo(sent);
  sent.end(body);
  const response = await answered;
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, text, headers: response.headers };
}

/** Rejects where the connection ends before. */
export function responseTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    // What comes after the answer is a connection that is closed.
    sent.on("error", reject);
  });
}

/** The headers of a genuine request of Standard Webhooks. */
export function signed(
  body: string | Buffer,
  { id = "msg_1", secret = SECRET, at = NOW } = {},
): Record<string, string> {
  const timestamp = String(at / 1000);
  const key = Buffer.from(secret.slice(6), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

const PUBLIC_URL = "https://hooks.example.com/events/hr";
export const PLAIN_HMAC = { header: "X-Sig", algorithm: "sha256", encoding: "hex", signed: "{body}" } as const;

/** The headers of a genuine request to a `feed` of this scheme; of `hmac` as {@link PLAIN_HMAC} has it. */
export function genuine(scheme: Scheme, body: string): Record<string, string> {
  const hmac = (key: string, text: string) => createHmac("sha256", key).update(text).digest("hex");
  const timestamp = String(NOW / 1000);
  switch (scheme) {
    case "standard-webhooks":
      return signed(body);
    case "bamboohr":
      return { "x-bamboohr-timestamp": timestamp, "x-bamboohr-signature": hmac("b", body + timestamp) };
    case "hubspot":
      return {
        "x-hubspot-request-timestamp": String(NOW),
        "x-hubspot-signature-v3": createHmac("sha256", "p").update(`POST${PUBLIC_URL}${body}${NOW}`).digest("base64"),
      };
    case "hmac":
      return { "x-sig": hmac("h", body) };
    case "bearer":
      return { authorization: "Bearer t" };
    // Its token is in the address.
    case "salesforce-outbound":
    case "none":
      return {};
  }
}

/** The same as a request, with a body that its sender may send. */
export function genuineRequest(scheme: Scheme, body: string): Sent {
  if (scheme !== "salesforce-outbound") return { headers: genuine(scheme, body), body };
  return {
    path: "/events/hr?token=s",
    headers: { "content-type": "text/xml; charset=utf-8" },
    body: outboundMessage(),
  };
}
