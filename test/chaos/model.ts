/**
 * What every user must end as, from what was acknowledged. Every value that a run writes names the change that it comes
 * from, so that the emulator's write log can be read as a history of changes.
 */
import { flagOf } from "../../src/core/unit.ts";
import { ordinalText } from "../../src/core/version.ts";
import { wasThere, type PoolHistory, type Stay } from "./pool-history.ts";

/** The file that a change is a row of; undefined for single ones. */
export function fileOf(id: string): string | undefined {
  const [, kind, file] = /^([fm])(\d+)\./.exec(id) ?? [];
  return file === undefined ? undefined : `${kind === "f" ? "feed" : "names"}-${file}.csv`;
}

/** All values but phone numbers begin with it: no log line and no key may hold it, but those that hold values. */
export const MARK = "zQx7";
const PHONE_MARK = "+99707";

/** Sources whose values may be phone numbers, and the digit that stands for each there. */
const IN_NUMBERS: Readonly<Record<string, string>> = { q: "1", o: "2" };

/** True for what holds a value or a username of the run. */
export const tells = (text: string): boolean => text.includes(MARK) || text.includes(PHONE_MARK);

/** How long `enqueue()` believes what poolsync itself wrote. */
export const BELIEVED_MS = 3_600_000;

/** An address or number that a change names its person by. */
export interface Name {
  readonly contact: "email" | "phone_number";
  readonly value: string;
}

export interface SentChange {
  /** A letter or more, a dot, a number: the source and its count. */
  readonly id: string;
  /** The change whose values it says once more; absent where it says its own. */
  readonly says?: string;
  /** True where the pool is looked at or written, whatever poolsync remembers: for files and single requests. */
  readonly looks?: true;
  /** True where it was to be sent although somebody has paused it. */
  readonly despitePause?: true;
  /** True for what came with an event: it is put once, however often that was sent. */
  readonly once?: true;
  /** What it names its person by; where that is an address or a number, `name` says it as well. */
  readonly username: string;
  /** Whose person this is comes out only when it is looked up, and it may be another one each time: see named.ts. */
  readonly name?: Name;
  readonly attributes: readonly string[];
  /** By the source's clock; absent where the source has none, and gets the store's time. */
  readonly ordinal?: string;
  /** Epoch ms, by the clock of who runs it all. The store had it between these two, if it had it. */
  sentAt: number;
  ackedAt?: number;
  /** How often it was handed to a process that may have put it. */
  times: number;
  /** The same of the store that is there now, where it was handed to a process again after Redis was emptied. */
  again?: { readonly sentAt: number; ackedAt?: number };
}

/** Times in which a Redis lost what it had acknowledged: the changes of that time may be there or not. */
export interface Loss {
  readonly from: number;
  readonly to: number;
  readonly why: string;
  /** When all of it was lost at once, in a Redis that was emptied; else it went as time did. */
  readonly at?: number;
}

/**
 * A document of a user that somebody broke: of these units the store may have lost what it had received by then; with a
 * ledger, that it was applied.
 */
export interface BrokenUnits {
  readonly username: string;
  readonly units: readonly string[];
  readonly at: number;
  readonly isLedger: boolean;
}

export interface LoggedWrite {
  readonly seq: number;
  readonly at: number;
  readonly username: string;
  /** Tells accounts of one username apart. */
  readonly sub?: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  /** Where the account was made, or deleted, and not only written. */
  readonly deed?: "made" | "deleted" | undefined;
  /** Its caller had gone by then. */
  readonly unanswered?: boolean | undefined;
  /** Somebody else wrote it, and not poolsync. */
  readonly others?: boolean | undefined;
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
  if (attribute === "phone_number") {
    const [source = "", count = ""] = id.split(".");
    return `${PHONE_MARK}${IN_NUMBERS[source]}${count.padStart(7, "0")}`;
  }
  return attribute === "email" ? `${MARK}-${id}@example.com` : `${MARK}-${id}`;
}

/** The change that a value is of; undefined for what was there before the run. */
export function changeIdOf(value: string | undefined): string | undefined {
  const text = new RegExp(`^${MARK}-([A-Za-z0-9.]+?)(?:@example\\.com)?$`).exec(value ?? "")?.[1];
  if (text !== undefined || value?.startsWith(PHONE_MARK) !== true) return text;
  const digits = value.slice(PHONE_MARK.length);
  const [source] = Object.entries(IN_NUMBERS).find(([, digit]) => digits.startsWith(digit)) ?? [];
  return source === undefined ? undefined : `${source}.${Number(digits.slice(1))}`;
}

/** The value that a change says of an attribute. All of them mark contacts as verified. */
export const saidBy = ({ id, says = id }: Pick<SentChange, "id" | "says">, attribute: string): string =>
  valueOf(says, attribute);

