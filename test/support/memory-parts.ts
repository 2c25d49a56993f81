/** The parts of the store in memory that know nothing of mailboxes and runs. */
import { accountIn, accountTexts, together, type AccountIndex } from "../../src/store/account-index.ts";
import type { BeforeImages } from "../../src/store/before-images.ts";
import { EXCEPTION_MS, MOST_EXCEPTIONS, type Exception, type Exceptions } from "../../src/store/exceptions.ts";
import { FIRST_PROBE_MS, LONGEST_PROBE_MS, type Hold, type Holds } from "../../src/store/holds.ts";
import type { Plans } from "../../src/store/plans.ts";
import type { AliveWorker, Workers } from "../../src/store/workers.ts";
import type { Reservations } from "../../src/store/reservations.ts";

export function openMemoryParts(clock: { readonly nowMs: number }) {
  const held = new Map<string, Hold>();
  const holds: Holds = {
    async place(pool, scope, kind) {
      const key = `${pool} ${scope}`;
      if (held.has(key)) return false;
      held.set(key, {
        pool,
        scope,
        kind,
        since: clock.nowMs,
        probeAt: clock.nowMs + FIRST_PROBE_MS,
        probeEveryMs: FIRST_PROBE_MS,
      });
      return true;
    },
    async ask(pool, scope) {
      const key = `${pool} ${scope}`;
      const hold = held.get(key);
      if (!hold) return { is: "free" };
      if (hold.probeAt > clock.nowMs) return { is: "held", hold, retryInMs: hold.probeAt - clock.nowMs };
      const probeEveryMs = Math.min(LONGEST_PROBE_MS, hold.probeEveryMs * 2);
      const moved = { ...hold, probeEveryMs, probeAt: clock.nowMs + probeEveryMs };
      held.set(key, moved);
      return { is: "probe", hold: moved };
    },
    async lift(pool, scope) {
      return held.delete(`${pool} ${scope}`);
    },
    async list() {
      return [...held.values()];
    },
  };

  const earlier = new Map<string, { bodies: Map<string, string>; expiresAt: number }>();
  const beforeImages: BeforeImages = {
    async keep(run, more, forMs) {
      const there = earlier.get(run) ?? { bodies: new Map<string, string>(), expiresAt: 0 };
      for (const { unit, body } of more) if (!there.bodies.has(unit)) there.bodies.set(unit, body);
      earlier.set(run, { ...there, expiresAt: clock.nowMs + forMs });
    },
    async *read(run) {
      const there = earlier.get(run);
      if (!there || there.expiresAt <= clock.nowMs) return;
      for (const [unit, body] of there.bodies) yield { unit, body };
    },
  };

  const reserved = new Map<string, { user: string; endsAt: number }>();
  const reservations: Reservations = {
    async take(pool, alias, user, forMs) {
      const there = reserved.get(`${pool} ${alias}`);
      if (there && there.user !== user && there.endsAt > clock.nowMs) {
        return { is: "held", retryInMs: there.endsAt - clock.nowMs };
      }
      reserved.set(`${pool} ${alias}`, { user, endsAt: clock.nowMs + forMs });
      return { is: "taken" };
    },
    async release(pool, alias, user) {
      if (reserved.get(`${pool} ${alias}`)?.user === user) reserved.delete(`${pool} ${alias}`);
    },
    async holder(pool, alias) {
      const there = reserved.get(`${pool} ${alias}`);
      return there && there.endsAt > clock.nowMs
        ? { holder: there.user, endsInMs: there.endsAt - clock.nowMs }
        : undefined;
    },
  };

  const kept = new Map<string, { expiresAt: number; chunks: string[] }>();
  const plans: Plans = {
    async keep({ run, expiresAt }, chunks) {
      kept.set(run, { expiresAt, chunks: await Array.fromAsync(chunks) });
    },
    async *read(run) {
      yield* kept.get(run)?.chunks ?? [];
    },
    async list() {
      const all = [...kept].map(([run, { expiresAt }]) => ({ run, expiresAt }));
      return all.toSorted((a, b) => a.expiresAt - b.expiresAt);
    },
    async drop(run) {
      kept.delete(run);
    },
    async setAside(run) {
      kept.delete(run);
    },
  };

  const noted = new Map<string, Map<string, Exception>>();
  const exceptions: Exceptions = {
    async note(more) {
      for (const one of more) {
        const units = noted.get(one.about) ?? new Map<string, Exception>();
        noted.delete(one.about);
        noted.set(one.about, units.set(one.unit, { ...one, at: clock.nowMs }));
      }
      for (const [about, units] of noted) {
        const latest = Math.max(...[...units.values()].map(({ at }) => at));
        if (latest <= clock.nowMs - EXCEPTION_MS || noted.size > MOST_EXCEPTIONS) noted.delete(about);
      }
    },
    async about(key) {
      return [...(noted.get(key)?.values() ?? [])];
    },
  };

  const alive = new Map<string, { worker: AliveWorker; endsAt: number }>();
  const workers: Workers = {
    async renew(id, worker, forMs) {
      alive.set(id, { worker, endsAt: clock.nowMs + forMs });
    },
    async end(id) {
      alive.delete(id);
    },
    async list() {
      return [...alive.values()].flatMap(({ worker, endsAt }) => (endsAt > clock.nowMs ? worker : []));
    },
  };

  const parts = new Map<string, { adds: number; readonly texts: Map<string, string> }>();
  const wholes = new Map<string, { readonly beganAt: number; readonly texts: ReadonlyMap<string, string> }>();
  const accounts: AccountIndex = {
    async add({ scan, attribute }, more) {
      const part = parts.get(`${scan} ${attribute}`) ?? { adds: 0, texts: new Map<string, string>() };
      for (const [name, text] of accountTexts(more)) part.texts.set(name, together(part.texts.get(name), text));
      part.adds += 1;
      parts.set(`${scan} ${attribute}`, part);
    },
    async drop({ scan, attribute }) {
      parts.delete(`${scan} ${attribute}`);
    },
    async finish({ scan, pool, attribute, beganAt }, adds) {
      const part = parts.get(`${scan} ${attribute}`) ?? { adds: 0, texts: new Map<string, string>() };
      parts.delete(`${scan} ${attribute}`);
      const last = wholes.get(`${pool} ${attribute}`);
      if (part.adds !== adds || (last && last.beganAt > beganAt)) return false;
      wholes.set(`${pool} ${attribute}`, { beganAt, texts: part.texts });
      return true;
    },
    async find({ pool, attribute }, name) {
      const whole = wholes.get(`${pool} ${attribute}`);
      return { found: accountIn(whole?.texts.get(name)), ...(whole ? { scannedAt: whole.beganAt } : {}) };
    },
    async scanned(pool) {
      const theirs = [...wholes].filter(([key]) => key.startsWith(`${pool} `));
      return new Map(theirs.map(([key, { beganAt }]) => [key.slice(pool.length + 1), beganAt]));
    },
  };

  return { holds, exceptions, beforeImages, reservations, plans, workers, accounts };
}
