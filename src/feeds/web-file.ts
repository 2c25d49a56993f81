/**
 * A feed's file on the web, fetched with one GET. What is fetched is whole or an error: a body that is cut off, too
 * long or too slow is never taken for a feed. A credential goes to the host that it was given for and to no other.
 *
 * It goes over an agent of its own, because undici's `request` and `fetch` without one take the undici that Node comes
 * with: that of Node 24 ends the process where a server closes the connection while the body waits to be read
 * (nodejs/undici#5360). `request` and not `fetch`, which takes packed data that was cut off for whole.
 */
import { Agent, request, type Dispatcher } from "undici";
import { defined } from "../core/defined.ts";
import { FeedError } from "./feed-error.ts";
import { isSecure } from "./location.ts";

export interface WebFileOptions {
  readonly url: URL;
  /** The value of the `Authorization` header. */
  readonly authorization?: string | undefined;
  /** The ETag of the version that is known: the file is not sent again where it is still the same. */
  readonly etag?: string | undefined;
  readonly limits: FetchLimits;
  readonly signal: AbortSignal;
}

export interface FetchLimits {
  /** As it lies there, packed or not. */
  readonly maxBytes: number;
  /** Of the whole of it, in ms. */
  readonly timeoutMs: number;
}

export const DEFAULT_FETCH_LIMITS: FetchLimits = { maxBytes: 2 ** 30, timeoutMs: 10 * 60_000 };

export type FetchedFile =
  | { readonly is: "unchanged" }
  | {
      readonly is: "new";
      /** To be read once. Throws a FeedError where it ends too soon, or goes beyond the limits. */
      readonly body: AsyncIterable<Uint8Array>;
      /** Gives the connection up, be the body read or not. */
      close(): Promise<void>;
      readonly etag?: string;
      /** Epoch ms. */
      readonly modifiedAtMs: number;
      /** Nobody says when it was written: the time is that at which fetching began. */
      readonly undated?: true;
    };

const MOST_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Ways of packing that a file may have of itself: gzip is known by its first bytes, as that of any file. */
const AS_IT_LIES: ReadonlySet<string> = new Set(["", "identity", "gzip", "x-gzip"]);

/** Throws a FeedError `fetch`, or what `signal` was aborted with. */
export async function fetchWebFile(options: WebFileOptions): Promise<FetchedFile> {
  const { url, limits, signal } = options;
  const name = url.origin + url.pathname;
  const within = AbortSignal.any([signal, AbortSignal.timeout(limits.timeoutMs)]);
  const failed = (cause: unknown): unknown => {
    if (cause instanceof FeedError || signal.aborted) return cause;
    if (within.aborted) return tooSlow(name, limits.timeoutMs, cause);
    return new FeedError(
      "fetch",
      `\`${name}\` could not be fetched (${codeOf(cause)}): check the address, the network and whether the server was cut off.`,
      { cause },
    );
  };
  // HTTP/2 has no use here: it is one request, and what is known of the limits and of cut bodies is known of HTTP/1.1.
  const agent = new Agent({ allowH2: false });
  // A server may make the export while it is waited for.
  const beganAtMs = Date.now();
  try {
    const { statusCode, headers, body } = await follow(options, agent, name, within);
    if (statusCode === 304) {
      await agent.destroy();
      return { is: "unchanged" };
    }
    if (statusCode !== 200) throw refused(name, statusCode);
    if (Number(headerOf(headers, "content-length") ?? 0) > limits.maxBytes) throw tooLong(name, limits.maxBytes);
    const packed = headerOf(headers, "content-encoding") ?? "identity";
    if (!AS_IT_LIES.has(packed.toLowerCase())) throw packedUnasked(name, packed);
    const etag = headerOf(headers, "etag");
    const said = Date.parse(headerOf(headers, "last-modified") ?? "");
    const undated = Number.isNaN(said) ? (true as const) : undefined;
    return {
      is: "new",
      modifiedAtMs: undated ? beganAtMs : said,
      ...defined({ etag, undated }),
      body: limited(body, name, limits.maxBytes, failed),
      close: () => agent.destroy(),
    };
  } catch (cause) {
    await agent.destroy();
    throw failed(cause);
  }
}

type Answer = Dispatcher.ResponseData;

/** The first value of a header, which may be there several times. */
function headerOf(headers: Answer["headers"], name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

async function follow(
  { url, authorization, etag }: WebFileOptions,
  dispatcher: Agent,
  name: string,
  signal: AbortSignal,
): Promise<Answer> {
  let at = url;
  for (let hops = 0; ; hops += 1) {
    const isSameHost = at.origin === url.origin;
    const answer = await request(at, {
      dispatcher,
      signal,
      headers: {
        // As it lies there: what is packed is unpacked like any file, and its length is what the server says.
        "accept-encoding": "identity",
        "user-agent": "poolsync",
        ...defined({ authorization: isSameHost ? authorization : undefined, "if-none-match": etag }),
      },
    });
    // It may break before it is read, or be given up: its reader gets the error, and nobody else needs it.
    answer.body.on("error", () => {});
    if (!REDIRECTS.includes(answer.statusCode)) return answer;
    const to = headerOf(answer.headers, "location") ?? "";
    const next = URL.canParse(to, at.href) ? new URL(to, at.href) : undefined;
    // A server of another machine may not redirect to servers of this one.
    const isAllowed = next && isSecure(next) && (next.protocol === "https:" || at.protocol === "http:");
    if (!isAllowed || hops >= MOST_REDIRECTS) {
      const why = isAllowed ? `${MOST_REDIRECTS} times` : "to an address that is not https";
      throw new FeedError("fetch", `\`${name}\` redirects ${why}, which is not followed: give its own address.`);
    }
    answer.body.destroy();
    at = next;
  }
}

/** The body, as long as it is within the limit. */
export async function* limited(
  body: AsyncIterable<Uint8Array>,
  name: string,
  maxBytes: number,
  failed: (cause: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLong(name, maxBytes);
      yield chunk;
    }
  } catch (cause) {
    throw failed(cause);
  }
}

/** For a file that is longer than its limit. */
export function tooLong(name: string, maxBytes: number): FeedError {
  return new FeedError(
    "fetch",
    `\`${name}\` is longer than ${Math.floor(maxBytes / 2 ** 20)} MB: check the export, or raise \`fetch.maxMegabytes\`.`,
  );
}

/** For a file that takes longer than its limit. */
export function tooSlow(name: string, timeoutMs: number, cause: unknown): FeedError {
  const seconds = Math.round(timeoutMs / 1000);
  return new FeedError(
    "fetch",
    `\`${name}\` was not there whole after ${seconds} seconds: try again, or raise \`fetch.timeout\`.`,
    { cause },
  );
}

function packedUnasked(name: string, how: string): FeedError {
  return new FeedError(
    "fetch",
    `\`${name}\` was sent packed as ${JSON.stringify(how)}, though unpacked data was asked for: have the server send the file as it is, or packed with gzip.`,
  );
}

function refused(name: string, status: number): FeedError {
  const what =
    status === 401 || status === 403
      ? "check the credential that `fetch` names"
      : status === 404 || status === 410
        ? "check the address"
        : "try again, or ask those who run the server";
  return new FeedError("fetch", `\`${name}\` was answered with status ${status}: ${what}.`);
}

/** The code of a network's error, which fetch hides in its cause. The message may quote the address. */
export function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return error instanceof Error ? error.name : "unknown";
}
