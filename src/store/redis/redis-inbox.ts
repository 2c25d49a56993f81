import { z } from "zod";
import { REPEAT_MS, type InboxLimits } from "../../core/inbox.ts";
import { defined } from "../../core/defined.ts";
import { createBatcher } from "../batcher.ts";
import { entryDocument, soundDocument } from "../documents.ts";
import type { AddedEntry, FoundEntry, Inbox, NewEntry, ParkedEntry, ParkedFilter } from "../inbox.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { inboxCountsReply, parseReply } from "./replies.ts";
import { scanHash } from "./scan-hash.ts";
import type { ScriptName, Scripts } from "./scripts.ts";

/** More batches than this go in several trips, so that no script holds the server up for long. */
const BATCHES_PER_TRIP = 50;
/** A batch of more bytes goes alone, for the same reason. */
const BYTES_OF_ONE = 64 * 1024;
/** More entries than this are moved or read in several steps. */
const ENTRIES_PER_STEP = 200;

interface Batch {
  readonly entries: readonly NewEntry[];
  readonly limits: InboxLimits;
}

/** The keys that lua/inbox.lua declares, in its order: the last of a script. */
export function inboxKeys(keys: Keys): readonly string[] {
  const { inbox, inboxBodies, inboxLine, inboxAhead, inboxTaken, inboxParked, inboxSeen, inboxCounts } = keys;
  return [inbox, inboxBodies, inboxLine, inboxAhead, inboxTaken, inboxParked, inboxSeen, inboxCounts];
}

const listReply = z.array(z.coerce.string());

