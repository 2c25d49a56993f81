/**
 * What every user must end as, from what was acknowledged. Every value that a run writes names the change that it comes
 * from, so that the emulator's write log can be read as a history of changes.
 */
import { ordinalText } from "../../src/core/version.ts";

/** All values begin with it: no log line and no key may hold it, but those that hold values. */
export const MARK = "zQx7";

export interface SentChange {
  /** Letters, digits and dots. */
  readonly id: string;
  readonly username: string;
  readonly attributes: readonly string[];
  /** By the source's clock; absent where the source has none, and gets the store's time. */
  readonly ordinal?: string;
  /** Epoch ms, by the clock of who runs it all. The store had it between these two, if it had it. */
  sentAt: number;
  ackedAt?: number;
  /** How often it was handed to a process that may have put it. */
  times: number;
}

/** Times in which a Redis lost what it had acknowledged: the changes of that time may be there or not. */
export interface Loss {
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

export interface LoggedWrite {
  readonly seq: number;
  readonly at: number;
  readonly username: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Its caller had gone by then. */
  readonly unheard?: boolean | undefined;
}

/** A write of an older value over a newer one. */
export interface GoingBack {
  readonly seq: number;
  readonly at: number;
  readonly username: string;
  readonly attribute: string;
  readonly from: string;
  readonly to: string;
  /** When the newer value was written first and last. */
  readonly newerAt: number;
  readonly newerLastAt: number;
  /** When a value that is not older was written again; absent where none was. */
  readonly restoredAt?: number;
}

export interface Broken {
  /** True where it was never acknowledged, and one of its units was written: then all of them must be there. */
  readonly half: boolean;
  readonly username: string;
  readonly attribute: string;
  readonly expected: string;
  readonly found: string;
}

export function valueOf(id: string, attribute: string): string {
  return attribute === "email" ? `${MARK}-${id}@example.com` : `${MARK}-${id}`;
}

/** The change that a value comes from; undefined for what was there before the run. */
export function changeIdOf(value: string | undefined): string | undefined {
  return new RegExp(`^${MARK}-([A-Za-z0-9.]+?)(?:@example\\.com)?$`).exec(value ?? "")?.[1];
}

export const ordinalOf = (timeMs: number, sequence: number): string => ordinalText({ timeMs, sequence });

/** True where one change is older than the other, whatever happened: by their source's order, else by the store's. */
function isOlder(one: SentChange, other: SentChange): boolean {
  if (one.ordinal !== undefined && other.ordinal !== undefined) return one.ordinal < other.ordinal;
  return one.ackedAt !== undefined && one.ackedAt < other.sentAt;
}

export interface Model {
  readonly changes: ReadonlyMap<string, SentChange>;
  readonly losses: readonly Loss[];
  sent(change: Omit<SentChange, "sentAt" | "times">, at: number): void;
  acked(id: string, at: number): void;
  lost(loss: Loss): void;
  /** True for a change that the store may have had, and lost. */
  mayBeLost(change: SentChange): boolean;
  /** Everywhere the emulator's log goes back in version, in its order. */
  goingsBack(writes: readonly LoggedWrite[]): GoingBack[];
  /**
   * Every unit of which the pool does not have the newest value that the store must have had. `isDead` says whether a
   * dead letter holds that change's value of the attribute.
   */
  broken(
    final: (username: string, attribute: string) => string | undefined,
    writes: readonly LoggedWrite[],
    isDead: (change: SentChange, attribute: string) => boolean,
  ): Broken[];
  /** Units that the store must have received, and that it may have. */
  units(): { readonly least: number; readonly most: number };
}

export function createModel(): Model {
  const changes = new Map<string, SentChange>();
  const losses: Loss[] = [];

  const mayBeLost = ({ sentAt, ackedAt = Infinity }: SentChange): boolean =>
    losses.some(({ from, to }) => sentAt <= to && ackedAt >= from);

  /** The store has had it, and has it still. */
  function isSure(change: SentChange, seen: ReadonlySet<string>): boolean {
    if (mayBeLost(change)) return false;
    // What was written had been put, also where nobody heard of it: all units of a change are put as one.
    return change.ackedAt !== undefined || seen.has(change.id);
  }

  return {
    changes,
    losses,
    mayBeLost,
    sent(change, at) {
      const known = changes.get(change.id);
      if (known) known.times += 1;
      else changes.set(change.id, { ...change, sentAt: at, times: 1 });
    },
    acked(id, at) {
      const change = changes.get(id);
      if (change) change.ackedAt ??= at;
    },
    lost: (loss) => void losses.push(loss),
    goingsBack(writes) {
      const newest = new Map<string, { readonly change: SentChange; readonly at: number; lastAt: number }>();
      const open = new Map<string, number>();
      const found: { -readonly [K in keyof GoingBack]: GoingBack[K] }[] = [];
      for (const { seq, at, username, attributes } of writes) {
        for (const [attribute, value] of Object.entries(attributes)) {
          const change = changes.get(changeIdOf(value) ?? "");
          if (!change) continue;
          const unit = `${username} ${attribute}`;
          const before = newest.get(unit);
          if (before && isOlder(change, before.change)) {
            const newer = {
              from: before.change.id,
              newerAt: before.at,
              newerLastAt: before.lastAt,
            };
            found.push({ seq, at, username, attribute, to: change.id, ...newer });
            open.set(unit, found.length - 1);
            continue;
          }
          if (before?.change === change) {
            before.lastAt = at;
          } else newest.set(unit, { change, at, lastAt: at });
          const back = found[open.get(unit) ?? -1];
          if (back && open.delete(unit)) back.restoredAt = at;
        }
      }
      return found;
    },
    broken(final, writes, isDead) {
      const seen = new Set<string>();
      for (const { attributes } of writes) {
        for (const value of Object.values(attributes)) seen.add(changeIdOf(value) ?? "");
      }
      const newest = new Map<string, { change: SentChange; attribute: string }>();
      for (const change of changes.values()) {
        if (!isSure(change, seen)) continue;
        for (const attribute of change.attributes) {
          const unit = `${change.username} ${attribute}`;
          const best = newest.get(unit);
          if (!best || isOlder(best.change, change)) newest.set(unit, { change, attribute });
        }
      }
      const broken: Broken[] = [];
      for (const { change, attribute } of newest.values()) {
        const { username, id } = change;
        const foundId = changeIdOf(final(username, attribute));
        const there = changes.get(foundId ?? "");
        if (there && !isOlder(there, change)) continue;
        if (isDead(change, attribute)) continue;
        broken.push({
          half: change.ackedAt === undefined,
          username,
          attribute,
          expected: id,
          found: foundId ?? "nothing of the run",
        });
      }
      return broken;
    },
    units() {
      let least = 0;
      let most = 0;
      for (const change of changes.values()) {
        if (change.ackedAt !== undefined && !mayBeLost(change)) least += change.attributes.length;
        most += change.attributes.length * change.times;
      }
      return { least, most };
    },
  };
}
