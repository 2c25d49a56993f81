/** A made-up HR system: it exports a file again, and sends each change as it happens, as a webhook. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** As the environment has it. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from("a secret of the demonstration").toString("base64")}`;

const AGAIN_AFTER_MS = 50;

/** The export of the next day: so many people have moved to another cost center. */
export function laterExport(csv: string, people: number): string {
  const moved = (row: string, index: number): string =>
    index > 0 && index <= people ? row.replace(/,CC-(\d{4}),/, ",CD-$1,") : row;
  return csv.split("\n").map(moved).join("\n");
}

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Waits until something is so; rejects where the signal ends the waiting. */
export async function until(isSo: () => boolean | Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await isSo())) await sleep(AGAIN_AFTER_MS, undefined, { signal });
}

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

/** What the process at the port says of itself; undefined while nobody listens. */
export function readiness(port: number): Promise<Answer | undefined> {
  return call(port, "GET", "/readyz").catch(() => undefined);
}

export interface Webhook {
  readonly id: string;
  readonly body: string;
  /** What its sender has signed, where somebody else has changed it since. */
  readonly signed?: string;
  /** How long ago it was signed. */
  readonly agoMs?: number;
}

/** Sends it to a feed by Standard Webhooks. */
export function sendWebhook(port: number, feed: string, { id, body, signed = body, agoMs = 0 }: Webhook) {
  const time = String(Math.floor((Date.now() - agoMs) / 1000));
  const key = Buffer.from(WEBHOOK_SECRET.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${time}.${signed}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": time,
    "webhook-signature": `v1,${signature}`,
  };
  return call(port, "POST", `/events/${feed}`, { headers, body });
}

async function call(port: number, method: string, path: string, { headers = {}, body = "" } = {}): Promise<Answer> {
  const sent = request({ host: "127.0.0.1", port, method, path, headers, agent: false }).end(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve).once("error", reject);
  });
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += String(part);
  return { status: response.statusCode, text: text.trim() };
}
