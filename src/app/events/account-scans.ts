/**
 * Scans pools for events that name people by an attribute that nobody can be asked for. One scan serves all who wait for
 * one, whichever drainer has their events; it is made by one process of the fleet, ten minutes at the earliest after the last
 * one, and paced as any scan: what deliveries look up goes first. Who was nobody is looked at again after it.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../config/config.ts";
import { namedPool } from "../../config/config.ts";
import { indexedFeeds, type IndexedFeed } from "../../config/indexed-feeds.ts";
import { isAnswered, LEAST_BETWEEN_SCANS_MS, lookAgainAt, nextScanAt } from "../../core/account-scan.ts";
import { PAGE_USERS } from "../../core/pool-reading.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { failureOf, messageOf } from "../app-error.ts";
import type { ChangeTarget } from "./job-change.ts";
import { lookAgainAfterScan } from "./parked-watch.ts";
import { noteScanWait, readScanWait, scannedOf } from "./scan-wait.ts";

export interface AccountScansDeps {
  readonly engine: Pick<Engine, "store">;
  readonly config: Config;
  readonly poolOf: (target: ChangeTarget) => Promise<Pool>;
  /** False where a pool is scanned for those alone who wait for it. */
  readonly rescans?: boolean;
  /** Something that waited for a scan may be taken again. */
  readonly wake: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface AccountScans {
  /**
   * Events of a feed wait for a scan of their pool that begins later than `since` (epoch ms). Answers when they are to be
   * looked at again.
   */
  want(feed: string, pool: Pool, since: number): Promise<number>;
  /** Resolves when the signal has ended what it does. */
  readonly ended: Promise<void>;
}

/** Reservations of scans are kept apart from others: no pool's id has this form. */
const SCOPE = "scans";
/** How long a process that scans may say nothing, once its ten minutes are over. */
const LEASE_MS = 60_000;
const RENEW_MS = 15_000;
/** How often it is looked whether a scan is wanted, for what other processes want or have done. */
const LOOK_EVERY_MS = 30_000;
const SOON_MS = 5_000;
/** By then it is given back. */
const SOON_AFTER_MS = 50;
/** Where the pool does not say how many users it has. */
const UNKNOWN_MS = 10_000;

/** Who makes a scan, and when it began; one that has failed is not under way any more. */
const holderOf = (how: "scan" | "failed", beganAt: number): string => `${how} ${beganAt} ${randomUUID()}`;
const beganIn = (holder: string | undefined): number | undefined => {
  const [how, at] = holder?.split(" ") ?? [];
  return how === "scan" ? Number(at) : undefined;
};

interface Course {
  /** When a scan may begin; 0 where it may now. */
  readonly freeAt: number;
  /** When the one began that is under way. */
  readonly beganAt: number | undefined;
  readonly scannedAt: number | undefined;
}

