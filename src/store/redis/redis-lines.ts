/**
 * Brings back what is in no line. Users and letters are found by sorted sets beside their documents; where one lost a
 * member, nobody would look at that user or letter again.
 */
import { dueAt, gatesIn } from "../../core/mailbox.ts";
import { letterDocument, mailboxDocument, soundDocument } from "../documents.ts";
import type { Mailboxes } from "../mailboxes.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { KnownPools } from "./known-pools.ts";
import { scanHash } from "./scan-hash.ts";
import type { Scripts } from "./scripts.ts";

const PAGE = 200;

/** A member that a sorted set should have. */
interface Place {
  readonly set: string;
  readonly member: string;
}

interface Placed {
  readonly name: string;
  readonly text: string;
  /** All of them should be there. */
  readonly places: readonly Place[];
  /** Where one is not: what is added. */
  readonly back: Place & { readonly score: number };
}

export function createLineUp(redis: RedisClient, keys: Keys, scripts: Scripts, pools: KnownPools): Mailboxes["lineUp"] {
  function placedUser(user: string, text: string, now: number): Placed[] {
    const mailbox = soundDocument(mailboxDocument, text);
    if (mailbox === undefined) return [];
    const due = { set: keys.due(mailbox.pool), member: user };
    const kept = Array.from(gatesIn(mailbox), (gate): Place => ({ set: keys.kept, member: `${gate}\0${user}` }));
    const isDue = dueAt(mailbox) < Infinity;
    if (isDue) pools.add(mailbox.pool);
    // Whoever is due is brought to where the gates stand by whoever claims.
    return isDue || kept.length > 0
      ? [{ name: user, text, places: [...(isDue ? [due] : []), ...kept], back: { ...due, score: now } }]
      : [];
  }

  function placedLetter(id: string, text: string): Placed[] {
    const letter = soundDocument(letterDocument, text);
    if (letter === undefined) return [];
    const place = { set: keys.letterTimes, member: id };
    return [{ name: id, text, places: [place], back: { ...place, score: letter.buriedAt } }];
  }

  /** Answers how many were brought back. One that moved on meanwhile is where it should be. */
  async function bringBack(hash: string, placed: readonly Placed[]): Promise<number> {
    const reads = redis.pipeline();
    for (const { places } of placed) for (const { set, member } of places) reads.zscore(set, member);
    const scores = (await reads.exec()) ?? [];
    let [at, back] = [0, 0];
    for (const { name, text, places, back: to } of placed) {
      const isLost = scores.slice(at, at + places.length).some(([, score]) => score === null);
      at += places.length;
      if (isLost) back += Number(await scripts.run("line-up", [hash, to.set], [name, text, to.member, to.score]));
    }
    return back;
  }

  async function walk(hash: string, placed: (name: string, text: string) => readonly Placed[]): Promise<number> {
    let page: Placed[] = [];
    let back = 0;
    for await (const [name, text] of scanHash(redis, hash)) {
      page.push(...placed(name, text));
      if (page.length < PAGE) continue;
      back += await bringBack(hash, page);
      page = [];
    }
    return back + (await bringBack(hash, page));
  }

  return async () => {
    const now = Number(await scripts.run("now", [], []));
    return {
      users: await walk(keys.mailboxes, (user, text) => placedUser(user, text, now)),
      letters: await walk(keys.letters, placedLetter),
    };
  };
}
