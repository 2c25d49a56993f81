import { randomUUID } from "node:crypto";
import { defined } from "../../core/defined.ts";
import { isBehind, openUnits, type Ledger, type Units } from "../../core/mailbox.ts";
import type { Settlement, Settlements } from "../../core/settlement.ts";
import { contactOf } from "../../core/unit.ts";
import type { OwnRead } from "../fence.ts";
import type { Mailboxes, Selection } from "../mailboxes.ts";
import { runCancelled, runEnded, runLost } from "../store-error.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";
import { ledgerDocument, letterDocument, mailboxDocument } from "../documents.ts";
import {
  claimReply,
  parseReply,
  putReply,
  releaseReply,
  replayReply,
  settleReply,
  sortOutReply,
  sweepReply,
} from "./replies.ts";
import { withFaults } from "./redis-error.ts";
import { inboxKeys } from "./redis-inbox.ts";
import { mailboxKeys, type Shelf } from "./shelf.ts";
import type { KnownPools } from "./known-pools.ts";
import type { MetRuns } from "./met-runs.ts";
import { createBatcher } from "../batcher.ts";
import { createLineUp } from "./redis-lines.ts";
import { scanHash } from "./scan-hash.ts";

/** More letters than this are replayed in several steps, so that no script holds the server up for long. */
export const LETTERS_PER_STEP = 200;

/** More claims and settles than this go in several trips, so that no script holds the server up for long. */
const STEPS_PER_TRIP = 50;

/** The whole answer of a step that needs the due set of a pool which this process has not met. */
const MISSING_POOL_KEY = /^\{"missing_pool_key":"([^"\\]+)"\}$/;

/** A claim, or a settle where there are settlements. */
interface Step {
  readonly user: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly settlements?: SettlementList;
  /** What is meant; blank for everything. */
  readonly selection: string;
}

type SettlementList = readonly (Settlement & { readonly name: string })[];

/** What is in mailboxes and letters: of runs, and how many letters a pool has. */
export interface Counted {
  readonly runs: ReadonlyMap<string, { readonly pending: number; readonly dead: number }>;
  readonly letters: ReadonlyMap<string, number>;
}

/** Every mailbox and every letter that is sound. */
function createWalk(redis: RedisClient, keys: Keys, shelf: Shelf) {
  return {
    async *mailboxes(include: (text: string) => boolean = () => true) {
      for await (const [field, text] of scanHash(redis, keys.mailboxes)) {
        if (!include(text)) continue;
        const place = { kind: "mailbox", key: keys.mailboxes, field } as const;
        const mailbox = await shelf.sound(mailboxDocument, place, text);
        if (mailbox !== undefined) yield mailbox;
      }
    },
    async *letters(include: (text: string) => boolean = () => true) {
      for await (const [field, text] of scanHash(redis, keys.letters)) {
        if (!include(text)) continue;
        const place = { kind: "letter", key: keys.letters, field } as const;
        const letter = await shelf.sound(letterDocument, place, text, ({ id }) => id === field);
        if (letter !== undefined) yield letter;
      }
    },
  };
}

/** Counts, by walking every mailbox and every letter. */
export async function countEverything(redis: RedisClient, keys: Keys, shelf: Shelf): Promise<Counted> {
  const runs = new Map<string, { pending: number; dead: number }>();
  const letters = new Map<string, number>();
  const of = (run: string) => {
    const count = runs.get(run) ?? { pending: 0, dead: 0 };
    runs.set(run, count);
    return count;
  };
  const walk = createWalk(redis, keys, shelf);
  for await (const { pending, claim } of walk.mailboxes()) {
    for (const { run } of Object.values(pending)) of(run).pending += 1;
    for (const { run } of Object.values(claim?.units ?? {})) of(run).pending += 1;
  }
  for await (const { run, pool } of walk.letters()) {
    of(run).dead += 1;
    letters.set(pool, (letters.get(pool) ?? 0) + 1);
  }
  return { runs, letters };
}