export function startAccountScans(deps: AccountScansDeps): AccountScans {
  const { engine, config, poolOf, rescans = true, wake, log, signal } = deps;
  const { store } = engine;
  const { reservations } = store;
  const alarms = new Map<string, () => void>();

  async function courseOf(pool: string, feeds: readonly IndexedFeed[], nowMs: number): Promise<Course> {
    const attributes = feeds.map(({ attribute }) => attribute);
    const scannedAt = scannedOf(await store.accounts.scanned(pool), attributes);
    const held = await reservations.holder(SCOPE, pool);
    const beganAt = beganIn(held?.holder);
    return {
      freeAt: held === undefined ? 0 : nowMs + held.endsInMs,
      beganAt: beganAt === undefined || isAnswered(scannedAt, beganAt) ? undefined : beganAt,
      scannedAt,
    };
  }

  /** When the next one may begin (epoch ms); Infinity where none is wanted. */
  async function dueAt(pool: string, feeds: readonly IndexedFeed[], nowMs: number): Promise<number> {
    const { scannedAt, freeAt } = await courseOf(pool, feeds, nowMs);
    const wait = await readScanWait(store, pool);
    const rescanMs = Math.min(...feeds.map((feed) => (rescans && feed.rescanMs) || Infinity));
    const facts = { scannedAt, wantedSince: wait?.since, rescanMs: rescanMs === Infinity ? undefined : rescanMs };
    return Math.max(nextScanAt(facts) ?? Infinity, freeAt);
  }

  /** Where another process scans it does nothing. */
  async function scan(id: string): Promise<void> {
    const pool = await poolOf({ pool: id });
    const began = performance.now();
    const beganAt = await store.now();
    const holder = holderOf("scan", beganAt);
    const forMs = (): number => Math.ceil(Math.max(LEAST_BETWEEN_SCANS_MS - (performance.now() - began), LEASE_MS));
    if ((await reservations.take(SCOPE, id, holder, forMs())).is === "held") return;
    let [users, renewedAt] = [0, began];
    try {
      for await (const page of pool.scan(signal)) {
        users = page.again ? page.users.length : users + page.users.length;
        if (performance.now() - renewedAt < RENEW_MS) continue;
        renewedAt = performance.now();
        await reservations.take(SCOPE, id, holder, forMs());
      }
    } catch (error) {
      await reservations.release(SCOPE, id, holder);
      // Whoever comes next scans at once: that this process was stopped says nothing of the pool.
      if (signal.aborted) throw error;
      await reservations.take(SCOPE, id, holderOf("failed", beganAt), forMs());
      throw error;
    }
    log.info({ pool: id, users, durationMs: Math.round(performance.now() - began) }, "pool scanned for events");
    await lookAgainAfterScan(store, { config, log }, id);
    wake();
  }

  async function keepScanning(id: string, feeds: readonly IndexedFeed[]): Promise<void> {
    while (!signal.aborted) {
      const alarm = Promise.withResolvers<void>();
      alarms.set(id, () => alarm.resolve());
      let restMs = LOOK_EVERY_MS;
      try {
        const nowMs = await store.now();
        const at = await dueAt(id, feeds, nowMs);
        if (at <= nowMs) {
          await scan(id);
          // Whoever makes one keeps the next one away for ten minutes.
          continue;
        }
        restMs = Math.min(restMs, at - nowMs);
      } catch (error) {
        if (signal.aborted) break;
        const failure = failureOf(error);
        log.warn({ pool: id, kind: failure.kind, reason: messageOf(failure) }, "pool cannot be scanned for events yet");
      }
      // A sleep that was ended needs no word.
      const resting = sleep(restMs, undefined, { signal, ref: false }).catch(() => undefined);
      await Promise.race([resting, alarm.promise]);
    }
  }

  /** Whoever drains looks every few seconds by itself. Answers the time. */
  function wakeAt(at: number, nowMs: number): number {
    if (at - nowMs < SOON_MS) setTimeout(wake, at - nowMs + SOON_AFTER_MS).unref();
    return at;
  }

  const pools = new Set(
    Object.values(config.feeds).flatMap(({ events, pool }) =>
      events === undefined || pool === undefined ? [] : namedPool(config, pool).id,
    ),
  );
  const scanning = [...pools].flatMap((id) => {
    const feeds = indexedFeeds(config, id);
    return feeds.length === 0 ? [] : keepScanning(id, feeds);
  });

  return {
    async want(feed, pool, since) {
      const { id } = pool.profile;
      const nowMs = await store.now();
      const feeds = indexedFeeds(config, id);
      const { scannedAt, freeAt, beganAt } = await courseOf(id, feeds, nowMs);
      // One has ended since it was looked whom they mean.
      if (isAnswered(scannedAt, since)) return wakeAt(nowMs, nowMs);
      const isUnderWay = beganAt !== undefined && isAnswered(beganAt, since);
      const next = nextScanAt({ scannedAt, wantedSince: since, rescanMs: undefined }) ?? 0;
      const expectedMs = await expectedOf(pool);
      const beginsAt = isUnderWay ? beganAt : Math.max(next, freeAt);
      const until = Math.round(lookAgainAt({ beginsAt, isUnderWay, expectedMs }, nowMs));
      const before = await readScanWait(store, id);
      const waiting = [...new Set([...(before?.feeds ?? []), feed])];
      const wait = { since: Math.max(since, before?.since ?? 0), until, feeds: waiting };
      await noteScanWait(store, id, { ...wait, attributes: [...new Set(feeds.map(({ attribute }) => attribute))] });
      if (beginsAt <= nowMs && !isUnderWay) alarms.get(id)?.();
      return wakeAt(until, nowMs);
    },
    ended: Promise.all(scanning).then(() => undefined),
  };
}

/** How long a scan takes, as far as that is known. */
async function expectedOf(pool: Pool): Promise<number> {
  const { estimatedUsers } = pool.profile;
  if (estimatedUsers === undefined) return UNKNOWN_MS;
  const { listsPerSecond } = await pool.pace();
  return (Math.max(1, Math.ceil(estimatedUsers / PAGE_USERS)) / listsPerSecond) * 1000;
}
