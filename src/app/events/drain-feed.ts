/** Entries of one feed, on their way from the inbox into mailboxes. */
import type { Config } from "../../config/config.ts";
import type { GuardSettings } from "../../core/guards.ts";
import { canonicalUsername } from "../../core/pool-schema.ts";
import { isTooFarAhead, ordinalText } from "../../core/version.ts";
import type { Pool } from "../../delivery/pool.ts";
import { createProducer } from "../../delivery/producer.ts";
import { createRowExceptions } from "../../delivery/row-exceptions.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { PRIORITY } from "../../queues/wake-ups.ts";
import type { TakenEntry } from "../../store/inbox.ts";
import { sealEvent } from "../../store/sealed-event.ts";
import { StoreError } from "../../store/store-error.ts";
import type { AccountScans } from "./account-scans.ts";
import type { DayRuns } from "./day-run.ts";
import { changesOf, type EntryChanges } from "./entry-changes.ts";
import { pagesOf, type PagePart } from "./entry-pages.ts";
import type { FloodGate } from "./flood-gate.ts";
import { planAfterGap } from "./gap-plan.ts";
import type { ChangeTarget } from "./job-change.ts";
import { olderChanges } from "./older-changes.ts";
import { passedAt } from "./passing-names.ts";
import { dueOf, readEntry, settingOf, type ReadEntry } from "./read-entry.ts";
import { toldOf, type ParkedReason } from "./read-event.ts";
import type { Resolving } from "./record-names.ts";