/** True where what a change says is there, a contact with its flag. */
export function isSaid(
  change: Pick<SentChange, "id" | "says">,
  attribute: string,
  there: Pick<Stay, "value" | "verified">,
): boolean {
  return there.value === saidBy(change, attribute) && (there.verified || flagOf(attribute) === undefined);
}

/** By when something of it was lost: what came before shows nothing of it. */
export const lostFrom = ({ from, at = from }: Loss): number => at;

export const ordinalOf = (timeMs: number, sequence: number): string => ordinalText({ timeMs, sequence });

/** True where one change is older than the other, whatever happened: by their source's order, else by the store's. */
export function isOlder(one: SentChange, other: SentChange): boolean {
  if (one.ordinal !== undefined && other.ordinal !== undefined) return one.ordinal < other.ordinal;
  return one.ackedAt !== undefined && one.ackedAt < other.sentAt;
}

/** What is there, in a report. */
export function foundText({ value, verified }: Pick<Stay, "value" | "verified">): string {
  return `${changeIdOf(value) ?? "nothing of the run"}${verified ? ", verified" : ""}`;
}

export interface Model {
  readonly changes: ReadonlyMap<string, SentChange>;
  readonly losses: readonly Loss[];
  sent(change: Omit<SentChange, "sentAt" | "times">, at: number): void;
  acked(id: string, at: number): void;
  lost(loss: Loss): void;
  /** What the store may have lost of a unit that it knew to be applied. */
  lossesOf(username: string, unit: string): readonly Loss[];
  broke(units: BrokenUnits): void;
  /** So many units may be received once more, because the record of their run is gone. */
  mayRepeat(units: number): void;
  /** The run of a file was cancelled, at some time by then: nothing of it must be there. */
  forgo(file: string, at: number): void;
  isForgone(change: SentChange): boolean;
  /**
   * True where a value may have been superseded by two runs that were cancelled: what gives way twice is not put back,
   * because a value keeps one of those that gave way to it.
   */
  gaveWayTwice(change: SentChange, attribute: string): boolean;
  /** True for a change that the store may have had, and lost: with this unit, or else with any. */
  mayBeLost(change: SentChange, unit?: string): boolean;
  /** Changes that say this value, in the order in which they were sent first; none for what others wrote. */
  saying(value: string | undefined): readonly SentChange[];
  /** Everywhere the emulator's log goes back in version, in its order. */
  goingsBack(writes: readonly LoggedWrite[]): GoingBack[];
  /**
   * Every unit of which the pool does not have the newest value that the store must have had. Where somebody else wrote
   * last, it must have been there since it was asked for. `isDead` says whether a dead letter holds that change's value
   * of the attribute. Not of those who are named by an address or number.
   */
  broken(
    final: (username: string, attribute: string) => Pick<Stay, "value" | "verified">,
    history: PoolHistory,
    isDead: (change: SentChange, attribute: string) => boolean,
  ): Broken[];
  /** Units that the store must have received, and that it may have. */
  units(): { readonly least: number; readonly most: number };
}

