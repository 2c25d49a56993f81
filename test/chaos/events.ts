/**
 * What senders of events and producers of jobs say, from a seed: sound events, some of them out of order, and others that
 * must leave nothing behind, or nothing but a parked entry.
 */
import { createHmac } from "node:crypto";
import type { ParkedReason } from "../../src/app/events/read-event.ts";
import { randomFrom } from "../support/random.ts";
import { ordinalOf, saidBy, valueOf, type SentChange } from "./model.ts";
import { POOL } from "./service.ts";

/** The feed that a queue is of, and what the ids of its changes begin with. */
export const [QUEUE_FEED, QUEUE_LETTER] = ["queue", "wq"];
/** The feed of floods, likewise; and how many people its guard lets through, in a time that is longer than any run. */
export const [FLOOD_FEED, FLOOD_LETTER, FLOOD_LIMIT] = ["floods", "wf", 8] as const;

type Planned = Omit<SentChange, "sentAt" | "times">;

/** What its senders sign with. */
export const EVENT_KEY = Buffer.from("the chaos run's own key, 32 bytes");
/** Of the environment of who takes events. */
export const EVENT_SECRETS = {
  CHAOS_SECRET: `whsec_${EVENT_KEY.toString("base64")}`,
  CHAOS_NEW_SECRET: `whsec_${Buffer.from("another key of the same chaos run").toString("base64")}`,
} as const;

const ATTRIBUTES = ["given_name", "family_name", "custom:department", "email"] as const;
const MAPPED = `pool: people
    username: user
    attributes: { given_name: g, family_name: f, "custom:department": d, email: { column: e, verified: mark } }`;
const COLUMNS: Readonly<Record<(typeof ATTRIBUTES)[number], string>> = {
  given_name: "g",
  family_name: "f",
  "custom:department": "d",
  email: "e",
};
/** What of {@link EVENT_CONFIG} the feeds of floods and of a queue are, which not every run has. */
export const floodAndQueue = (queueUrl: string): string => `  ${FLOOD_FEED}:
    ${MAPPED}
    version: at
    guards: { events: { people: ${FLOOD_LIMIT}, within: 1d } }
    events: { scheme: standard-webhooks, secret: CHAOS_SECRET, records: people }
  ${QUEUE_FEED}:
    ${MAPPED}
    version: at
    events: { sqs: "${queueUrl}" }
`;
/** `hooks` says a version of its own; of `signed` it is the time of the signature, so it repeats with its first one. */
export const EVENT_CONFIG = `pools:
  people: { id: ${POOL}, owner: { given_name: newest, family_name: newest, "custom:department": newest, email: newest } }
feeds:
  hooks:
    ${MAPPED}
    version: at
    events: { scheme: standard-webhooks, secret: CHAOS_SECRET, records: people }
  signed:
    ${MAPPED}
    events: { scheme: standard-webhooks, secret: [CHAOS_NEW_SECRET, CHAOS_SECRET], tolerance: 1h }
`;

/** By the letter that their changes begin with: the feed of the run that they are put into. Jobs name the pool. */
export const EVENT_FEEDS: Readonly<Record<string, string>> = {
  h: "hooks",
  s: "signed",
  [QUEUE_LETTER]: QUEUE_FEED,
  j: POOL,
};

/** The feed of the event that a change came with; undefined for a change that came in another way. */
export const eventFeedOf = (id: string): string | undefined => EVENT_FEEDS[id.split(".")[0] ?? ""];

/** Changes of this letter are never to be seen anywhere. */
const NEVER = "x";
export const isNever = (id: string | undefined): boolean => id?.startsWith(`${NEVER}.`) === true;

export type EventKind =
  /** Becomes changes. */
  | "sound"
  /** Some of its records do, and the others are parked. */
  | "partly"
  /** Genuine, and parked as a whole. */
  | "parked"
  /** Whoever sends them is refused. */
  | "forged"
  | "late"
  | "early"
  /** Its request ends in the middle, and never comes again. */
  | "cut";

export interface PlannedEvent {
  readonly id: string;
  readonly feed: "hooks" | "signed" | typeof FLOOD_FEED;
  readonly kind: EventKind;
  readonly body: Buffer;
  readonly changes: readonly Planned[];
  readonly parkedAs?: ParkedReason;
  /** The headers of a try at this time. */
  headers(nowMs: number): Readonly<Record<string, string>>;
}

export interface PlannedJob {
  readonly change: Planned;
  /** For job-producer.ts, as a line. */
  readonly order: {
    readonly id: string;
    readonly data: object;
    /** When it was added, where its version says no other time. */
    readonly timestamp?: number;
  };
}

export interface EventLoad {
  event(now: number): PlannedEvent;
  job(now: number): PlannedJob;
}

const LATE_MS = 20_000;
const MOST_RECORDS = 3;
const DAY_MS = 86_400_000;
/** Outside of the tolerance of `hooks`. */
const OUTSIDE_MS = 360_000;
/** What the others' share is left for: sound ones. */
const SHARES: readonly (readonly [EventKind, number])[] = [
  ["partly", 0.04],
  ["parked", 0.06],
  ["forged", 0.05],
  ["late", 0.03],
  ["early", 0.02],
  ["cut", 0.05],
];

