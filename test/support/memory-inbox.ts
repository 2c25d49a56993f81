/** The inbox of the store in memory: one list of entries, each with what became of it. */
import { defined } from "../../src/core/defined.ts";
import { admit, REPEAT_MS } from "../../src/core/inbox.ts";
import type { AddedEntry, DrainedRef, Inbox, ParkedEntry, TakenEntry, TakenRef } from "../../src/store/inbox.ts";

interface Entry extends TakenEntry {
  notBefore: number;
  taken?: { readonly token: string; readonly leaseUntil: number } | undefined;
  parked?: Pick<ParkedEntry, "reason" | "parkedAt"> | undefined;
}

export function openMemoryInbox(clock: { readonly nowMs: number }, giveArrivals: (count: number) => number) {
  /** In order of arrival. */
  let entries: Entry[] = [];
  const seen = new Map<string, number>();

  const sizeOf = (some: readonly Entry[]) => ({
    entries: some.length,
    bytes: some.reduce((sum, { body }) => sum + body.length, 0),
  });
  const byId = (id: string) => entries.find((entry) => entry.id === id);
  const drop = (gone: ReadonlySet<Entry>) => void (entries = entries.filter((entry) => !gone.has(entry)));
  const ofDrainer = ({ token, ids }: TakenRef) =>
    [...new Set(ids)].flatMap((id) => entries.find((entry) => entry.id === id && entry.taken?.token === token) ?? []);
  const isParked = (ids: readonly string[]) =>
    [...new Set(ids)].flatMap((id) => entries.find((entry) => entry.id === id && entry.parked) ?? []);
  const isWaiting = ({ taken, parked, notBefore }: Entry) =>
    !parked && notBefore <= clock.nowMs && (taken?.leaseUntil ?? 0) <= clock.nowMs;
  const idsOf = (some: readonly Entry[]) => some.map(({ id }) => id);
  const arrived = ({ id, feed, arrival, arrivedAt }: Entry) => ({ id, feed, arrival, arrivedAt });

  /** True where all were this drainer's: they are gone, or parked. */
  function takeAway(drained: DrainedRef): boolean {
    const theirs = ofDrainer(drained);
    if (theirs.length !== new Set(drained.ids).size) return false;
    const rests = new Map(drained.parked?.map((rest) => [rest.id, rest]));
    const kept = new Map(drained.kept?.map(({ id, body }) => [id, body]));
    drop(new Set(theirs.filter(({ id }) => !rests.has(id) && !kept.has(id))));
    entries = entries.map((entry) => ({ ...entry, body: kept.get(entry.id) ?? entry.body }));
    for (const { id, reason, body } of rests.values()) {
      const parked = { reason, parkedAt: clock.nowMs };
      entries = entries.map((entry) =>
        entry.id === id ? { ...entry, body, taken: undefined, notBefore: 0, parked } : entry,
      );
    }
    return true;
  }

  const inbox: Inbox = {
    async add(coming, limits) {
      const known = new Map(entries.map(({ id, arrivedAt }) => [id, arrivedAt]));
      for (const [id, at] of seen) if (at > clock.nowMs - REPEAT_MS) known.set(id, at);
      const arriving = coming.map((entry) => ({ ...entry, bytes: entry.body.length }));
      const unparked = sizeOf(entries.filter(({ parked }) => !parked));
      const [admitted = "full"] = admit([{ entries: arriving, limits }], known, unparked, clock.nowMs);
      if (admitted === "full") return admitted;
      return admitted.map((one, index): AddedEntry => {
        const entry = coming[index];
        if (one.is === "repeated" || !entry)
          return { is: "repeated", arrivedAt: one.is === "repeated" ? one.arrivedAt : 0 };
        const { id, feed, body, notBefore = 0 } = entry;
        const when = { arrival: giveArrivals(Math.max(1, body.length)), arrivedAt: clock.nowMs };
        entries.push({ id, feed, body, notBefore, ...when });
        seen.set(id, clock.nowMs);
        return { is: "added", ...when };
      });
    },
    async take(token, { leaseMs, limit, maxBytes }) {
      for (const entry of entries) if ((entry.taken?.leaseUntil ?? Infinity) <= clock.nowMs) entry.taken = undefined;
      const waiting = entries.filter(isWaiting);
      const got: Entry[] = [];
      let bytes = 0;
      for (const entry of waiting.slice(0, limit)) {
        bytes += entry.body.length;
        if (got.length > 0 && bytes > maxBytes) break;
        entry.taken = { token, leaseUntil: clock.nowMs + leaseMs };
        got.push(entry);
      }
      const answer = got.map((entry) => ({ ...arrived(entry), body: entry.body }));
      if (waiting.length > got.length) return { entries: answer, nextInMs: 0 };
      const times = entries
        .filter(({ parked }) => !parked)
        .map(({ taken, notBefore }) => taken?.leaseUntil ?? notBefore);
      return times.length === 0 ? { entries: answer } : { entries: answer, nextInMs: Math.min(...times) - clock.nowMs };
    },
    async renew(taken, leaseMs) {
      const leaseUntil = clock.nowMs + leaseMs;
      return idsOf(
        ofDrainer(taken).map((entry) => Object.assign(entry, { taken: { token: taken.token, leaseUntil } })),
      );
    },
    async done(taken) {
      const theirs = ofDrainer(taken);
      drop(new Set(theirs));
      return idsOf(theirs);
    },
    async defer(taken, notBefore) {
      return idsOf(ofDrainer(taken).map((entry) => Object.assign(entry, { taken: undefined, notBefore })));
    },
    async park(taken, reason) {
      const parked = { reason, parkedAt: clock.nowMs };
      return idsOf(ofDrainer(taken).map((entry) => Object.assign(entry, { taken: undefined, notBefore: 0, parked })));
    },
    async *parked({ feed, reason, since = 0, until = Infinity }) {
      const newest = entries.findLast(({ parked }) => parked)?.arrival ?? 0;
      for (let last = 0; ;) {
        const entry = entries.find(({ arrival, parked }) => parked && arrival > last && arrival <= newest);
        if (!entry?.parked) return;
        last = entry.arrival;
        if (feed !== undefined && entry.feed !== feed) continue;
        if (reason !== undefined && entry.parked.reason !== reason) continue;
        if (entry.arrivedAt >= since && entry.arrivedAt < until) yield { ...arrived(entry), ...entry.parked };
      }
    },
    async older({ feed, before, limit, maxBytes }) {
      const open = entries.filter((entry) => !entry.parked && entry.feed === feed && entry.arrival < before);
      let bytes = 0;
      const some = open.slice(0, limit).filter(({ body }, index) => (bytes += body.length) <= maxBytes || index === 0);
      return {
        entries: some.map((entry) => ({ ...arrived(entry), body: entry.body })),
        isCut: open.length > some.length,
      };
    },
    async get(id) {
      const entry = byId(id);
      if (entry === undefined) return undefined;
      const { body, parked, notBefore } = entry;
      return defined({ ...arrived(entry), body, parked, notBefore: notBefore > clock.nowMs ? notBefore : undefined });
    },
    async replay(ids) {
      return idsOf(isParked(ids).map((entry) => Object.assign(entry, { parked: undefined })));
    },
    async discard(ids) {
      const gone = isParked(ids);
      drop(new Set(gone));
      return idsOf(gone);
    },
    async trim({ keepMs, entries: most, bytes }, limit) {
      let gone = 0;
      for (; gone < limit; gone += 1) {
        const parked = entries.filter((entry) => entry.parked);
        const [oldest] = parked;
        const size = sizeOf(parked);
        if (!oldest) break;
        if (oldest.arrivedAt > clock.nowMs - keepMs && size.entries <= most && size.bytes <= bytes) break;
        drop(new Set([oldest]));
      }
      return gone;
    },
    async counts() {
      const parked = entries.filter((entry) => entry.parked);
      const others = entries.filter((entry) => !entry.parked);
      const waiting = others.filter(isWaiting);
      const feeds: Record<string, number> = {};
      for (const { feed } of parked) feeds[feed] = (feeds[feed] ?? 0) + 1;
      return {
        isUsed: entries.length + seen.size > 0,
        waiting: waiting.length,
        ahead: others.filter(({ taken, notBefore }) => !taken && notBefore > clock.nowMs).length,
        taken: others.filter(({ taken }) => (taken?.leaseUntil ?? 0) > clock.nowMs).length,
        bytes: sizeOf(others).bytes,
        ...(waiting[0] ? { oldestAt: waiting[0].arrivedAt } : {}),
        parked: { ...sizeOf(parked), feeds },
      };
    },
    async verify() {
      return { lost: 0, miscounted: 0 };
    },
  };
  return { inbox, takeAway };
}