/** The port to mailboxes: as long as it has methods, of which each is one script. */
export function createRedisMailboxes(
  redis: RedisClient,
  keys: Keys,
  scripts: Scripts,
  pools: KnownPools,
  metRuns: MetRuns,
  shelf: Shelf,
  ownRead: OwnRead,
): Mailboxes {
  /** The pool of a user stands in their documents only, and the keys of all due sets that are touched are declared. */
  const keysOfAllPools = (token: string) => [
    ...mailboxKeys(keys, token),
    ...[...pools.names].map((pool) => keys.due(pool)),
  ];

  const inBatches = createBatcher<Step, string>({
    maxSize: STEPS_PER_TRIP,
    keyOf: ({ user }) => user,
    async send(steps) {
      const mayBury = steps.some(({ settlements }) => settlements?.some(({ is }) => is === "bury"));
      const args = steps.flatMap(({ user, token, leaseMs, settlements, selection }) => [
        user,
        token,
        leaseMs,
        settlements ? JSON.stringify(settlements) : "",
        selection,
      ]);
      const replies = await scripts.run("claim-and-settle", keysOfAllPools(randomUUID()), [mayBury ? 1 : 0, ...args]);
      if (!Array.isArray(replies)) throw new TypeError("Expected the script claim-and-settle to answer a list");
      return replies.map((reply) => (reply instanceof Error ? reply : String(reply)));
    },
  });

  /** Asks again where the answer is that the key of a pool is missing. */
  async function inPool(ask: () => Promise<string>): Promise<string> {
    for (;;) {
      const reply = await ask();
      const pool = MISSING_POOL_KEY.exec(reply)?.[1];
      if (pool === undefined) return reply;
      pools.add(pool);
    }
  }

  return {
    /**
     * ioredis sends again what was not answered when the connection was lost. The answer of the first time is kept for
     * five minutes and given again, so a page without a cursor is not put twice. After a longer outage a page with a
     * cursor is refused with the cursor at its `to`: the caller takes that for "it was put", and goes on.
     */
    async put(page) {
      pools.add(page.pool);
      const { read, faulty } = page.rows;
      const args = [page.pool, page.run, page.priority, page.invalid, read, faulty, JSON.stringify(page.changes)];
      args.push(page.entries ? JSON.stringify(page.entries) : "");
      if (page.cursor) args.push(page.cursor.from, page.cursor.to);
      const own = [keys.arrivals, keys.cursors, keys.due(page.pool), ...inboxKeys(keys)];
      const reply = await scripts.run("put", [...mailboxKeys(keys, randomUUID()), ...own], args);
      if (reply === "") throw runLost(page.run);
      if (reply === "cancelled") throw runCancelled(page.run);
      if (reply === "ended") throw runEnded(page.run);
      return parseReply(putReply, reply, "the answer to a put");
    },

    async claim(user, token, leaseMs, selection) {
      const step = { user, token, leaseMs, selection: textOf(selection) };
      const reply = await inPool(() => inBatches(step));
      const answer = parseReply(claimReply, reply, "the answer to a claim");
      if (answer.is !== "claimed") return answer;
      for (const { run } of Object.values(answer.units)) metRuns.add(run);
      return { ...answer, units: inOrder(answer.units) };
    },

    async settle(user, token, settlements, leaseMs, runs) {
      const selection = textOf(runs && { runs });
      const step = { user, token, leaseMs, settlements: listOf(settlements), selection };
      const reply = await inPool(() => inBatches(step));
      return parseReply(settleReply, reply, "the answer to a settle");
    },

    async sweep(pool, { holder, leaseMs, offset, limit }) {
      const reply = await scripts.run(
        "sweep",
        [keys.sweep(pool), keys.due(pool), keys.mailboxes, keys.runs],
        [holder, leaseMs, offset, limit],
      );
      return parseReply(sweepReply, reply, "the answer to a sweep").due;
    },

    dueCount: (pool) => redis.zcard(keys.due(pool)),

    async sortOut(whose, { offset, limit }) {
      if ("pool" in whose) pools.add(whose.pool);
      const args = ["pool" in whose ? "pool" : "gate", "pool" in whose ? whose.pool : whose.gate, offset, limit];
      const token = randomUUID();
      const reply = await inPool(async () => String(await scripts.run("sort-out", keysOfAllPools(token), args)));
      return parseReply(sortOutReply, reply, "the answer to a sorting out");
    },

    async release(gate, limit) {
      const token = randomUUID();
      const reply = await inPool(async () =>
        String(await scripts.run("release", keysOfAllPools(token), [gate, limit])),
      );
      return parseReply(releaseReply, reply, "the answer to a release").due;
    },

    async read(user) {
      const answers = await ownRead(() =>
        withFaults(redis.multi()).hget(keys.mailboxes, user).hget(keys.ledger, user).exec(),
      );
      const [mailbox, ledger] = (answers ?? []).map(([error, value]) => {
        if (error) throw error;
        return typeof value === "string" ? value : null;
      });
      const field = user;
      return defined({
        mailbox: await shelf.sound(mailboxDocument, { kind: "mailbox", key: keys.mailboxes, field }, mailbox),
        ledger: (await shelf.sound(ledgerDocument, { kind: "ledger", key: keys.ledger, field }, ledger)) ?? {},
      });
    },

    async ledgers(users) {
      const texts = users.length === 0 ? [] : await ownRead(() => redis.hmget(keys.ledger, ...users));
      const ledgers = new Map<string, Ledger>();
      for (const [index, field] of users.entries()) {
        const place = { kind: "ledger", key: keys.ledger, field } as const;
        const ledger = await shelf.sound(ledgerDocument, place, texts[index]);
        if (ledger !== undefined) ledgers.set(field, ledger);
      }
      return ledgers;
    },

    async replay(letters, priority) {
      const due = [];
      for (let from = 0; from < letters.length; from += LETTERS_PER_STEP) {
        const step = letters.slice(from, from + LETTERS_PER_STEP);
        const token = randomUUID();
        const reply = await inPool(async () =>
          String(await scripts.run("replay", keysOfAllPools(token), [JSON.stringify(step), priority])),
        );
        due.push(...parseReply(replayReply, reply, "the answer to a replay").due);
      }
      return due;
    },

    async isBehind(run) {
      const walk = createWalk(redis, keys, shelf);
      const include = (text: string): boolean => text.includes(run);
      for await (const mailbox of walk.mailboxes(include)) if (isBehind(openUnits(mailbox), run)) return true;
      for await (const letter of walk.letters(include)) if (isBehind([letter], run)) return true;
      return false;
    },

    recount: async () => (await countEverything(redis, keys, shelf)).runs,

    lineUp: createLineUp(redis, keys, scripts, pools),
  };
}

function textOf(selection: Selection | undefined): string {
  return selection === undefined || selection.runs === undefined ? "" : JSON.stringify(selection);
}

/**
 * Lua has no order. Flags come last, as in core/mailbox.ts: a worker that settles in this order blanks what a flag has
 * touched.
 */
function inOrder(units: Units): Units {
  const rank = (name: string) => (contactOf(name) === undefined ? 0 : 1);
  const entries = Object.entries(units).toSorted(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

/**
 * Settlements as the script reads them: in their order, in whole milliseconds, and with a reason that has no half of a
 * surrogate pair, which its JSON reader refuses.
 */
function listOf(settlements: Settlements): SettlementList {
  return Object.entries(settlements).map(([name, settlement]) => {
    if (settlement.is === "bury") return { name, ...settlement, reason: settlement.reason.toWellFormed() };
    if (settlement.is === "retry") return { name, ...settlement, at: Math.max(0, Math.ceil(settlement.at)) };
    return { name, ...settlement };
  });
}