export function createEventLoad(seed: number, users: readonly string[]): EventLoad {
  const random = randomFrom(seed * 53 + 4);
  /** Times that are a version already: of two of one time, arrival would decide. */
  const taken = new Set<number>();
  const signedOf = new Set<string>();
  let count = 0;

  function kindOf(): EventKind {
    let drawn = random.next();
    for (const [kind, share] of SHARES) if ((drawn -= share) < 0) return kind;
    return "sound";
  }

  /** A time that no other event has; whole seconds are those of signatures. */
  function version(now: number): number {
    let timeMs = now - (random.chance(0.3) ? Math.round(random.next() * LATE_MS) : 0);
    while (taken.has(timeMs) || timeMs % 1000 === 0) timeMs -= 1;
    taken.add(timeMs);
    return timeMs;
  }

  function change(letter: string, username: string, timeMs: number): Planned {
    count += 1;
    const picked = random.some(ATTRIBUTES, 0.4);
    const attributes = picked.length > 0 ? picked : [ATTRIBUTES[0]];
    return { id: `${letter}.${count}`, username, attributes, ordinal: ordinalOf(timeMs, 0), once: true };
  }

  const someone = (): string => users[Math.floor(random.next() ** 2 * users.length)] ?? "";

  /** Different people, or of the one source those who have no event of this second yet. */
  function people(most: number, second?: number): readonly string[] {
    const found = new Set<string>();
    for (let draws = 0; draws < 20 && found.size < most; draws += 1) {
      const username = someone();
      if (second !== undefined && signedOf.has(`${username} ${second}`)) continue;
      if (second !== undefined) signedOf.add(`${username} ${second}`);
      found.add(username);
    }
    return [...found];
  }

  const valuesOf = ({ id, username, attributes, ordinal = "" }: Planned): object => ({
    user: username,
    at: new Date(Number(ordinal.split(".")[0])).toISOString(),
    ...Object.fromEntries(attributes.map((name) => [COLUMNS[name as keyof typeof COLUMNS], valueOf(id, name)])),
  });

  function parkedBody(now: number): { readonly body: string; readonly parkedAs: ParkedReason } {
    const record = valuesOf(change(NEVER, someone(), now + 2 * DAY_MS));
    return random.pick([
      { body: `{"people": [${JSON.stringify(record)}`, parkedAs: "unreadable" },
      { body: JSON.stringify({ people: [{ ...record, at: "some day" }] }), parkedAs: "unreadable" },
      { body: JSON.stringify({ ping: record }), parkedAs: "no-column" },
      { body: JSON.stringify({ people: [record] }), parkedAs: "ahead" },
    ]);
  }

  return {
    event(now) {
      const kind = kindOf();
      const second = Math.floor(now / 1000) * 1000;
      const signedBy = kind === "sound" && random.chance(0.35) ? people(1, second) : [];
      const feed = signedBy.length > 0 ? "signed" : "hooks";
      const signedAt = feed === "signed" ? second : undefined;
      const id = `evt-${(count += 1)}`;
      const isGenuine = kind === "sound" || kind === "partly";
      const whom = signedAt === undefined ? people(1 + random.below(MOST_RECORDS)) : signedBy;
      const letter = isGenuine ? (signedAt === undefined ? "h" : "s") : NEVER;
      const changes = whom.map((username) => change(letter, username, signedAt ?? version(now)));
      const records: object[] = changes.map(valuesOf);
      if (kind === "partly")
        records.splice(random.below(2), 0, { ...valuesOf(change(NEVER, someone(), now)), at: "some day" });
      const whole = signedAt === undefined ? { people: records } : (records[0] ?? {});
      const parked = kind === "parked" ? parkedBody(now) : undefined;
      const parkedAs = kind === "partly" ? "unreadable" : parked?.parkedAs;
      const body = Buffer.from(parked?.body ?? JSON.stringify(whole));
      const offMs = kind === "late" ? -1 : kind === "early" ? 1 : 0;
      const forgery = kind === "forged" ? random.pick(["key", "body", "id", "none"] as const) : undefined;
      return {
        id,
        feed,
        kind,
        body,
        changes: isGenuine ? changes : [],
        ...(parkedAs === undefined ? {} : { parkedAs }),
        headers(nowMs) {
          // Who signs anew gives each try its own time.
          const at = (signedAt ?? nowMs) + offMs * OUTSIDE_MS;
          const timestamp = String(Math.floor(at / 1000));
          const key = forgery === "key" ? Buffer.from("somebody else's key") : EVENT_KEY;
          const signature = createHmac("sha256", key)
            .update(`${forgery === "id" ? "evt-0" : id}.${timestamp}.`)
            .update(forgery === "body" ? "{}" : body)
            .digest("base64");
          const sent = forgery === "none" ? {} : { "webhook-signature": `v1,${signature}` };
          return { "webhook-id": id, "webhook-timestamp": timestamp, ...sent };
        },
      };
    },
    job(now) {
      const timeMs = version(now);
      const planned = change("j", someone(), timeMs);
      const { id, username, attributes } = planned;
      const values = Object.fromEntries(attributes.map((name) => [name, saidBy(planned, name)]));
      const verified = attributes.includes("email") ? { verified: "mark" } : {};
      const data = { pool: POOL, username, attributes: values, ...verified };
      const isMapped = random.chance(0.5);
      const order = isMapped
        ? { id, data: { ...data, version: new Date(timeMs).toISOString() } }
        : { id, data, timestamp: timeMs };
      return { change: planned, order };
    },
  };
}
