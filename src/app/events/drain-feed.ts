/** Entries of one feed, on their way from the inbox into mailboxes. */
import type { Config } from "../../config/config.ts";
import type { FeedSetting } from "../../config/config-file.ts";
import { drainTime } from "../../core/inbox.ts";
import { canonicalUsername } from "../../core/pool-schema.ts";
import { isTime, isTooFarAhead, ordinalText } from "../../core/version.ts";
import type { Pool } from "../../delivery/pool.ts";
import { createProducer } from "../../delivery/producer.ts";
import { createRowExceptions } from "../../delivery/row-exceptions.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { PRIORITY } from "../../queues/wake-ups.ts";
import type { TakenEntry } from "../../store/inbox.ts";
import { openEvent, sealEvent, type CameEvent } from "../../store/sealed-event.ts";
import { StoreError } from "../../store/store-error.ts";
import type { DayRuns } from "./day-run.ts";
import { changesOf, type EntryChanges, type Unresolved } from "./entry-changes.ts";
import { JOB_SCHEME, poolIdOf, readJobChange, type ChangeTarget } from "./job-change.ts";
import { readEvent, toldOf, type EventRecord, type ParkedReason } from "./read-event.ts";
import type { Resolving } from "./record-names.ts";

export interface DrainDeps {
  readonly engine: Engine;
  readonly config: Pick<Config, "feeds" | "guards" | "pools" | "poolSettings">;
  /** The target's pool, opened. Asked each time: it is the caller's to keep it. */
  readonly poolOf: (target: ChangeTarget) => Promise<Pool>;
  readonly dayRuns: DayRuns;
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

interface ReadEntry extends Unresolved {
  readonly id: string;
  readonly event: CameEvent;
  /** What a job is for may be known by now, and was not when it came. */
  readonly target: ChangeTarget;
  /** The expression that found its records; blank where it is one itself, or a list of them. */
  readonly by: string;
}

/** A put holds a Redis up for as long as it has something to do: as much as a page of a file. */
const PAGE_RECORDS = 500;
/** Why nothing of a page was put: another drainer has one of its entries, or the store's clock went back. */
const REFUSED = { late: "events were drained too late", ahead: "events lie ahead of the store's clock by now" };
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
  for (const read of targets.values()) await drainTarget(deps, token, read);
}

/**
 * Entries of one target, page by page: what a page has is looked up and put before the next one is looked at, so that
 * whatever ends this keeps what was done.
 */
async function drainTarget(deps: DrainDeps, token: string, read: readonly ReadEntry[]): Promise<void> {
  const { engine, log, signal } = deps;
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
    );
    const toPut: MadePart[] = [];
    const toPark: ToPark[] = [];
    for (const [index, part] of page.entries()) {
      const ofPart = made[index];
      const { id } = part.entry;
      if (ofPart === undefined) continue;
      const before = progress.get(id);
      const left = [...(before?.left ?? []), ...ofPart.left];
      const isPut = before?.isPut === true || ofPart.read > 0;
      progress.set(id, { left, isPut });
      const reason = toldOf(left);
      if (isPut || reason === undefined) {
        // Of a part that is left whole nothing is new.
        if (ofPart.read > 0 || part.isLast) toPut.push({ ...part, made: ofPart, left });
      } else if (part.isLast) toPark.push({ id, reason, left });
    }
    await park(deps, { feed, token }, toPark);
    const became = toPut.length === 0 ? "put" : await put(deps, { target, token }, toPut);
    if (became === "put") continue;
    // Each is looked at again.
    log.warn({ feed, events: read.length }, REFUSED[became]);
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
  for (const [reason, theirs] of Map.groupBy(entries, (entry) => entry.reason)) {
    const gone = await engine.store.inbox.park({ token, ids: theirs.map(({ id }) => id) }, reason);
    const records = countedBy(theirs.flatMap(({ left = [] }) => left));
    log.warn({ feed, reason, events: gone.length, records }, "events parked");
  }
}

function readEntry(
  { keyring }: Pick<Engine, "keyring">,
  config: DrainDeps["config"],
  { id, feed, arrival, arrivedAt, body }: TakenEntry,
  since: number,
): ReadEntry | ParkedReason {
  const event = openEvent(keyring, { id, feed, body });
  if (event === undefined) return "unreadable";
  const timeMs = event.signedAt ?? arrivedAt;
  const arrivals = Math.max(1, event.body.byteLength);
  if (event.scheme === JOB_SCHEME) {
    const job = readJobChange(config, event.body);
    if (job.is === "unreadable") return "unreadable";
    const change = { ...job.change, version: job.change.version ?? { timeMs, sequence: 0 } };
    const records = [{ is: "change" as const, line: 1, change, invalid: [] }];
    return { id, target: job.target, arrival, arrivals, since, event, records, named: {}, by: "" };
  }
  const { events, pool } = settingOf(config, feed) ?? {};
  if (events === undefined || pool === undefined) return "no-feed";
  const records = readEvent(event, events, timeMs);
  if (typeof records === "string") return records;
  const target = { feed, pool: poolIdOf(config, pool) };
  return {
    id,
    target,
    arrival,
    arrivals,
    since,
    event,
    records,
    named: events.mapping,
    by: event.left?.by ?? events.records ?? "",
  };
}

