/**
 * An event as it came, sealed at the place of its entry with all that decides what it means: so what somebody puts in its
 * place, or says of it, in the store is no event of this feed.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Keyring, Place } from "./keyring.ts";

export interface CameEvent {
  readonly feed: string;
  /** How it came: the scheme of its signature, or `job`. */
  readonly scheme: string;
  /** Epoch ms: when the sender signed it, by its own clock. */
  readonly signedAt?: number | undefined;
  readonly contentType: string;
  /** Where some of its records have become changes: those that have not, by their numbers, as this expression finds them. */
  readonly left?: { readonly by: string; readonly records: readonly number[] } | undefined;
  /** Whole. */
  readonly body: Uint8Array;
}

const eventPlace = (id: string): Place => ["event", id];

const heading = z.object({
  feed: z.string(),
  scheme: z.string(),
  signedAt: z.number().optional(),
  contentType: z.string(),
  left: z.object({ by: z.string(), records: z.array(z.number()) }).optional(),
});

/**
 * Names an entry: by the event's own id, or where it has none by its body. Nobody can tell either by it. Ids are given by
 * others in each way in which events come, and what comes in one is never a repeat of what came in another.
 */
export function eventId(
  keyring: Pick<Keyring, "eventId">,
  { feed, scheme }: Pick<CameEvent, "feed" | "scheme">,
  event: string | Uint8Array,
): string {
  return typeof event === "string"
    ? keyring.eventId(feed, `id ${scheme}`, event)
    : keyring.eventId(feed, `body ${scheme}`, createHash("sha256").update(event).digest("base64"));
}

export function sealEvent(keyring: Pick<Keyring, "seal">, id: string, { body, ...head }: CameEvent): string {
  // JSON has no line break: the first one ends it.
  return keyring.seal(eventPlace(id), Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]));
}

/** Undefined where it is not what was sealed for this entry, or is of another feed than the entry says. */
export function openEvent(
  keyring: Pick<Keyring, "openBytes">,
  { id, feed, body: sealed }: { readonly id: string; readonly feed: string; readonly body: string },
): CameEvent | undefined {
  const opened = keyring.openBytes(eventPlace(id), sealed);
  const end = opened?.indexOf("\n") ?? -1;
  if (opened === undefined || end < 0) return undefined;
  const head = headOf(opened.subarray(0, end).toString("utf8"));
  return head?.feed === feed ? { ...head, body: opened.subarray(end + 1) } : undefined;
}

/** What an event takes at most with a body of so many bytes, as it is kept: heading and seal are in text beside it. */
export function keptBytes(bodyBytes: number): number {
  return Math.ceil(((bodyBytes + LONGEST_HEADING) * 4) / 3);
}
/** The headers of a request have 16 kB. */
const LONGEST_HEADING = 20 * 1024;

/** The same under other keys and another id; undefined where it cannot be opened. */
export function resealEvent(
  { from, to }: { readonly from: Pick<Keyring, "openBytes">; readonly to: Pick<Keyring, "seal"> },
  sealed: { readonly id: string; readonly body: string },
  id: string,
): string | undefined {
  const opened = from.openBytes(eventPlace(sealed.id), sealed.body);
  return opened && to.seal(eventPlace(id), opened);
}

function headOf(text: string) {
  try {
    const parsed = heading.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // What was sealed as something else, before format 3. The error may quote it.
    return undefined;
  }
}
