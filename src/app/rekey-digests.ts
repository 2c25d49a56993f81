/**
 * After a leak: a namespace gets new keys, and everything that the former ones have named or sealed is named and sealed
 * anew. One process does it, and nobody works beside: the record of the keys says that it is under way, so none opens the
 * namespace, and the epoch is raised, so those that had it open end. Cut at any moment and begun again it goes on: what
 * was brought over opens under the new keys, and what was not opens under the former.
 */
import { ConfigError } from "../config/config-error.ts";
import { choosePool, type PoolFlags } from "../config/config.ts";
import { LETTER_KINDS } from "../core/failure.ts";
import { quoted } from "../core/quoted.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import type { Pool } from "../delivery/pool.ts";
import { withScope, type Scope } from "../lifecycle.ts";
import { imageAnew, unitOf } from "../plan/images-anew.ts";
import { isReport } from "./runs/kept-report.ts";
import { deadLetterQueue, republishLetters } from "../queues/dead-letters.ts";
import type { Engine } from "../queues/engine.ts";
import { LANES, wakeUpQueue } from "../queues/wake-ups.ts";
import type { KeptText, Shelf } from "../store/kept-texts.ts";
import { nameRunsAnew, noteAnew } from "../store/content-names.ts";
import { createKeyring, type Keyring } from "../store/keyring.ts";
import {
  makeNewKeys,
  openKeysToReplace,
  takeNewKeys,
  type OpenedKeys,
  type WrappingKeys,
} from "../store/namespace-keys.ts";
import { eventAnew, letterAnew, mailboxAnew, type Anew } from "../store/new-names.ts";
import { STOWED, type Move, type Named } from "../store/rekeying.ts";
import { SEALING_NOTE } from "../store/sealing.ts";
import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import { AppError } from "./app-error.ts";
import { openChosenPool, openClients, type Opened } from "./opening.ts";
import { neverUsed } from "./rekey.ts";
import { everyText, replayOrders, scan, wantedUsers, type Rekey } from "./rekeyed-users.ts";

export interface NewKeysRequest extends PoolFlags {
  /** Pools that are no more: what is known of their users by a digest alone is dropped. */
  readonly withoutPools: readonly string[];
}

/** What was brought over, in this call. */
export interface NewKeysMade {
  /** Goes on with one that was cut. */
  readonly resumed: boolean;
  /** False where the new keys lie in the store in clear. */
  readonly wrapped: boolean;
  /**
   * True where they are wrapped by the very POOLSYNC_KEY that wrapped the former ones. It is no failure: what
   * leaked may be a copy from before, in which they lay in clear, and only whoever asks knows.
   */
  readonly sameKey: boolean;
  mailboxes: number;
  letters: number;
  /** Values of runs that can be put back. */
  beforeImages: number;
  ledgers: number;
  exceptions: number;
  links: number;
  /** Of the inbox. */
  events: number;
  /** Whose user is in none of the pools. */
  dropped: { readonly ledgers: number; readonly exceptions: number; readonly links: number };
  /** Runs whose plan waited for an approval, or was approved and not carried out to its end. */
  plans: number;
  /** Documents that could not be read, and stay as they are. */
  damaged: number;
}

interface Rekeying extends Rekey {
  readonly made: NewKeysMade;
}

/** Throws an AppError `no-keys` where nobody has used the namespace yet, and where a pool cannot be read. */
export async function makeKeysAnew(
  opened: Opened,
  { withoutPools, ...flags }: NewKeysRequest,
  signal: AbortSignal,
): Promise<NewKeysMade> {
  return withScope(async (scope) => {
    const { engine, pools } = await openToRekey(opened, { withoutPools, flags, scope, signal });
    return replaceKeys(engine, { pools, wrapping: opened.config, signal });
  });
}

interface OpeningDeps extends Pick<NewKeysRequest, "withoutPools"> {
  readonly flags: PoolFlags;
  readonly scope: Scope;
  readonly signal: AbortSignal;
}

