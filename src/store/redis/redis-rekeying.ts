import { Cluster } from "ioredis";
import { z } from "zod";
import { dueAt, gatesIn } from "../../core/mailbox.ts";
import { exceptionsDocument, letterDocument, mailboxDocument, soundDocument } from "../documents.ts";
import { STOWED, type Move, type Named, type Rekeying, type Stowed } from "../rekeying.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { inboxKeys } from "./redis-inbox.ts";
import type { Scripts } from "./scripts.ts";

/** A member of a sorted set that comes with a text, or goes with it where it has no score. */
interface Member {
  readonly set: string;
  readonly member: string;
  readonly score?: number;
}

const poolForm = z.object({ pool: z.string() });

/** The port to what is named by the keys of a namespace. */
export function createRedisRekeying(redis: RedisClient, keys: Keys, scripts: Scripts): Rekeying {
  const { stowed } = keys;
  const stowedKey = ({ kind, of }: Stowed): string => (kind === "links" ? stowed.links(of) : stowed[kind]);

  /** Where texts come from, and where they go. */
  function hashesOf(shelf: Stowed | Named): readonly [from: string, to: string] {
    switch (shelf.kind) {
      case "mailboxes":
        return [keys.mailboxes, keys.mailboxes];
      case "letters":
        return [keys.letters, keys.letters];
      case "events":
        return [keys.inboxBodies, keys.inboxBodies];
      case "before images":
        return [keys.beforeImages(shelf.of), keys.beforeImages(shelf.of)];
      case "ledgers":
        return [stowed.ledgers, keys.ledger];
      case "exceptions":
        return [stowed.exceptions, keys.exceptions];
      case "links":
        return [stowed.links(shelf.of), keys.links(shelf.of)];
    }
  }

  function membersOf({ kind }: Stowed | Named, { from, to: { name, text } }: Move, nowMs: number): Member[] {
    switch (kind) {
      case "mailboxes": {
        const mailbox = soundDocument(mailboxDocument, text);
        const set = keys.due(mailbox?.pool ?? soundDocument(poolForm, text)?.pool ?? "");
        // One that is damaged is due: whoever claims it says what is wrong.
        const at = mailbox === undefined ? nowMs : dueAt(mailbox);
        const kept = [...gatesIn(mailbox)].flatMap((gate) => [
          { set: keys.kept, member: `${gate}\0${from}` },
          { set: keys.kept, member: `${gate}\0${name}`, score: 0 },
        ]);
        const due = at < Infinity ? [{ set, member: name, score: Math.ceil(at) || nowMs }] : [];
        return [{ set, member: from }, ...due, ...kept];
      }
      case "letters": {
        const { buriedAt = nowMs } = soundDocument(letterDocument, text) ?? {};
        return [
          { set: keys.letterTimes, member: from },
          { set: keys.letterTimes, member: name, score: buriedAt },
        ];
      }
      case "exceptions": {
        const noted = Object.values(soundDocument(exceptionsDocument, text) ?? {});
        return [{ set: keys.exceptionTimes, member: name, score: Math.max(0, ...noted.map(({ at }) => at)) }];
      }
      default:
        return [];
    }
  }

  const poolsOf = (): Promise<readonly string[]> => redis.hkeys(keys.targets);

  /** What ends by itself, and what is kept of runs that are known no more. */
  async function dropPassing(): Promise<void> {
    const known = new Set((await redis.hkeys(keys.runs)).map((run) => keys.beforeImages(run)));
    const prefixes = Object.values(keys.passing);
    for (const node of redis instanceof Cluster ? redis.nodes("master") : [redis]) {
      for (const prefix of prefixes) {
        for await (const found of node.scanStream({ match: `${prefix}*`, count: 1000 })) {
          for (const key of Array.isArray(found) ? found.map(String) : []) {
            if (!known.has(key)) await scripts.run("command", [key], ["UNLINK"]);
          }
        }
      }
    }
  }

  return {
    async begin() {
      const pools = await poolsOf();
      const pairs = [keys.ledger, stowed.ledgers, keys.exceptions, stowed.exceptions];
      pairs.push(...pools.flatMap((pool) => [keys.links(pool), stowed.links(pool)]));
      await scripts.run("rekey-begin", [keys.memory, keys.exceptionTimes, keys.inboxSeen, ...pairs], [STOWED]);
      await dropPassing();
    },

    async find(shelf, names) {
      const texts = names.length === 0 ? [] : await redis.hmget(stowedKey(shelf), ...names);
      return names.flatMap((name, index) => {
        const text = texts[index];
        return typeof text === "string" ? [{ name, text }] : [];
      });
    },

    async move(shelf, moves) {
      if (moves.length === 0) return;
      if (shelf.kind === "events") {
        const renamed = moves.flatMap(({ from, to: { name, text } }) => [from, name, text]);
        await scripts.run("inbox-rename", inboxKeys(keys), renamed);
        return;
      }
      const nowMs = Number(await scripts.run("now", [], []));
      const members = moves.map((move) => membersOf(shelf, move, nowMs));
      const sets = [...new Set(members.flat().map(({ set }) => set))];
      const args = moves.flatMap(({ from, to: { name, text } }, index) => [
        from,
        name,
        text,
        JSON.stringify(
          (members[index] ?? []).map(({ set, member, score = "" }) => [sets.indexOf(set) + 1, member, String(score)]),
        ),
      ]);
      await scripts.run("rekey-move", [...hashesOf(shelf), ...sets], args);
    },

    async left() {
      const links = await Promise.all((await poolsOf()).map((pool) => redis.hlen(stowed.links(pool))));
      return {
        ledgers: await redis.hlen(stowed.ledgers),
        exceptions: await redis.hlen(stowed.exceptions),
        links: links.reduce((sum, count) => sum + count, 0),
      };
    },

    async end() {
      const links = (await poolsOf()).map((pool) => stowed.links(pool));
      for (const key of [stowed.ledgers, stowed.exceptions, ...links]) await scripts.run("command", [key], ["UNLINK"]);
    },
  };
}
