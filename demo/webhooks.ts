/** Two webhooks of the demonstration: one that its sender has signed, and one that somebody else makes of it. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** As the environment has it. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from("a secret of the demonstration").toString("base64")}`;

const AGAIN_AFTER_MS = 50;

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

/** True while the process at the port takes events. */
export async function takesEvents(port: number): Promise<boolean> {
  // Nobody listens yet.
  const answer = await call(port, "GET", "/readyz").catch(() => undefined);
  return answer?.status === 200;
}

/** Sends `body`, with the signature of what the sender has signed. Answers with the status and the words beside it. */
export function sendWebhook(port: number, feed: string, body: string, signed = body) {
  const id = "msg_1";
  const time = String(Math.floor(Date.now() / 1000));
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

async function call(
  port: number,
  method: string,
  path: string,
  { headers = {}, body = "" } = {},
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const sent = request({ host: "127.0.0.1", port, method, path, headers, agent: false }).end(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve).once("error", reject);
  });
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += String(part);
  return { status: response.statusCode, text: text.trim() };
}
