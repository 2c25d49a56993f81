/** What a drained namespace may hold in Redis: its own keys, and a bounded list of BullMQ's. */
import type { Redis } from "ioredis";
import { contentOf } from "../support/redis-dump.ts";
import { tells } from "./model.ts";
import { IN_PLACE, OF_FORMAT_1 } from "./old-calls.ts";

export interface KeysLeft {
  readonly known: Readonly<Record<string, number>>;
  readonly strange: readonly string[];
  /** Opaque keys of users who have a wake-up's deduplication, or what is to be added after their wake-up. */
  readonly woken: ReadonlySet<string>;
  /** Keys that hold a value or a username, and may not. */
  readonly telling: readonly string[];
  /** Keys that would stay for ever, or grow for ever, and may not. */
  readonly growing: readonly string[];
  /** Keys of format 1 that hold something, and not the text in their place. */
  readonly old: readonly string[];
}

const OWN =
  /^(2:(mailboxes|ledger|due:.+|books|runs|run-index|identities|forgotten|cursors|letters|letter-times|pools|arrivals|holds|gates|kept|exceptions|exception-times|damaged|damaged-texts|inbox|inbox-bodies|inbox-parked|inbox-seen|inbox-counts|sweep:.+)|sweep:.+|saw:.+|targets|workers|memory|notes|plans|plan:.+|links:.+|alias:.+|before:.+|once:.+)$/;
/** Of each queue: settings, its parts, and the stream of events, which BullMQ trims by itself. */
const OF_QUEUE =
  /^bull:[^:]+:(meta|id|events|marker|stalled|stalled-check|wait|paused|active|prioritized|pc|delayed|repeat|metrics:.*)$/;

/** Values are where they wait and where they are set aside, usernames in the links as well, and nowhere else. */
const HOLDS_VALUES = /^(2:mailboxes|2:letters|2:damaged-texts|links:.+)$/;
const PASSING = /^(alias|before|once|plan|(2:)?sweep):/;
/** BullMQ trims its events to about 10,000. */
const MOST_EVENTS = 11_000;

export async function keysLeft(redis: Redis, namespace: string): Promise<KeysLeft> {
  const prefix = `{poolsync:${namespace}}:`;
  const known: Record<string, number> = {};
  const strange: string[] = [];
  const woken = new Set<string>();
  const telling: string[] = [];
  const growing: string[] = [];
  const old: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "COUNT", 1_000);
    for (const key of keys) {
      const name = key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
      const isOld = OF_FORMAT_1.test(name ?? "");
      if (isOld && !(await isInPlace(redis, key))) old.push(key);
      const kind = name === undefined ? undefined : isOld ? "in the place of format 1" : kindOf(name);
      if (kind === undefined) strange.push(key);
      else known[kind] = (known[kind] ?? 0) + 1;
      const user = /:d[en]:(.+)$/.exec(key)?.[1];
      if (user !== undefined) woken.add(user);
      if (!HOLDS_VALUES.test(name ?? "")) {
        const content = key + JSON.stringify(await contentOf(redis, key));
        if (tells(content)) telling.push(key);
      }
      if (PASSING.test(name ?? "") && (await redis.pttl(key)) === -1) growing.push(`${key} does not expire`);
      if (kind === "bull events" && (await redis.xlen(key)) > MOST_EVENTS) growing.push(`${key} is not trimmed`);
    }
    cursor = next;
  } while (cursor !== "0");
  return { known, strange, woken, telling, growing, old };
}

async function isInPlace(redis: Redis, key: string): Promise<boolean> {
  return (await redis.type(key)) === "string" && IN_PLACE.test((await redis.get(key)) ?? "");
}

function kindOf(name: string): string | undefined {
  if (OWN.test(name)) return name.replace(/^2:/, "").replace(/:.*/, "");
  const part = OF_QUEUE.exec(name)?.[1];
  if (part !== undefined) return `bull ${part}`;
  if (/^bull:wake-up-[^:]+:de:.+$/.test(name)) return "bull wake-up dedup";
  if (/^bull:wake-up-[^:]+:dn:.+$/.test(name)) return "bull wake-up next";
  if (/^bull:wake-up-[^:]+:\d+(:lock)?$/.test(name))
    return name.endsWith(":lock") ? "bull wake-up lock" : "bull wake-up job";
  if (/^bull:dead-[^:]+:[0-9a-f]{32}$/.test(name)) return "bull letter job";
  if (/^bull:replay:\d+(:lock)?$/.test(name)) return "bull replay job";
  return undefined;
}
