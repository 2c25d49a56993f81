/** Sends a sample as a feed's sender would, and says what it was answered. */
import { randomUUID } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { EventsSetting } from "../../config/events.ts";
import { printable } from "../../core/masking.ts";
import { isLoopback } from "../../http/listen.ts";
import { AppError } from "../app-error.ts";
import { signedRequest } from "./signed-request.ts";

export interface Sample {
  /** The feed's address. */
  readonly url: URL;
  readonly body: Buffer;
  /** Told by the setting and the body where absent. */
  readonly contentType?: string | undefined;
  readonly setting: EventsSetting;
  /** The present one; undefined where it is not set. */
  readonly secret: string | undefined;
  readonly signal: AbortSignal;
}

export interface SampleAnswer {
  readonly status: number;
  /** What was answered, in one line. */
  readonly answer: string;
  /** In seconds, where it was asked to send again. */
  readonly retryAfter?: number;
  /** From when it was sent. */
  readonly ms: number;
}

const WITHIN_MS = 30_000;
/** Of an answer: anybody may be at an address. */
const SHOWN = 300;

/**
 * Throws an AppError where the secret is not set, where it would go in clear to another machine (category `usage`), where
 * nobody answers (`no-answer`), and where it was interrupted.
 */
export async function sendEvent({ url, body, contentType, setting, secret, signal }: Sample): Promise<SampleAnswer> {
  const { scheme } = setting;
  const [variable] = setting.secret;
  if (scheme !== "none" && secret === undefined) {
    throw new AppError(
      "usage",
      `Expected the feed's secret in ${variable}: set that variable, and give the command again.`,
      {
        category: "usage",
      },
    );
  }
  const isSecretSent = scheme === "bearer" || scheme === "salesforce-outbound";
  if (isSecretSent && url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) {
    throw new AppError(
      "usage",
      `Expected an https address: the token of \`${scheme}\` would go to ${url.host} in clear.`,
      {
        category: "usage",
      },
    );
  }
  const id = `msg_${randomUUID()}`;
  const { headers, token } = signedRequest(setting, secret ?? "", { body, nowMs: Date.now(), id });
  const target = new URL(url);
  if (token !== undefined) target.searchParams.set("token", token);
  const type = contentType ?? typeOf(setting, body);
  const all = { ...headers, "content-type": type, "content-length": String(body.length) };
  const began = performance.now();
  const within = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
  try {
    const { status, text, retryAfter } = await exchange(target, all, body, within);
    const ms = Math.round(performance.now() - began);
    const answer = printable(text.trim().replaceAll(/\s+/g, " ")).slice(0, SHOWN);
    return { status, answer, ms, ...(retryAfter === undefined ? {} : { retryAfter }) };
  } catch (cause) {
    if (signal.aborted)
      throw new AppError("interrupted", "Interrupted before it was answered.", { cause, category: "interrupted" });
    const why = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? ` (${cause.code})` : "";
    throw new AppError(
      "no-answer",
      `Nobody answers at ${url.origin}${why}: see that \`poolsync ingest\` runs there, or give another --url.`,
      { cause },
    );
  }
}

function exchange(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string; readonly retryAfter: number | undefined }> {
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, { method: "POST", headers, signal, agent: false }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (piece: string) => {
        if (text.length < 10_000) text += piece;
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        const after = Number(incoming.headers["retry-after"] ?? "x");
        resolve({ status: incoming.statusCode ?? 0, text, retryAfter: Number.isFinite(after) ? after : undefined });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** As the sender would call it. */
function typeOf({ scheme, format }: EventsSetting, body: Buffer): string {
  if (scheme === "salesforce-outbound") return "text/xml; charset=utf-8";
  const [begins = ""] = /\S/.exec(body.toString("utf8", 0, 1000)) ?? [];
  if (format !== "cloudevents") return "application/json";
  return begins === "[" ? "application/cloudevents-batch+json" : "application/cloudevents+json";
}
