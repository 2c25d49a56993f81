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
import { noteScanWait, readScanWait } from "./scan-wait.ts";

export interface AccountScansDeps {
  readonly engine: Pick<Engine, "store">;
  readonly config: Config;
  readonly poolOf: (target: ChangeTarget) => Promise<Pool>;
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

export function startAccountScans({ engine, config, poolOf, log, signal }: AccountScansDeps): AccountScans {
  const { store } = engine;
  const { reservations } = store;
  const alarms = new Map<string, () => void>();

  async function courseOf(pool: string, feeds: readonly IndexedFeed[], nowMs: number): Promise<Course> {
    const scanned = await store.accounts.scanned(pool);
    const times = feeds.map(({ attribute }) => scanned.get(attribute));
    const scannedAt = times.includes(undefined) ? undefined : Math.min(...times.map((at = 0) => at));
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
    if (wait && isAnswered(scannedAt, wait.since)) await noteScanWait(store, pool);
    const rescanMs = Math.min(...feeds.map((feed) => feed.rescanMs ?? Infinity));
    const facts = { scannedAt, wantedSince: wait?.since, rescanMs: rescanMs === Infinity ? undefined : rescanMs };
    return Math.max(nextScanAt(facts) ?? Infinity, freeAt);
  }

  /** Where another process scans it does nothing. */
  async function scan(id: string): Promise<void> {
    const pool = await poolOf({ pool: id });
    const began = performance.now();
    const beganAt = await store.now();
    const holder = holderOf("scan", beganAt);
    const forMs = (): number => Math.max(LEAST_BETWEEN_SCANS_MS - (performance.now() - began), LEASE_MS);
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
      await reservations.take(SCOPE, id, holderOf("failed", beganAt), forMs());
      throw error;
    }
    log.info({ pool: id, users, durationMs: Math.round(performance.now() - began) }, "pool scanned for events");
    await lookAgainAfterScan(store, { config, log }, id);
  }

  async function keepScanning(id: string, feeds: readonly IndexedFeed[]): Promise<void> {
    while (!signal.aborted) {
      const alarm = Promise.withResolvers<void>();
      alarms.set(id, () => alarm.resolve());
      let restMs = LOOK_EVERY_MS;
      try {
        const nowMs = await store.now();
        const at = await dueAt(id, feeds, nowMs);
        if (at <= nowMs) await scan(id);
        else restMs = Math.min(restMs, at - nowMs);
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
      const { scannedAt, freeAt, beganAt } = await courseOf(id, indexedFeeds(config, id), nowMs);
      const isUnderWay = beganAt !== undefined && isAnswered(beganAt, since);
      const next = nextScanAt({ scannedAt, wantedSince: since, rescanMs: undefined }) ?? 0;
      const expectedMs = await expectedOf(pool);
      const beginsAt = isUnderWay ? beganAt : Math.max(next, freeAt);
      const until = Math.round(lookAgainAt({ beginsAt, isUnderWay, expectedMs }, nowMs));
      const before = await readScanWait(store, id);
      const feeds = new Set([...(before?.feeds ?? []), feed]);
      await noteScanWait(store, id, { since: Math.max(since, before?.since ?? 0), until, feeds: [...feeds] });
      if (beginsAt <= nowMs && !isUnderWay) alarms.get(id)?.();
      return until;
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