export interface DrainDeps {
  readonly engine: Engine;
  readonly config: Pick<Config, "feeds" | "guards" | "pools" | "poolSettings">;
  /** The target's pool, opened. Asked each time: it is the caller's to keep it. */
  readonly poolOf: (target: ChangeTarget) => Promise<Pool>;
  readonly dayRuns: DayRuns;
  readonly accountScans: Pick<AccountScans, "want">;
  readonly floods: FloodGate;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Counted to one feed, in the hands of this drainer. */
export interface FeedEntries {
  readonly feed: string;
  readonly token: string;
  readonly entries: readonly TakenEntry[];
  /** Epoch ms, by the store's clock. */
  readonly nowMs: number;
  /** When this drainer had each of them in hand first, epoch ms: what it was told of people since then counts for it. */
  readonly firstAt: (id: string) => number;
}

/** Why nothing of a page was put: another drainer has one of its entries, or the store's clock went back. */
type Refusal = "late" | "ahead";
/** What is wrong with a run where the events go into another. */
const TAKES_NO_MORE: ReadonlySet<string> = new Set(["run-cancelled", "run-ended", "run-lost"]);

/**
 * Each of them is put, parked or left to its time when it answers. Rejects where the pool or the store cannot be asked:
 * what was not put or parked until then is this drainer's still.
 */
export async function drainFeed(deps: DrainDeps, { feed, token, entries, nowMs, firstAt }: FeedEntries): Promise<void> {
  const { engine, config } = deps;
  const { inbox } = engine.store;
  const parked: ToPark[] = [];
  const targets = new Map<string, ReadEntry[]>();
  for (const entry of entries) {
    const { id } = entry;
    const found = readEntry(engine, config, entry, firstAt(id));
    if (typeof found === "string") {
      parked.push({ id, reason: found });
      continue;
    }
    const { records, notBefore } = dueOf(found.records, nowMs);
    if (notBefore !== undefined) {
      await inbox.defer({ token, ids: [id] }, notBefore);
      continue;
    }
    const key = JSON.stringify([found.target.feed, found.target.pool]);
    targets.set(key, [...(targets.get(key) ?? []), { ...found, records }]);
  }
  await park(deps, { feed, token }, parked);
  for (const read of targets.values()) await drainTarget(deps, { feed, token }, read);
}

/**
 * Entries of one target, page by page: what a page has is looked up and put before the next one is looked at, so that
 * whatever ends this keeps what was done.
 */
async function drainTarget(
  deps: DrainDeps,
  { feed: countedTo, token }: Pick<FeedEntries, "feed" | "token">,
  read: readonly ReadEntry[],
): Promise<void> {
  const { engine, config, floods, log, signal } = deps;
  const [first] = read;
  if (first === undefined) return;
  const { target } = first;
  const feed = labelOf(target);
  const resolving = await resolvingOf(deps, target);
  const progress = new Map<string, Progress>();
  for (const page of pagesOf(read)) {
    signal.throwIfAborted();
    const made = await changesOf(
      resolving,
      page.map(({ entry, records }) => ({ ...entry, records })),
      (before) => olderChanges(deps, { feed: countedTo, target, page }, before),
    );
    const toPut: MadePart[] = [];
    const toPark: ToPark[] = [];
    const unscanned = new Map<string, number>();
    const passing: ReadEntry[] = [];
    for (const [index, part] of page.entries()) {
      const ofPart = made[index];
      const { id } = part.entry;
      if (ofPart === undefined) continue;
      const before = progress.get(id);
      const left = [...(before?.left ?? []), ...ofPart.left];
      const waits = [...(before?.waits ?? []), ...ofPart.unscanned.map(({ line }) => line), ...ofPart.passing];
      const scanSince = Math.max(before?.scanSince ?? 0, ...ofPart.unscanned.map(({ since }) => since));
      const isPut = before?.isPut === true || ofPart.read > 0;
      progress.set(id, { left, waits, scanSince, isPut });
      const reason = toldOf(left);
      if (waits.length > 0) {
        if (ofPart.read > 0) toPut.push({ ...part, made: ofPart, left, waits });
        if (part.isLast && scanSince > 0) unscanned.set(id, scanSince);
        else if (part.isLast) passing.push(part.entry);
      } else if (isPut || reason === undefined) {
        // Of a part that is left whole nothing is new.
        if (ofPart.read > 0 || part.isLast) toPut.push({ ...part, made: ofPart, left, waits });
      } else if (part.isLast) toPark.push({ id, reason, left });
    }
    await park(deps, { feed, token }, toPark);
    const changes = toPut.map(({ made: { changes } }) => changes);
    const { open, waitIn } = await floods.divide(
      resolving.pool.profile,
      feed,
      guardsOf(config, target).events,
      changes,
    );
    let became = await put(deps, { target, token }, toPut.slice(0, open));
    if (became === "put") became = await put(deps, { target, token, waitIn }, toPut.slice(open));
    if (became === "put") {
      await waitForScan(deps, { feed, token, pool: resolving.pool }, unscanned);
      await waitForNames(deps, { feed, token }, passing);
      continue;
    }
    // Each is looked at again.
    if (became === "late") log.warn({ feed, events: read.length }, "events were drained too late");
    else log.warn({ feed, events: read.length }, "events lie ahead of the store's clock by now");
    await engine.store.inbox.defer({ token, ids: read.map(({ id }) => id) }, 0);
    break;
  }
}

/** What runs and the log call a target. */
function labelOf({ feed, pool }: ChangeTarget): string {
  return feed ?? pool;
}

interface ToPark {
  readonly id: string;
  readonly reason: ParkedReason;
  readonly left?: EntryChanges["left"];
}

/** How many records are left why: an entry has one reason alone. */
function countedBy(left: EntryChanges["left"]): Partial<Record<ParkedReason, number>> | undefined {
  const counts = Map.groupBy(left, ({ reason }) => reason).entries();
  return left.length === 0 ? undefined : Object.fromEntries(counts.map(([reason, { length }]) => [reason, length]));
}

async function park(
  { engine, log }: DrainDeps,
  { feed, token }: Pick<FeedEntries, "feed" | "token">,
  entries: readonly ToPark[],
): Promise<void> {
  await planAfterGap(
    engine,
    log,
    feed,
    entries.flatMap(({ reason, left = [] }) => [reason, ...left.map((one) => one.reason)]),
  );
  for (const [reason, theirs] of Map.groupBy(entries, (entry) => entry.reason)) {
    const gone = await engine.store.inbox.park({ token, ids: theirs.map(({ id }) => id) }, reason);
    const records = countedBy(theirs.flatMap(({ left = [] }) => left));
    log.warn({ feed, reason, events: gone.length, records }, "events parked");
  }
}

/** Gives entries back, by when a scan must have begun that tells whom they mean: until one should have. */
async function waitForScan(
  { engine, accountScans, log }: DrainDeps,
  { feed, token, pool }: Pick<FeedEntries, "feed" | "token"> & { readonly pool: Pool },
  unscanned: ReadonlyMap<string, number>,
): Promise<void> {
  if (unscanned.size === 0) return;
  const until = await accountScans.want(feed, pool, Math.max(...unscanned.values()));
  const given = await engine.store.inbox.defer({ token, ids: [...unscanned.keys()] }, until);
  log.info({ feed, pool: pool.profile.id, events: given.length, until }, "events wait for a scan of their pool");
}

/** Gives entries back that name people by what is about to pass to somebody else. */
async function waitForNames(
  { engine, log }: DrainDeps,
  { feed, token }: Pick<FeedEntries, "feed" | "token">,
  entries: readonly ReadEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  const nowMs = await engine.store.now();
  for (const { id, arrivedAt } of entries)
    await engine.store.inbox.defer({ token, ids: [id] }, passedAt(arrivedAt, nowMs));
  log.info({ feed, events: entries.length }, "events wait for a name to pass on");
}

function guardsOf(config: DrainDeps["config"], { feed }: ChangeTarget): GuardSettings {
  return (feed === undefined ? undefined : settingOf(config, feed)?.guards) ?? config.guards;
}

async function resolvingOf(
  { engine, config, poolOf, signal }: DrainDeps,
  target: ChangeTarget,
): Promise<Resolving & { readonly pool: Pool }> {
  const pool = await poolOf(target);
  const { protectUsers, protectAttributes } = guardsOf(config, target);
  const users = new Set(protectUsers.map((name) => canonicalUsername(pool.profile, name)));
  const attributes = new Set(protectAttributes);
  const isProtected = { user: (name: string) => users.has(name), attribute: (name: string) => attributes.has(name) };
  return { engine, pool, isProtected, signal };
}

interface MadePart extends PagePart {
  readonly made: EntryChanges;
  /** The records that are parked, of earlier pages as well. */
  readonly left: EntryChanges["left"];
  /** Those that wait until it is known whom they mean, of earlier pages as well. */
  readonly waits: readonly number[];
}

/** What became of an entry so far. */
interface Progress {
  readonly left: EntryChanges["left"];
  readonly waits: readonly number[];
  /** When a scan must have begun that some of them wait for (epoch ms); 0 where none does. */
  readonly scanSince: number;
  /** Something of it is not left. */
  readonly isPut: boolean;
}

/** Where a page goes, of whose entries this drainer has these. */
interface PutPlace extends Pick<FeedEntries, "token"> {
  readonly target: ChangeTarget;
  /** The run that waits for an approval; absent for that of the day. */
  readonly waitIn?: string | undefined;
}

/** Puts them as one page, whole or not at all. */
async function put(
  deps: DrainDeps,
  { target, token, waitIn }: PutPlace,
  page: readonly MadePart[],
): Promise<"put" | Refusal> {
  if (page.length === 0) return "put";
  const { engine, poolOf, dayRuns, log } = deps;
  const { store, keyring } = engine;
  const { profile } = await poolOf(target);
  const feed = labelOf(target);
  const withRest = ({ entry: { id, event, by }, left, waits, later }: MadePart): string => {
    const records = [...left.map(({ line }) => line), ...waits, ...later];
    return sealEvent(keyring, id, { ...event, left: { by, records } });
  };
  const isOver = ({ isLast, waits }: MadePart): boolean => isLast && waits.length === 0;
  const parked = page.flatMap((part) => {
    const reason = toldOf(part.left);
    return isOver(part) && reason ? [{ id: part.entry.id, reason, body: withRest(part) }] : [];
  });
  const kept = page.flatMap((part) => (isOver(part) ? [] : [{ id: part.entry.id, body: withRest(part) }]));
  await planAfterGap(
    engine,
    log,
    feed,
    page.flatMap(({ left }) => left.map(({ reason }) => reason)),
  );
  const sum = (count: (made: EntryChanges) => number): number => page.reduce((all, { made }) => all + count(made), 0);
  const facts = {
    invalid: sum(({ invalid }) => invalid),
    rows: { read: sum(({ read }) => read), faulty: sum(({ faulty }) => faulty) },
    entries: { token, ids: page.map(({ entry: { id } }) => id), parked, kept },
  };
  const changes = page.flatMap(({ made }) => made.changes);
  const putInto = (run: string) =>
    createProducer({ engine, profile, run, priority: PRIORITY.event, sendUnless: "written" }).put(changes, facts);
  // Whoever looked them up may have taken until the next day.
  const runOfToday = async (): Promise<string> => dayRuns.of(feed, profile.id, await store.now());
  let run = waitIn ?? (await runOfToday());
  const answer = await putInto(run).catch(async (error: unknown) => {
    if (!(error instanceof StoreError && TAKES_NO_MORE.has(error.kind))) throw error;
    // Somebody has decided: it is counted anew.
    if (waitIn !== undefined) return undefined;
    dayRuns.forget(feed, profile.id);
    run = await runOfToday();
    return putInto(run);
  });
  if (answer === undefined) return "late";
  if (!answer.accepted) {
    const isAhead = changes.some(
      ({ version }) => version !== undefined && isTooFarAhead(ordinalText(version), answer.at),
    );
    return isAhead ? "ahead" : "late";
  }
  for (const part of page) {
    const { left } = part;
    const reason = isOver(part) ? toldOf(left) : undefined;
    if (reason !== undefined) log.warn({ feed, reason, events: 1, records: countedBy(left) }, "events parked");
  }
  const exceptions = createRowExceptions(keyring, profile.id, run);
  for (const { noted } of page.map(({ made }) => made)) {
    for (const { issue, name, found } of noted) exceptions.add(issue, name, found);
  }
  for (const { user, name } of answer.stale) exceptions.stale(user, name, undefined);
  const taken = exceptions.take();
  if (taken.length > 0) await store.exceptions.note(taken);
  return "put";
}