function settingOf({ feeds }: Pick<Config, "feeds">, name: string): FeedSetting | undefined {
  return Object.hasOwn(feeds, name) ? feeds[name] : undefined;
}

/** Records as they may be put now, or from when on (epoch ms): an entry waits for the latest of its versions. */
function dueOf(
  records: readonly EventRecord[],
  nowMs: number,
): { readonly records: readonly EventRecord[]; readonly notBefore: number | undefined } {
  let notBefore: number | undefined;
  const judged = records.map((record): EventRecord => {
    if (record.is === "parked" || record.change.version === undefined) return record;
    // Whoever adds a job says any time.
    if (!isTime(record.change.version.timeMs)) return { is: "parked", line: record.line, reason: "unreadable" };
    const due = drainTime(ordinalText(record.change.version), nowMs);
    if (due.is === "later") notBefore = Math.max(notBefore ?? 0, due.notBefore);
    return due.is === "ahead" ? { is: "parked", line: record.line, reason: "ahead" } : record;
  });
  return { records: judged, notBefore };
}

async function resolvingOf({ config, poolOf, signal }: DrainDeps, target: ChangeTarget): Promise<Resolving> {
  const pool = await poolOf(target);
  const setting = target.feed === undefined ? undefined : settingOf(config, target.feed);
  const { protectUsers, protectAttributes } = setting?.guards ?? config.guards;
  const users = new Set(protectUsers.map((name) => canonicalUsername(pool.profile, name)));
  const attributes = new Set(protectAttributes);
  const isProtected = { user: (name: string) => users.has(name), attribute: (name: string) => attributes.has(name) };
  return { pool, isProtected, signal };
}

/** Its records in parts that a page takes: one that is empty where it has none. */
function partsOf({ records }: ReadEntry): readonly (readonly EventRecord[])[] {
  const count = Math.max(1, Math.ceil(records.length / PAGE_RECORDS));
  return Array.from({ length: count }, (_, part) => records.slice(part * PAGE_RECORDS, (part + 1) * PAGE_RECORDS));
}

/** What of an entry comes with a page. */
interface PagePart {
  readonly entry: ReadEntry;
  readonly records: readonly EventRecord[];
  /** What comes with it last. */
  readonly isLast: boolean;
  /** The records that come with later pages, by their numbers. */
  readonly later: readonly number[];
}

interface MadePart extends PagePart {
  readonly made: EntryChanges;
  /** The records that are parked, of earlier pages as well. */
  readonly left: EntryChanges["left"];
}

/** What became of an entry so far. */
interface Progress {
  readonly left: EntryChanges["left"];
  /** Something of it is not left. */
  readonly isPut: boolean;
}

/** Entries in their order, in pages; one of more parts has pages of its own, but for the last. */
function* pagesOf(entries: readonly ReadEntry[]): Generator<readonly PagePart[]> {
  let page: PagePart[] = [];
  let size = 0;
  for (const entry of entries) {
    const parts = partsOf(entry);
    for (const [index, records] of parts.entries()) {
      const isLast = index === parts.length - 1;
      if (page.length > 0 && size + records.length > PAGE_RECORDS) {
        yield page;
        [page, size] = [[], 0];
      }
      const later = entry.records.slice(index * PAGE_RECORDS + records.length).map(({ line }) => line);
      page.push({ entry, records, isLast, later });
      size += records.length;
      if (isLast) continue;
      yield page;
      [page, size] = [[], 0];
    }
  }
  if (page.length > 0) yield page;
}

/** Puts them as one page, whole or not at all. */
async function put(
  deps: DrainDeps,
  { target, token }: Pick<FeedEntries, "token"> & { readonly target: ChangeTarget },
  page: readonly MadePart[],
): Promise<"put" | keyof typeof REFUSED> {
  const { engine, poolOf, dayRuns, log } = deps;
  const { store, keyring } = engine;
  const { profile } = await poolOf(target);
  const feed = labelOf(target);
  const withRest = ({ entry: { id, event, by }, left, later }: MadePart): string =>
    sealEvent(keyring, id, { ...event, left: { by, records: [...left.map(({ line }) => line), ...later] } });
  const parked = page.flatMap((part) => {
    const reason = toldOf(part.left);
    return part.isLast && reason ? [{ id: part.entry.id, reason, body: withRest(part) }] : [];
  });
  const kept = page.flatMap((part) => (part.isLast ? [] : [{ id: part.entry.id, body: withRest(part) }]));
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
  let run = await runOfToday();
  const answer = await putInto(run).catch(async (error: unknown) => {
    if (!(error instanceof StoreError && TAKES_NO_MORE.has(error.kind))) throw error;
    dayRuns.forget(feed, profile.id);
    run = await runOfToday();
    return putInto(run);
  });
  if (!answer.accepted) {
    const isAhead = changes.some(
      ({ version }) => version !== undefined && isTooFarAhead(ordinalText(version), answer.at),
    );
    return isAhead ? "ahead" : "late";
  }
  for (const { isLast, left } of page) {
    const reason = isLast ? toldOf(left) : undefined;
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
