/**
 * What says by a digest alone whose it is gets its new name as a pool's users are listed: ledgers, exceptions and links, and
 * those of whom a letter or a replay says no more than the former key.
 */
import { accountOf } from "../cognito/listed-user.ts";
import { canonicalAlias, isAliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { canonicalUsername } from "../core/pool-schema.ts";
import type { Pool } from "../delivery/pool.ts";
import { imageOfSeen } from "../plan/images-anew.ts";
import type { Engine } from "../queues/engine.ts";
import { REPLAY_QUEUE, type ReplayOrder } from "../queues/replay-orders.ts";
import type { KeptText, Shelf } from "../store/kept-texts.ts";
import { ledgerAnew, linkAnew, usersOfLetter, type KeyChange } from "../store/new-names.ts";
import type { Move } from "../store/rekeying.ts";
import { openUsername } from "../store/sealed-unit.ts";
import type { Store } from "../store/store.ts";
export interface Rekey {
  readonly engine: Engine;
  readonly change: KeyChange;
  readonly pools: readonly Pool[];
  /** What came back. */
  readonly made: { ledgers: number; exceptions: number; links: number };
  readonly signal: AbortSignal;
}

export async function* everyText({ texts }: Store, shelf: Shelf): AsyncGenerator<KeptText> {
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const { found, next } = await texts.page(shelf, cursor);
    yield* found;
    cursor = next;
  }
}

export const replayOrders = (queues: Engine["queues"]) => queues.queue<ReplayOrder>(REPLAY_QUEUE).getJobs();

/** Former keys of users that stand elsewhere than where their user is named, with the new ones as they are found. */
export async function wantedUsers({ engine: { store, queues }, change }: Rekey): Promise<Map<string, string>> {
  const wanted = new Map<string, string>();
  for (const { data } of await replayOrders(queues)) if (data.user !== undefined) wanted.set(data.user, "");
  for await (const kept of everyText(store, { kind: "letters", of: "" })) {
    const letter = usersOfLetter(kept);
    if (letter === undefined) continue;
    const { pool, user, owner } = letter;
    if (owner !== undefined) wanted.set(owner, wanted.get(owner) ?? "");
    // The pool may not have them any more.
    const username = wanted.has(user) ? openUsername(change.from, letter, letter.username) : undefined;
    if (username !== undefined) wanted.set(user, change.to.userKey(pool, username));
  }
  return wanted;
}

/** The users of a pool come back to what was stowed of them. */
export async function scan(
  rekey: Rekey,
  pool: Pool,
  images: ReadonlyMap<string, ReadonlySet<string>>,
  wanted: Map<string, string>,
): Promise<void> {
  const { engine, change, made, signal } = rekey;
  const { rekeying } = engine.store;
  const { profile } = pool;
  const links = { kind: "links", of: profile.id } as const;
  for await (const { users } of pool.scan(signal, change.to)) {
    const listed = new Map<string, Seen>();
    const aliases = new Map<string, string>();
    for (const user of users) {
      const username = canonicalUsername(profile, user.username);
      const former = change.from.userKey(profile.id, username);
      const key = change.to.userKey(profile.id, username);
      listed.set(former, { user, key });
      if (wanted.has(former)) wanted.set(former, key);
      for (const [attribute, value] of user.attributes) {
        if (!isAliasAttribute(attribute) || value === "") continue;
        const named = [profile.id, attribute, canonicalAlias(profile, { attribute, value })] as const;
        aliases.set(change.from.linkDigest(...named), change.to.linkDigest(...named));
      }
    }
    const names = [...listed.keys()];
    made.ledgers += await comeBack(rekeying, { kind: "ledgers", of: "" }, names, ({ name, text }) => {
      const { user, key } = seen(listed, name);
      const ledger = ledgerAnew(change, profile.id, accountOf(user), text);
      return ledger === undefined ? undefined : { name: key, text: ledger };
    });
    made.exceptions += await comeBack(rekeying, { kind: "exceptions", of: "" }, names, ({ name, text }) => ({
      name: seen(listed, name).key,
      text,
    }));
    made.links += await comeBack(rekeying, links, [...aliases.keys()], (link) =>
      linkAnew(change, profile.id, link, aliases.get(link.name) ?? ""),
    );
    for (const [run, units] of images) await seeImages(rekey, run, units, [...listed.values()]);
  }
}

interface Seen {
  readonly user: ListedUser;
  /** The new one. */
  readonly key: string;
}

function seen(listed: ReadonlyMap<string, Seen>, former: string): Seen {
  const found = listed.get(former);
  if (found === undefined) throw new Error("Expected only what was asked for");
  return found;
}

async function comeBack(
  rekeying: Store["rekeying"],
  shelf: Parameters<Store["rekeying"]["find"]>[0],
  names: readonly string[],
  anew: (kept: KeptText) => KeptText | undefined,
): Promise<number> {
  const moves = (await rekeying.find(shelf, names)).flatMap((kept): Move[] => {
    const to = anew(kept);
    return to === undefined ? [] : [{ from: kept.name, to }];
  });
  if (moves.length > 0) await rekeying.move(shelf, moves);
  return moves.length;
}

/** What was there before a run can be put back where the pool shows what the run left. */
async function seeImages(
  { engine, change }: Rekey,
  run: string,
  units: ReadonlySet<string>,
  listed: readonly Seen[],
): Promise<void> {
  const shelf = { kind: "before images", of: run } as const;
  const { texts } = engine.store;
  await Promise.all(
    listed.flatMap(({ user, key }) =>
      Array.from(units, async (unit) => {
        const name = `${key} ${unit}`;
        const text = await texts.read(shelf, name);
        const to = text === undefined ? undefined : imageOfSeen(change, run, { name, text }, user);
        if (text !== undefined && to !== undefined) await texts.replace(shelf, { name, text }, to);
      }),
    ),
  );
}
