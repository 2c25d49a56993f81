/**
 * CloudEvents by HTTP: structured, in batches, and binary, whose attributes are headers. Each is kept by itself, in the
 * structured form of JSON, so that one that comes again is known by its source and id, in whatever batch.
 */
import { z } from "zod";
import type { EventRequest } from "./verifier.ts";

export const CLOUD_EVENT_TYPE = "application/cloudevents+json";
const BATCH_TYPE = "application/cloudevents-batch+json";
/** Of one batch: each takes a place in the inbox, and memory until it has it. */
const MOST_OF_BATCH = 1_000;

export interface CloudEvent {
  /** Of all events of a feed: `source` and `id` name one. Undefined where they are not there, or may be anybody's. */
  readonly id: string | undefined;
  /** In the structured form. */
  readonly body: Buffer;
}

const named = z.object({ specversion: z.string(), source: z.string().min(1), id: z.string().min(1) });

/**
 * The events of a request; `too-many` of a batch; undefined where it has none that can be told apart, and is kept as it
 * came. `trustsHeaders`: nobody but the sender can have written the headers. Never throws.
 */
export function cloudEventsIn(
  { header, body }: EventRequest,
  contentType: string | undefined,
  trustsHeaders: boolean,
): readonly CloudEvent[] | "too-many" | undefined {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const text = textOf(body);
  if (type === BATCH_TYPE) return text === undefined ? undefined : batchOf(text);
  const isBinary = type !== CLOUD_EVENT_TYPE && header("ce-specversion") !== undefined;
  if (isBinary) return [binary(header, { type, text, body }, trustsHeaders)];
  const parsed = parseJson(text);
  const isStructured = type === CLOUD_EVENT_TYPE || named.safeParse(parsed).success;
  return isStructured ? [{ id: idOf(parsed), body: Buffer.from(body) }] : undefined;
}

/** Of what anybody may have written into headers nothing is taken: neither the id nor when it occurred. */
function binary(
  header: EventRequest["header"],
  { type, text, body }: { readonly type: string; readonly text: string | undefined; readonly body: Uint8Array },
  trustsHeaders: boolean,
): CloudEvent {
  const attributes = Object.fromEntries(
    trustsHeaders
      ? HEADERS.flatMap((name) => {
          const value = header(`ce-${name}`);
          return value === undefined ? [] : [[name, decoded(value)]];
        })
      : [],
  );
  const head = JSON.stringify({ ...attributes, datacontenttype: type });
  // As it is written: numbers have more digits than a double.
  const data =
    parseJson(text) === undefined ? `"data_base64":"${Buffer.from(body).toString("base64")}"` : `"data":${text}`;
  return { id: idOf(attributes), body: Buffer.from(`${head.slice(0, -1)},${data}}`) };
}

/** Those that say something of a person or a time. Others are the sender's own affair. */
const HEADERS = ["specversion", "id", "source", "type", "subject", "time"];

/** Headers have what is no ASCII, blanks and quotes as percent and hex. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // A percent that escapes nothing: some senders write the text as it is.
    return value;
  }
}

function batchOf(text: string): readonly CloudEvent[] | "too-many" | undefined {
  const parsed = parseJson(text);
  if (!Array.isArray(parsed)) return undefined;
  if (parsed.length > MOST_OF_BATCH) return "too-many";
  const values: readonly unknown[] = parsed;
  return elementsOf(text).map((json, index) => ({ id: idOf(values[index]), body: Buffer.from(json) }));
}

/** The elements of a list as they are written. It is known to be JSON. */
function elementsOf(list: string): readonly string[] {
  const elements: string[] = [];
  const marks = /["[\]{},]/g;
  let depth = 0;
  let from = 0;
  for (let found = marks.exec(list); found !== null; found = marks.exec(list)) {
    const { 0: mark, index } = found;
    if (mark === '"') {
      marks.lastIndex = textEnd(list, index);
      continue;
    }
    if (mark === "[" || mark === "{") depth += 1;
    if (depth === 1 && mark === "[") from = index + 1;
    if ((mark === "," && depth === 1) || (mark === "]" && depth === 1)) {
      elements.push(list.slice(from, index).trim());
      from = index + 1;
    }
    if (mark === "]" || mark === "}") depth -= 1;
  }
  return elements.filter((json) => json !== "");
}

/** Behind the quote that ends a text. Not by an expression: one of millions of escapes would take the whole stack. */
function textEnd(json: string, quote: number): number {
  for (let end = json.indexOf('"', quote + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let escapes = 0;
    while (json[end - 1 - escapes] === "\\") escapes += 1;
    if (escapes % 2 === 0) return end + 1;
  }
  return json.length;
}

function idOf(event: unknown): string | undefined {
  const found = named.safeParse(event);
  return found.success ? JSON.stringify([found.data.source, found.data.id]) : undefined;
}

function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    // It is kept as it came.
    return undefined;
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // The message of the parser quotes the text.
    return undefined;
  }
}

/** What a sender is answered that asks whether it may send: at any rate, as who sends too much is told so with a 429. */
export function handshakeOf(header: EventRequest["header"]): Readonly<Record<string, string>> | undefined {
  const origin = header("webhook-request-origin");
  if (origin === undefined || !/^[A-Za-z0-9.:_-]{1,253}$/.test(origin)) return undefined;
  return { "webhook-allowed-origin": origin, "webhook-allowed-rate": "*", allow: "GET, HEAD, OPTIONS, POST" };
}