/** The port to the inbox: as long as it has methods, of which each is one script. */
export function createRedisInbox(redis: RedisClient, keys: Keys, scripts: Scripts): Inbox {
  const own = inboxKeys(keys);
  const list = async (name: ScriptName, args: readonly (string | number)[], more: readonly string[] = []) =>
    listReply.parse(await scripts.run(name, [...more, ...own], args));

  async function addBatches(batches: readonly Batch[]) {
    const args = batches.flatMap(({ entries, limits }) => [
      limits.entries,
      limits.bytes,
      entries.length,
      ...entries.flatMap(({ id, feed, notBefore = "", body }) => [id, JSON.stringify(feed), notBefore, body]),
    ]);
    const [at = "", ...answers] = await list("inbox-add", [REPEAT_MS, ...args], [keys.arrivals]);
    return answers.map((answer) => (answer === "full" ? "full" : answer.split(" ").map((one) => added(one, at))));
  }

  const inTrips = createBatcher<Batch, "full" | readonly AddedEntry[]>({
    maxSize: BATCHES_PER_TRIP,
    keyOf: ({ entries }) => entries[0]?.id ?? "",
    send: addBatches,
  });

  async function inSteps(ids: readonly string[], step: (part: readonly string[]) => Promise<readonly string[]>) {
    const done: string[] = [];
    for (let from = 0; from < ids.length; from += ENTRIES_PER_STEP) {
      done.push(...(await step(ids.slice(from, from + ENTRIES_PER_STEP))));
    }
    return done;
  }

  const move = (what: string, token: string, word: string | number, ids: readonly string[]) =>
    inSteps(ids, (part) => list("inbox-move", [what, token, word, ...part]));

  return {
    async add(entries, limits) {
      if (entries.length === 0) return [];
      const batch = { entries, limits };
      if (entries.reduce((sum, { body }) => sum + body.length, 0) <= BYTES_OF_ONE) return inTrips(batch);
      return (await addBatches([batch]))[0] ?? "full";
    },

    async take(token, { leaseMs, limit, maxBytes }) {
      const [nextInMs, ...found] = await list("inbox-take", [token, leaseMs, limit, maxBytes]);
      return defined({ entries: entriesOf(found), nextInMs: nextInMs ? Number(nextInMs) : undefined });
    },

    renew: ({ token, ids }, leaseMs) => move("renew", token, leaseMs, ids),
    done: ({ token, ids }) => move("done", token, "", ids),
    defer: ({ token, ids }, notBefore) => move("defer", token, notBefore, ids),
    park: ({ token, ids }, reason) => move("park", token, reason, ids),
    replay: (ids) => move("replay", "", "", ids),
    discard: (ids) => move("discard", "", "", ids),

    async *parked(filter) {
      const [, end] = await redis.zrevrange(keys.inboxParked, 0, 0, "WITHSCORES");
      // What was parked and replayed on the way does not make the walk skip or meet anything twice.
      for (let last = "-inf"; end !== undefined;) {
        const page = await redis.zrangebyscore(keys.inboxParked, last, end, "WITHSCORES", "LIMIT", 0, ENTRIES_PER_STEP);
        if (page.length === 0) return;
        last = `(${page.at(-1)}`;
        const ids = page.filter((_, index) => index % 2 === 0);
        const found = entriesOf(await list("inbox-read", [0, ...ids]));
        for (const { parked, body: _, notBefore: __, ...entry } of found) {
          // One that is not was replayed a moment ago.
          if (parked && includes(filter, { ...entry, ...parked })) yield { ...entry, ...parked };
        }
      }
    },

    async older({ feed, before, limit, maxBytes }) {
      const [isCut, ...found] = await list("inbox-older", [feed, before, limit, maxBytes]);
      return { entries: entriesOf(found), isCut: isCut === "1" };
    },

    get: async (id) => entriesOf(await list("inbox-read", [1, id]))[0],

    async trim({ keepMs, entries, bytes }, limit) {
      return Number(await scripts.run("inbox-trim", own, [keepMs, entries, bytes, limit, REPEAT_MS]));
    },

    async counts() {
      const reply = parseReply(inboxCountsReply, await scripts.run("inbox-counts", own, []), "the counts of the inbox");
      const { feeds, parked, ...counts } = reply;
      return { ...counts, parked: { ...parked, feeds } };
    },

    async verify() {
      // A count that broke is set aside by whoever reads it.
      await scripts.run("inbox-counts", own, []);
      const before = await redis.hgetall(keys.inboxCounts);
      const counted = new Map<string, number>(Object.keys(before).map((field) => [field, 0]));
      const count = (field: string, by: number) => counted.set(field, (counted.get(field) ?? 0) + by);
      let lost = 0;
      const lineUp = async (ids: readonly string[]): Promise<void> => {
        const [back, ...found] = await list("inbox-line-up", ids);
        lost += Number(back);
        for (let at = 0; at + 2 < found.length; at += 3) {
          const [field = "", bytes, feed] = found.slice(at, at + 3);
          count(field, Number(bytes));
          if (feed) count(`parked|${feed}`, 1);
        }
      };
      let page: string[] = [];
      for await (const [id] of scanHash(redis, keys.inbox)) {
        page.push(id);
        if (page.length < ENTRIES_PER_STEP) continue;
        await lineUp(page);
        page = [];
      }
      await lineUp(page);
      const wrong = [...counted].filter(([field, is]) => Number(before[field] ?? 0) !== is);
      const args = wrong.flatMap(([field, is]) => [field, Number(before[field] ?? 0), is]);
      return { lost, miscounted: Number(await scripts.run("inbox-recount", own, args)) };
    },
  };
}

/** `+` and an arrival, or `-` and a time. */
function added(text: string, at: string): AddedEntry {
  const is = Number(text.slice(1));
  return text.startsWith("+") ? { is: "added", arrival: is, arrivedAt: Number(at) } : { is: "repeated", arrivedAt: is };
}

/** Of a list of id, document and body. */
function entriesOf(found: readonly string[]): readonly FoundEntry[] {
  const entries: FoundEntry[] = [];
  for (let at = 0; at + 2 < found.length; at += 3) {
    const [id = "", text = "", body = ""] = found.slice(at, at + 3);
    // The script has looked at its form.
    const entry = soundDocument(entryDocument, text);
    if (entry === undefined) continue;
    const { feed, arrival, arrivedAt, parked, notBefore } = entry;
    const isParked = parked && { reason: parked.reason, parkedAt: parked.at };
    entries.push(defined({ id, feed, arrival: Number(arrival), arrivedAt, body, parked: isParked, notBefore }));
  }
  return entries;
}

function includes({ feed, reason, since = 0, until = Infinity }: ParkedFilter, entry: ParkedEntry): boolean {
  return (
    (feed === undefined || entry.feed === feed) &&
    (reason === undefined || entry.reason === reason) &&
    entry.arrivedAt >= since &&
    entry.arrivedAt < until
  );
}