export function createModel(): Model {
  const changes = new Map<string, SentChange>();
  const losses: Loss[] = [];
  const broke: BrokenUnits[] = [];
  let repeated = 0;
  const forgone = new Map<string, number>();
  const forgoneAt = ({ id }: SentChange): number | undefined => forgone.get(fileOf(id) ?? "");
  /** By the id of the change whose values they say. */
  const sayings = new Map<string, SentChange[]>();
  const saying = (value: string | undefined): readonly SentChange[] => sayings.get(changeIdOf(value) ?? "") ?? [];

  const isBroken = ({ username, sentAt, again }: SentChange, units: readonly string[]): boolean =>
    broke.some((one) => {
      if (one.username !== username || (again?.sentAt ?? sentAt) > one.at) return false;
      return one.units.some((name) => units.includes(name));
    });

  const mayBeLost = (change: SentChange, unit?: string): boolean => {
    const { sentAt, ackedAt = Infinity, again, attributes } = change;
    if (isBroken(change, unit === undefined ? attributes : [unit])) return true;
    if (again && again.ackedAt === undefined) return true;
    const put = again ? { sentAt: again.sentAt, ackedAt: again.ackedAt ?? Infinity } : { sentAt, ackedAt };
    return losses.some(({ from, to }) => put.sentAt <= to && put.ackedAt >= from);
  };

  /** The store has had it, and has it still. */
  function isSure(change: SentChange, attribute: string, seen: ReadonlySet<string>): boolean {
    if (mayBeLost(change, attribute) || forgoneAt(change) !== undefined) return false;
    // What was written had been put, also where nobody heard of it: all units of a change are put as one.
    const own = change.says ?? change.id;
    return change.ackedAt !== undefined || (seen.has(own) && sayings.get(own)?.length === 1);
  }

  const newestOf = (list: readonly SentChange[]): SentChange | undefined =>
    list.reduce<SentChange | undefined>((best, one) => (best && !isOlder(best, one) ? best : one), undefined);

  return {
    changes,
    losses,
    mayBeLost,
    saying,
    sent(change, at) {
      const known = changes.get(change.id);
      if (known) {
        known.times += 1;
        const emptied = losses.findLast(({ at: lostAt }) => lostAt !== undefined);
        if (emptied && (known.again?.sentAt ?? known.sentAt) <= emptied.to) known.again = { sentAt: at };
        return;
      }
      const sent = { ...change, sentAt: at, times: 1 };
      changes.set(change.id, sent);
      const own = change.says ?? change.id;
      sayings.set(own, [...(sayings.get(own) ?? []), sent]);
    },
    acked(id, at) {
      const change = changes.get(id);
      if (!change) return;
      change.ackedAt ??= at;
      if (change.again) change.again.ackedAt ??= at;
    },
    lost: (loss) => void losses.push(loss),
    lossesOf(username, unit) {
      const own = broke.filter((one) => one.isLedger && one.username === username && one.units.includes(unit));
      return [...losses, ...own.map(({ at }) => ({ from: 0, to: at, at, why: "a ledger broke" }))];
    },
    broke: (units) => void broke.push(units),
    mayRepeat: (units) => void (repeated += units),
    forgo: (file, at) => void forgone.set(file, at),
    isForgone: (change) => forgoneAt(change) !== undefined,
    gaveWayTwice(change, attribute) {
      const over = [...changes.values()].flatMap((one) => {
        const until = forgoneAt(one);
        const isOver = until !== undefined && until >= change.sentAt && !isOlder(one, change);
        const isSame = one.username === change.username && one.attributes.includes(attribute);
        return isOver && isSame ? [{ from: one.sentAt, until, file: fileOf(one.id) }] : [];
      });
      return over.some((one) =>
        over.some((other) => one.file !== other.file && one.from <= other.until && other.from <= one.until),
      );
    },
    goingsBack(writes) {
      const newest = new Map<string, { change: SentChange; readonly at: number; lastAt: number }>();
      const open = new Map<string, number>();
      const found: { -readonly [K in keyof GoingBack]: GoingBack[K] }[] = [];
      for (const { seq, at, username, sub = username, attributes } of writes) {
        for (const [attribute, value] of Object.entries(attributes)) {
          // One value may have been said more than once: at best by the newest change that had been sent by then, and at
          // least by the newest that was acknowledged.
          const said = saying(value).filter(({ sentAt }) => sentAt <= at);
          const change = newestOf(said);
          const least = newestOf(said.filter(({ ackedAt = Infinity }) => ackedAt <= at)) ?? said[0];
          if (!change || !least) continue;
          // What was written to an account that is gone says nothing of another of the same username.
          const unit = `${sub} ${attribute}`;
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
          if (before && saidBy(before.change, attribute) === value) {
            before.lastAt = at;
            before.change = least;
          } else newest.set(unit, { change: least, at, lastAt: at });
          const back = found[open.get(unit) ?? -1];
          if (back && open.delete(unit)) back.restoredAt = at;
        }
      }
      return found;
    },
    broken(final, history, isDead) {
      const seen = new Set<string>();
      for (const { stays } of history.units) for (const { value } of stays) seen.add(changeIdOf(value) ?? "");
      const newest = new Map<string, { change: SentChange; attribute: string }>();
      for (const change of changes.values()) {
        if (change.name !== undefined) continue;
        for (const attribute of change.attributes) {
          if (!isSure(change, attribute, seen)) continue;
          const unit = `${change.username} ${attribute}`;
          const best = newest.get(unit);
          if (!best || isOlder(best.change, change)) newest.set(unit, { change, attribute });
        }
      }
      const broken: Broken[] = [];
      for (const { change, attribute } of newest.values()) {
        const { username, id } = change;
        const isAsNew = (stay: Pick<Stay, "value" | "verified">): boolean =>
          saying(stay.value).some((one) => isSaid(one, attribute, stay) && !isOlder(one, change));
        const found = final(username, attribute);
        if (isAsNew(found) || isDead(change, attribute)) continue;
        const stays = history.of(username, attribute);
        const since = change.sentAt - (change.looks ? 0 : BELIEVED_MS);
        if (stays.at(-1)?.others === true && wasThere(stays, isAsNew, since)) continue;
        broken.push({
          half: change.ackedAt === undefined,
          username,
          attribute,
          expected: id,
          found: foundText(found),
        });
      }
      return broken;
    },
    units() {
      let least = 0;
      let most = repeated;
      for (const change of changes.values()) {
        if (change.ackedAt !== undefined && !mayBeLost(change)) least += change.attributes.length;
        most += change.attributes.length * (change.once ? 1 : change.times);
      }
      return { least, most };
    },
  };
}
