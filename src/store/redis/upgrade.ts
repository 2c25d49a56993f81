/**
 * Brings a namespace from format 1 to format 2, in pages, whichever process comes first; several that start at once
 * share the work, and one that is killed leaves the rest to the next. To format 3 it comes when it is opened
 * (lua/open-namespace.lua).
 *
 * The keys of format 1 are renamed in one step, with a text left in the place of each: processes of versions that look at
 * no format may still run, and fail from then on instead of writing. Later formats need none of this, because every
 * script looks at the format (lua/fence.lua).
 */
import { runGate } from "../../core/gate.ts";
import { upgradedMailbox, upgradedRun } from "../format-1.ts";
import type { RedisClient } from "./connection.ts";
import { FORMER } from "./format.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

const LEFT = "1";
/** Stands in the place of the format meanwhile. */
const UNDER_WAY = "1-to-2";
const IN_PLACE = "taken over by a newer version of poolsync: stop this process and start that version";
const PAGE = 200;

/** True where the namespace is of format 1, or somebody has begun to bring it to format 2. */
export async function wantsUpgrade(redis: RedisClient, keys: Keys): Promise<boolean> {
  const stored = await redis.hget(keys.memory, "format");
  return stored === LEFT || stored === UNDER_WAY;
}

/** Does nothing where the namespace has another format than 1, or none. */
export async function upgrade(redis: RedisClient, keys: Keys, scripts: Scripts): Promise<void> {
  if (!(await wantsUpgrade(redis, keys))) return;
  await renameKeys(keys, scripts);
  const { mailboxes, runs } = keys.left;
  do {
    await moveDocuments(redis, scripts, [runs, keys.runs, keys.gates], (id, text) => {
      const { text: upgraded, gate } = upgradedRun(text);
      return gate === undefined ? [upgraded, "", ""] : [upgraded, runGate(id), gate];
    });
    await moveDocuments(redis, scripts, [mailboxes, keys.mailboxes, keys.gates], (_user, text) => [
      upgradedMailbox(text),
      "",
      "",
    ]);
  } while ((await scripts.run("upgrade-end", [keys.memory, mailboxes, runs], [UNDER_WAY, FORMER])) !== 1);
}

/** The script says which pools there are: an older process may add one until its keys are taken away. */
async function renameKeys(keys: Keys, scripts: Scripts): Promise<void> {
  const { mailboxes, runs } = keys.left;
  const whole = [keys.ledger, keys.books, keys.runIndex, keys.identities, keys.cursors, keys.letters];
  const counted = [keys.letterTimes, keys.pools, keys.arrivals, keys.holds];
  for (let pools: readonly string[] = []; ;) {
    const renamed = [mailboxes, runs, ...whole, ...counted, ...pools.map((pool) => keys.due(pool))];
    const own = [keys.memory, keys.targets, keys.formerly(keys.pools)];
    own.push(...renamed.flatMap((key) => [keys.formerly(key), key]));
    const reply = await scripts.run("upgrade-begin", own, [LEFT, UNDER_WAY, IN_PLACE, ...pools]);
    if (!Array.isArray(reply)) return;
    pools = reply.map(String);
  }
}

/**
 * Moves what a walk through the hash finds. A field is answered as its text, its gate and the gate's document. What is no
 * text in UTF-8 moves as its bytes.
 */
async function moveDocuments(
  redis: RedisClient,
  scripts: Scripts,
  own: readonly [from: string, to: string, gates: string],
  upgraded: (field: string, text: string) => readonly [text: string, gate: string, closed: string],
): Promise<void> {
  let cursor = "0";
  do {
    const [next, found] = await redis.hscanBuffer(own[0], cursor, "COUNT", PAGE);
    cursor = next.toString();
    const args: (string | Buffer)[] = [];
    for (let n = 0; n + 1 < found.length; n += 2) {
      const [field = EMPTY, document = EMPTY] = [found[n], found[n + 1]];
      const text = document.toString();
      const [changed, gate, closed] = upgraded(field.toString(), text);
      args.push(field, changed === text ? document : changed, gate, closed);
    }
    if (args.length > 0) await scripts.run("upgrade-documents", own, args);
  } while (cursor !== "0");
}

const EMPTY = Buffer.alloc(0);