/** The engine with the former keys, and every pool that the namespace knows: of one that cannot be read nothing would be found. */
export async function openToRekey(
  opened: Opened,
  deps: OpeningDeps,
): Promise<{ readonly engine: Engine; readonly pools: readonly Pool[] }> {
  const { config, log, say } = opened;
  const openKeyring = async (store: Store): Promise<Keyring> => {
    const former = await openKeysToReplace(store, config);
    if (former !== undefined) return keyringOf(store, former);
    throw new AppError("no-keys", neverUsed(config, "rekey", "--digests"));
  };
  const { openEngineWith } = await import("../queues/engine.ts");
  const engine = await openEngineWith({ ...config, log, ...(say && { say }) }, openKeyring);
  deps.scope.defer(engine, (open) => open.close());
  return { engine, pools: await openPools(opened, engine, deps) };
}

export interface Replacing {
  readonly pools: readonly Pool[];
  readonly wrapping: WrappingKeys;
  readonly signal: AbortSignal;
}

/** Where this was begun before, and cut, it goes on. */
export async function replaceKeys(engine: Engine, { pools, wrapping, signal }: Replacing): Promise<NewKeysMade> {
  const { store } = engine;
  const { former, keys, isBegun } = await makeNewKeys(store, wrapping);
  const wrapped = wrapping.key !== undefined;
  const to = createKeyring({ identity: store.identity, keys, encrypts: wrapped, isSealed: () => true });
  const dropped = { ledgers: 0, exceptions: 0, links: 0 };
  const kept = { mailboxes: 0, letters: 0, beforeImages: 0, ledgers: 0, exceptions: 0, links: 0, events: 0 };
  const sameKey = former.wrappedBy === "key";
  const made = { resumed: isBegun, wrapped, sameKey, ...kept, dropped, plans: 0, damaged: 0 };
  await store.raiseEpoch({ isWhole: true });
  try {
    await bringOver({ engine, change: { from: keyringOf(store, former), to }, pools, made, signal });
  } catch (error) {
    if (store.lost.aborted || !(error instanceof Error)) throw error;
    const [kind, category] = signal.aborted
      ? (["interrupted", "interrupted"] as const)
      : (["rekeying", "failed"] as const);
    const why = signal.aborted ? "Interrupted." : error.message;
    throw new AppError(
      kind,
      sentence`${why} Not everything has its new name yet: nothing is lost, and nothing else is done in this namespace until you give ${nextStep("rekey", "--digests")} again, which goes on.`,
      { cause: error, category },
    );
  }
  await takeNewKeys(store, [STOWED]);
  return made;
}

function keyringOf({ identity }: Store, { keys, wrappedBy }: OpenedKeys): Keyring {
  return createKeyring({ identity, keys, encrypts: wrappedBy !== "none", isSealed: () => keys.sealed });
}

async function openPools(
  opened: Opened,
  engine: Engine,
  { withoutPools, flags, scope, signal }: OpeningDeps,
): Promise<readonly Pool[]> {
  const { config } = opened;
  const clients = await openClients(config, scope);
  const pools: Pool[] = [];
  const known = await knownPools(engine.store);
  const unknown = withoutPools.find((id) => !known.includes(id));
  if (unknown !== undefined) {
    const message = `Expected a pool that this namespace knows (${known.join(", ")}), got ${quoted(unknown)}`;
    throw new ConfigError([{ path: "--without-pool", message }]);
  }
  for (const id of known) {
    if (withoutPools.includes(id)) continue;
    const { concurrency } = config;
    try {
      pools.push(
        await openChosenPool({ ...opened, engine, scope, clients, concurrency, signal }, choosePool(config, id, flags)),
      );
    } catch (cause) {
      if (signal.aborted || !(cause instanceof Error)) throw cause;
      // The pool is there; it was asked for elsewhere.
      if (cause instanceof StoreError && cause.kind === "foreign-target") throw cause;
      throw new AppError(
        "pool-unread",
        sentence`Pool ${id} cannot be read, and without it poolsync forgets what it wrote there: ${cause.message} Where the pool is no more, give ${nextStep("rekey", "--digests", "--without-pool", id)}. Nothing was changed.`,
        { cause },
      );
    }
  }
  return pools;
}

