/** Events that cannot become changes, as somebody looks for them beside dead letters: counted, shown, discarded. */
import type { Config } from "../../config/config.ts";
import { namedPool } from "../../config/config.ts";
import { printable } from "../../core/masking.ts";
import { defined } from "../../core/defined.ts";
import type { Keyring } from "../../store/keyring.ts";
import type { Inbox, ParkedEntry, TakenEntry } from "../../store/inbox.ts";
import { openEvent, type CameEvent } from "../../store/sealed-event.ts";
import { adviceOf } from "../../core/advice.ts";
import { JOB_SCHEME, readJobChange } from "./job-change.ts";
import { readEvent, type ParkedReason } from "./read-event.ts";

/** Those that are meant, in order of arrival, read page by page anew each time. */
export type ParkedEvents = () => AsyncIterable<ParkedEntry> | Iterable<ParkedEntry>;

/** As `dead show` has an event beside letters: what stands in its entry. */
export interface EventLine {
  readonly id: string;
  readonly kind: "event";
  readonly reason: string;
  readonly feed: string;
  /** ISO 8601: when it came. */
  readonly came: string;
  /** ISO 8601: when it was found, the last time, to be no change. */
  readonly parked: string;
}

/** An event, opened. */
export interface EventView extends EventLine {
  /** The pool of its feed, by today's configuration. */
  readonly pool?: string;
  /** How it was signed: the scheme, or `job`. */
  readonly scheme?: string;
  /** ISO 8601, by its sender's clock. */
  readonly signed?: string;
  readonly contentType?: string;
  /** Of the body, as it came. */
  readonly bytes?: number;
  /** The records that are left, by their numbers, where others have become changes. */
  readonly left?: readonly number[];
  /** What is wrong with its first records, by today's configuration. */
  readonly why?: readonly string[];
  /** Masked, or as it is. */
  readonly body: string;
  readonly advice: string;
}

/** Events that have feed and reason in common. */
export interface EventGroup {
  readonly feed: string;
  readonly reason: string;
  readonly events: number;
  /** Epoch ms: when one of them came first, and last. */
  readonly oldest: number;
  readonly newest: number;
  /** The id of the oldest. */
  readonly example: string;
  readonly advice: string;
}

const ADVICE: Readonly<Record<ParkedReason, string>> = {
  unreadable: "Correct what the sender sends, or the feed's `username` and `version`, and replay; or discard.",
  "no-column":
    "Map what it has (`records`, `username`, `version`, `attributes`) and replay. If it is of another kind, have the sender send fewer kinds, and discard.",
  "no-feed": "Give the feed its `events` in poolsync.yaml and replay; or discard.",
  nobody:
    "Nothing: it is looked at again after the next scan of the pool, and every hour. Replay where the user is there by now.",
  several: "Correct the pool, or name people by the username, and replay.",
  ahead: "Correct the sender's clock, and discard; or replay once its time is less than a day ahead.",
};

/** What to do about events of a reason; blank where it is not known. */
function adviceOfParked(reason: string): string {
  return new Map<string, string>(Object.entries(ADVICE)).get(reason) ?? "";
}

/** Of what is moved at a time: no more of them are held in memory. */
export const PARKED_PAGE = 200;

/** The pool of a feed, or of jobs that name their pool; undefined where the configuration knows none. */
export function poolOfEvents(config: Config, feed: string): string | undefined {
  const { feeds, poolSettings, pools } = config;
  const name = Object.hasOwn(config.feeds, feed) ? feeds[feed]?.pool : feed;
  if (name === undefined) return undefined;
  const isKnown = Object.hasOwn(config.feeds, feed) || pools.includes(name);
  const isNamed = Object.entries(poolSettings).some(([key, { id }]) => key === name || id === name);
  return isKnown || isNamed ? namedPool(config, name).id : undefined;
}