/** Those of which the namespace holds anything: what is known of users whose pool is not read would be dropped. */
async function knownPools(store: Store): Promise<readonly string[]> {
  const noted = (await store.targets()).map(({ pool }) => pool);
  const broken = (await store.damaged.list()).filter(({ kind }) => kind === "target");
  return [...new Set([...noted, ...(await store.pools()), ...broken.map(({ place }) => place)])];
}

async function bringOver(rekey: Rekeying): Promise<void> {
  const { engine, change, pools, made } = rekey;
  const { store } = engine;
  await store.rekeying.begin();
  await endPlans(store, made);
  const ids = (await store.targets()).map(({ pool }) => pool);
  const shelves = await store.texts.shelves();
  const images = new Map<string, Set<string>>();
  for (const { kind, of: run } of shelves) {
    if (kind !== "before images") continue;
    const units = new Set<string>();
    made.beforeImages += await moveAll(rekey, { kind, of: run }, (image) => {
      units.add(unitOf(image));
      return imageAnew(change, ids, run, image);
    });
    images.set(run, units);
  }
  const users = await wantedUsers(rekey);
  for (const pool of pools) await scan(rekey, pool, images, users);
  made.mailboxes = await moveAll(rekey, { kind: "mailboxes", of: "" }, (kept) => mailboxAnew(change, kept));
  made.letters = await moveAll(rekey, { kind: "letters", of: "" }, (kept) =>
    letterAnew(change, kept, (former) => users.get(former) || undefined),
  );
  made.events = await moveAll(rekey, { kind: "events", of: "" }, (kept) => eventAnew(change, kept));
  await rebuildQueues(engine, ids, users);
  await nameRunsAnew(store, change.to);
  for await (const kept of everyText(store, NOTES)) {
    // All is sealed by now; the note of it may name a user.
    const anew = kept.name === SEALING_NOTE ? "" : noteAnew(change.to, kept);
    if (anew !== undefined) await store.texts.replace(NOTES, kept, anew);
  }
  Object.assign(made.dropped, await store.rekeying.left());
  await store.rekeying.end();
}

/** A plan is signed by keys that others may have. The next pass of its feed makes another. */
async function endPlans({ plans, runs }: Store, made: NewKeysMade): Promise<void> {
  for (const { run } of await plans.list()) {
    if (isReport(run)) {
      await plans.drop(run);
      continue;
    }
    const isWaiting = await runs.transition(run, ["needs-approval"], "expired");
    const isCut = !isWaiting && (await runs.transition(run, ["reading"], "failed"));
    await plans.drop(run);
    if (isWaiting || isCut) made.plans += 1;
  }
}

/** Moves all texts of a shelf that are not moved yet. Answers how many. */
async function moveAll(
  { engine, made, signal }: Rekeying,
  shelf: Shelf & Named,
  anew: (kept: KeptText) => Anew,
): Promise<number> {
  const { texts, rekeying } = engine.store;
  let moved = 0;
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    signal.throwIfAborted();
    const { found, next } = await texts.page(shelf, cursor);
    const moves: Move[] = [];
    for (const kept of found) {
      const to = anew(kept);
      if (to === "damaged") made.damaged += 1;
      else if (to !== "new") moves.push({ from: kept.name, to });
    }
    await rekeying.move(shelf, moves);
    moved += moves.length;
    cursor = next;
  }
  return moved;
}

const NOTES = { kind: "notes", of: "" } as const;

/** Whom wake-ups wake is found by the next sweep. */
async function rebuildQueues(
  { queues, store }: Engine,
  pools: readonly string[],
  users: ReadonlyMap<string, string>,
): Promise<void> {
  for (const pool of pools) {
    for (const lane of LANES) await queues.queue(wakeUpQueue(pool, lane)).obliterate({ force: true });
  }
  for (const kind of LETTER_KINDS) await queues.queue(deadLetterQueue(kind)).obliterate({ force: true });
  for (const pool of pools) await republishLetters(queues, store.letters, pool);
  for (const job of await replayOrders(queues)) {
    const user = users.get(job.data.user ?? "") ?? "";
    if (user !== "") await job.updateData({ ...job.data, user });
  }
}