/** Pages of ids, up to a limit. */
export async function* parkedPages(events: ParkedEvents, limit = Infinity): AsyncGenerator<readonly ParkedEntry[]> {
  let page: ParkedEntry[] = [];
  let taken = 0;
  for await (const entry of events()) {
    if (taken >= limit) break;
    taken += 1;
    page.push(entry);
    if (page.length < PARKED_PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Counts events by group, the largest first. */
export async function groupParked(events: ParkedEvents, limit = Infinity): Promise<readonly EventGroup[]> {
  const groups = new Map<string, EventGroup>();
  for await (const page of parkedPages(events, limit)) {
    for (const { id, feed, reason, arrivedAt } of page) {
      const key = JSON.stringify([feed, reason]);
      const first = { feed, reason, events: 0, oldest: arrivedAt, newest: arrivedAt, example: id };
      const known = groups.get(key) ?? { ...first, advice: adviceOfParked(reason) };
      const newest = Math.max(known.newest, arrivedAt);
      groups.set(key, { ...known, events: known.events + 1, newest });
    }
  }
  return [...groups.values()].toSorted((one, other) => other.events - one.events);
}

/** Takes events away for good, or only counts them. Answers how many. */
export async function discardParked(
  { inbox }: { readonly inbox: Inbox },
  events: ParkedEvents,
  { limit, dryRun }: { readonly limit?: number | undefined; readonly dryRun: boolean },
): Promise<number> {
  let count = 0;
  for await (const page of parkedPages(events, limit)) {
    count += dryRun ? page.length : (await inbox.discard(page.map(({ id }) => id))).length;
  }
  return count;
}

const iso = (epochMs: number): string => new Date(epochMs).toISOString();

export function eventLine({ id, feed, reason, arrivedAt, parkedAt }: ParkedEntry): EventLine {
  return { id, kind: "event", reason, feed, came: iso(arrivedAt), parked: iso(parkedAt) };
}

/** How many records are said to be at fault. */
const SAID = 5;
/** Stands for what was altered in the store. */
const UNREADABLE = "(altered)";
/** Nothing of a body: it has values of all kinds, and what hides one may show another. */
const MASKED = "***";

export function viewEvent(
  config: Config,
  keyring: Pick<Keyring, "openBytes">,
  entry: ParkedEntry & Pick<TakenEntry, "body">,
  showValues: boolean,
): EventView {
  const line = defined({ ...eventLine(entry), pool: poolOfEvents(config, entry.feed) });
  const event = openEvent(keyring, entry);
  if (event === undefined) return { ...line, body: UNREADABLE, advice: adviceOf("altered") };
  const { scheme, signedAt, contentType, left, body } = event;
  return defined({
    ...line,
    scheme,
    signed: signedAt === undefined ? undefined : signedTime(signedAt),
    contentType: printable(contentType),
    bytes: body.length,
    left: left?.records,
    why: whyParked(config, event, entry),
    body: showValues ? shownBody(new TextDecoder().decode(body)) : MASKED,
    advice: adviceOfParked(entry.reason),
  });
}

/** Of the first few records that cannot be read. */
function whyParked(
  config: Config,
  event: CameEvent,
  { feed, reason, arrivedAt }: ParkedEntry,
): readonly string[] | undefined {
  if (!/^(?:unreadable|no-column)$/.test(reason)) return undefined;
  if (event.scheme === JOB_SCHEME) {
    const job = readJobChange(config, event.body);
    return job.is === "unreadable" ? [job.why] : undefined;
  }
  const events = Object.hasOwn(config.feeds, feed) ? config.feeds[feed]?.events : undefined;
  if (events === undefined) return undefined;
  const records = readEvent(event, events, arrivedAt);
  if (typeof records === "string")
    return [reason === "unreadable" ? "it is no JSON in UTF-8" : foundNone(events.records)];
  const said = records.flatMap((record) =>
    record.is === "parked" && record.why !== undefined ? [`record ${record.line}: ${record.why}`] : [],
  );
  return said.length === 0 ? undefined : said.slice(0, SAID);
}

function foundNone(records: string | undefined): string {
  return records === undefined ? "it is no record, and no list of them" : `\`${records}\` finds no list in it`;
}

/** A job says any time. */
function signedTime(epochMs: number): string {
  return Number.isFinite(new Date(epochMs).getTime()) ? iso(epochMs) : String(epochMs);
}

/** In lines, as it came. */
function shownBody(text: string): string {
  return text
    .replaceAll("\t", "  ")
    .split(/\r\n|\n|\r/)
    .map(printable)
    .join("\n");
}
