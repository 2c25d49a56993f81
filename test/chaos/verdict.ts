/** The invariants, held against what the run's model, the store, its keys, the logs and the emulator's log say. */
import { imbalance, type Books } from "../../src/core/books.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { UserState } from "../../src/core/mailbox.ts";
import { ordinalOf as ordinalOfVersion, timeOf } from "../../src/core/version.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { flagOf } from "../../src/core/unit.ts";
import type { Ask } from "./asks.ts";
import {
  CALL_LASTS_MS,
  isOfVersion,
  mayBeLostBetween,
  SETTLED_WITHIN_MS,
  wasWrittenLate,
  withPartner,
  type Evidence,
} from "./evidence.ts";
import type { BrokenDocument } from "./breaking.ts";
import type { GateRecords } from "./gate-records.ts";
import {
  changeIdOf,
  foundText,
  lostFrom,
  saidBy,
  type Broken,
  type GoingBack,
  type LoggedWrite,
  type Model,
  type SentChange,
} from "./model.ts";
import { poolHistory } from "./pool-history.ts";
import type { Service } from "./service.ts";
import type { Marks } from "./standing.ts";

export interface Verdict {
  readonly invariant: number;
  readonly title: string;
  readonly holds: boolean;
  /** What was counted. */
  readonly facts: Readonly<Record<string, number | string>>;
  /** The first few that break it. */
  readonly broken: readonly string[];
}

const SHOWN = 8;

export function verdict(invariant: number, title: string, facts: Verdict["facts"], broken: readonly string[]): Verdict {
  const more = broken.length > SHOWN ? [`and ${broken.length - SHOWN} more`] : [];
  return { invariant, title, facts, holds: broken.length === 0, broken: [...broken.slice(0, SHOWN), ...more] };
}

/**
 * A look at all books while nobody writes, and at the emulator's log: what does not add up. Of a run whose record is
 * broken the books go on. What a document held that was set aside is reckoned first.
 */
export async function auditBooks(
  engine: Pick<Engine, "store">,
  service: Pick<Service, "writes">,
  broken: readonly BrokenDocument[] = [],
): Promise<{ readonly wrong: string[]; readonly total: Books }> {
  const { runs, mailboxes, damaged } = engine.store;
  if (broken.length > 0) {
    await mailboxes.recount();
    await damaged.reckon();
  }
  const counted = await mailboxes.recount();
  const wrong: string[] = [];
  const sum: Record<string, number> = {};
  const known = [...(await runs.list(100_000)), ...broken.filter(({ kind }) => kind === "run").map(runOfRecord)];
  const ids = new Set([...known.map(({ id }) => id), ...counted.keys()]);
  for (const id of ids) {
    const books = await runs.books(id);
    if (imbalance(books) !== 0) wrong.push(`${id} is out of balance by ${imbalance(books)}: ${JSON.stringify(books)}`);
    const { pending, dead } = counted.get(id) ?? { pending: 0, dead: 0 };
    if (pending !== books.pending) wrong.push(`${id} has ${pending} pending, and its books say ${books.pending}`);
    if (dead !== books.dead) wrong.push(`${id} has ${dead} dead, and its books say ${books.dead}`);
    for (const [term, count] of Object.entries(books)) {
      if (count < 0) wrong.push(`${term} of ${id} is ${count}`);
      sum[term] = (sum[term] ?? 0) + count;
    }
  }
  const total = await runs.books();
  if (imbalance(total) !== 0) wrong.push(`the total is out of balance by ${imbalance(total)}`);
  for (const [term, count] of Object.entries(total)) {
    if (count !== (sum[term] ?? 0))
      wrong.push(`in total ${term} is ${count}, and the runs add up to ${sum[term] ?? 0}`);
  }
  const written = unitsWritten(await service.writes());
  if (total.applied > written) {
    wrong.push(`applied is ${total.applied}, and the emulator's log has ${written} units`);
  }
  return { wrong, total };
}

const runOfRecord = ({ place }: BrokenDocument): { readonly id: string } => ({ id: place });

/**
 * How many units of changes the pool has taken from poolsync. A change that was put twice may be applied twice, where nobody knew that
 * it was there: each time is a write.
 */
function unitsWritten(writes: readonly LoggedWrite[]): number {
  const values = writes.flatMap(({ attributes, others }) => (others === true ? [] : Object.values(attributes)));
  return values.filter((value) => changeIdOf(value) !== undefined).length;
}

export interface Standing {
  readonly model: Model;
  readonly engine: Pick<Engine, "store">;
  readonly writes: readonly LoggedWrite[];
  readonly attributes: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly states: ReadonlyMap<string, UserState>;
  readonly userKeys: ReadonlyMap<string, string>;
  readonly letters: readonly Letter[];
  /** Single requests that were answered, or are to be. */
  readonly asks: readonly Ask[];
  readonly gates: GateRecords;
  readonly broken: readonly BrokenDocument[];
  readonly evidence: Evidence;
}

/** 1: the books, by recount, and against the model and the emulator's log. */
export async function judgeBooks(on: Standing, checkpoints: readonly string[], looks: number): Promise<Verdict> {
  const { wrong, total } = await auditBooks(on.engine, { writes: async () => on.writes }, on.broken);
  const { least, most } = on.model.units();
  if (total.received > most) wrong.push(`received is ${total.received}, and ${most} units were sent at most`);
  const facts = {
    ...total,
    acknowledged: least,
    sentAtMost: most,
    writes: on.writes.length,
    unitsWritten: unitsWritten(on.writes),
  };
  return verdict(1, "the books balance", { looks: looks + 1, ...facts }, [...checkpoints, ...wrong]);
}

/**
 * 4: nothing acknowledged is lost. A file that was put was received to its last unit and no unit twice, however often
 * its command was killed and Redis lost its last second; of a change that was never acknowledged all is there, or nothing.
 */
export async function judgeKept(
  on: Standing,
  files: ReadonlyMap<string, number>,
  unacknowledged: number,
): Promise<Verdict> {
  const { runs } = on.engine.store;
  const wrong: string[] = [];
  if (unacknowledged > 0) wrong.push(`${unacknowledged} were not acknowledged in the end`);
  const { least } = on.model.units();
  const { received } = await runs.books();
  if (received < least) wrong.push(`received is ${received}, and ${least} units were acknowledged`);
  let whole = 0;
  for (const { id, feed, state } of await runs.list(100_000)) {
    const units = files.get(feed);
    if (units === undefined || state === "reading" || state === "cancelled") continue;
    whole += 1;
    const books = await runs.books(id);
    if (books.received !== units) wrong.push(`${id} received ${books.received} units of the ${units} of ${feed}`);
  }
  for (const one of unitsNotThere(on).filter(({ half }) => half)) {
    wrong.push(`${one.expected} is half there: ${one.username} ${one.attribute} is ${one.found}`);
  }
  const facts = { unacknowledged, filesPutWhole: whole, files: files.size };
  return verdict(4, "nothing acknowledged is lost, nothing is half applied", facts, wrong);
}

/** Units whose newest change is neither in the pool, nor was before somebody else wrote, nor is in a dead letter. */
function unitsNotThere({ model, writes, attributes, userKeys, letters }: Standing): Broken[] {
  const inOrder = letters.toSorted((a, b) => (a.version < b.version ? -1 : 1));
  const deadUnits = new Map(inOrder.map((letter) => [`${letter.user} ${letter.unit}`, letter]));
  const isDead = (change: { username: string; ordinal?: string }, attribute: string): boolean => {
    const letter = deadUnits.get(`${userKeys.get(change.username)} ${attribute}`);
    return letter !== undefined && (change.ordinal === undefined || ordinalOfVersion(letter.version) >= change.ordinal);
  };
  const final = (username: string, attribute: string): { value: string | undefined; verified: boolean } => {
    const there = attributes.get(username) ?? {};
    return { value: there[attribute], verified: there[flagOf(attribute) ?? ""] === "true" };
  };
  return model
    .broken(final, poolHistory(writes), isDead)
    .filter(({ expected, attribute }) => !gaveWayTwice(model, expected, attribute));
}

function gaveWayTwice(model: Model, id: string, attribute: string): boolean {
  const change = model.changes.get(id);
  return change !== undefined && model.gaveWayTwice(change, attribute);
}

/** 2: the newest acknowledged value is there. */
export function judgeValues(on: Standing): Verdict {
  const { model, writes, attributes, states, letters } = on;
  const found = unitsNotThere(on).filter(({ half }) => !half);
  const wrong = found.map(
    ({ username, attribute, expected, found: there }) =>
      `${username} ${attribute}: expected ${expected}, found ${there}; ${historyOf(model, writes, username, attribute)}; ledger ${
        states.get(username)?.ledger[attribute]?.version ?? "none"
      }`,
  );
  const touched = touchedByLosses(on);
  const history = poolHistory(writes);
  let known = 0;
  let unknown = 0;
  // The ledger says what is there.
  for (const [username, { ledger }] of states) {
    for (const [attribute, { version, fencedOver, outcome }] of Object.entries(ledger)) {
      const value = attributes.get(username)?.[attribute];
      // Of who is named by an address, a call of unknown fate may end as a letter that no replay mends.
      const said = model.saying(value).filter(({ name }) => name === undefined);
      const ordinals = said.flatMap(({ ordinal }) => ordinal ?? []);
      if (ordinals.length === 0) continue;
      const lostAt = touched.get(`${username} ${attribute}`) ?? -Infinity;
      if ((history.of(username, attribute).at(-1)?.from ?? 0) <= lostAt + LOST_SHOWS_FOR_MS) {
        unknown += 1;
        continue;
      }
      known += 1;
      // Of a call whose fate nobody knows, what was there before may be there still: its value may have been cancelled since.
      const before = outcome === "unresolved" ? fencedOver : undefined;
      const mayBe = [version, ...(before === undefined ? [] : [before])].map(ordinalOfVersion);
      if (!mayBe.some((ordinal) => ordinals.includes(ordinal))) {
        wrong.push(
          `${username} ${attribute}: the ledger says ${version}, the pool has ${changeIdOf(value)} of ${ordinals.join(" and ")}; ${historyOf(model, writes, username, attribute)}`,
        );
      }
    }
  }
  const acked = [...model.changes.values()].filter(({ ackedAt }) => ackedAt !== undefined).length;
  let left = 0;
  for (const { stays } of history.units) if (stays.at(-1)?.others === true) left += 1;
  const facts = { users: attributes.size, changes: model.changes.size, acknowledged: acked, letters: letters.length };
  return verdict(
    2,
    "every value is the newest that was acknowledged, or what somebody else wrote over it",
    { ...facts, ledgerEntriesCompared: known, ledgerEntriesMaybeLost: unknown, lastWrittenByOthers: left },
    wrong,
  );
}

/** What was under way when Redis lost something comes no later: its settle may tell the ledger of a value that was lost. */
const LOST_SHOWS_FOR_MS = 60_000;

/**
 * Units that a loss can have touched, by user, with the end of the last such loss: something of them was put while Redis
 * lost what it had, or written so shortly before that the settle may be gone. Of no other unit has the store forgotten
 * anything, and nothing of what is written later.
 */
function touchedByLosses({ model, writes }: Pick<Standing, "model" | "writes">): ReadonlyMap<string, number> {
  const touched = new Map<string, number>();
  const touch = (username: string, attributes: readonly string[], from: number, to: number): void => {
    for (const unit of attributes.flatMap(withPartner)) {
      for (const loss of model.lossesOf(username, unit)) {
        if (!mayBeLostBetween([loss], from, to)) continue;
        const key = `${username} ${unit}`;
        touched.set(key, Math.max(touched.get(key) ?? 0, loss.to));
      }
    }
  };
  for (const { username, attributes, sentAt, ackedAt = Infinity } of model.changes.values())
    touch(username, attributes, sentAt, ackedAt);
  for (const { at, username, attributes, others = false } of writes)
    if (!others) touch(username, Object.keys(attributes), at, at + SETTLED_WITHIN_MS);
  return touched;
}

/** The last writes of a unit, for a report. */
export function historyOf(model: Model, writes: readonly LoggedWrite[], username: string, unit: string): string {
  const stays = poolHistory(writes.filter((write) => write.username === username)).of(username, unit);
  const said = stays.slice(-5).map((stay) => {
    const by = model
      .saying(stay.value)
      .map(({ id, ordinal = "no version", sentAt, ackedAt }) => `${id} of ${ordinal}, put ${sentAt}-${ackedAt}`);
    return `#${stay.seq} at ${stay.from}: ${foundText(stay)} (${stay.others ? "somebody else" : by.join("; ")})`;
  });
  return `writes: ${said.join(", ")}`;
}

export type WayBack =
  | "applied after it was given up"
  | "suspended before its write"
  | "lost writes of Redis"
  | "by a call of a store that was emptied"
  | "over a cancelled call that nobody heard of";

/** 3: no value goes back, but in the known ways, each known by its evidence. */
export function judgeOrder({ model, writes, userKeys, evidence }: Standing): Verdict {
  const backs = model.goingsBack(writes);
  const windows = new Map<WayBack, number[]>();
  const wrong: string[] = [];
  for (const back of backs) {
    const way = wayOf(back, model, evidence, userKeys);
    if (way === undefined) {
      wrong.push(
        `${back.username} ${back.attribute} went back from ${back.from} to ${back.to} at ${back.at} (#${back.seq}); ${historyOf(model, writes, back.username, back.attribute)}`,
      );
      continue;
    }
    const ms = windows.get(way) ?? [];
    windows.set(way, ms);
    ms.push((back.restoredAt ?? Infinity) - back.at);
  }
  const facts: Record<string, number | string> = { writes: writes.length, wentBack: backs.length };
  for (const [way, ms] of windows) {
    const restored = ms.filter(Number.isFinite);
    facts[way] = `${ms.length} times, put right ${restored.length} times, after ${Math.max(0, ...restored)} ms at most`;
  }
  return verdict(3, "no value goes back, but in the known ways", facts, wrong);
}

/** The known way in which a value went back; undefined for none. */
export function wayOf(
  back: GoingBack,
  model: Model,
  { lateSettles, unheard, settles, claims }: Evidence,
  userKeys: ReadonlyMap<string, string>,
): WayBack | undefined {
  const { username, attribute, seq, at, newerAt, newerLastAt } = back;
  // It was begun before the newer value was sent: who begins it later knows better.
  if (unheard.has(seq) && newerLastAt >= at - CALL_LASTS_MS) return "applied after it was given up";
  const older = model.changes.get(back.to);
  const said = older === undefined ? [] : model.saying(saidBy(older, attribute));
  const late = wasWrittenLate(lateSettles, { user: userKeys.get(username), unit: attribute, said, at });
  // The doubt puts the newest value back: where nothing did, a late settle is no excuse.
  if (late && back.restoredAt !== undefined) return "suspended before its write";
  // The store forgot the newer value, or that it had been applied.
  const newer = model.changes.get(back.from);
  const user = userKeys.get(username);
  /** True where somebody claimed this very value of the unit in that time. */
  const isClaimed = (change: SentChange | undefined, from: number, to: number): boolean =>
    claims.some(({ user: whose, askedAt, units }) => {
      if (whose !== user || askedAt <= from || askedAt > to) return false;
      const claimed = units[attribute];
      return change !== undefined && claimed !== undefined && isOfVersion(change, claimed.version);
    });
  const losses = model.lossesOf(username, attribute);
  const lost = losses.some((loss) => {
    if (lostFrom(loss) > at) return false;
    // A store that was emptied knows of what it has claimed itself since.
    if (loss.at !== undefined) return !isClaimed(newer, loss.to, at);
    const forgot = newerAt <= loss.to && newerLastAt >= loss.from - SETTLED_WITHIN_MS;
    return forgot || (newer !== undefined && mayBeLostBetween([loss], newer.sentAt, newer.ackedAt ?? Infinity));
  });
  if (lost) return "lost writes of Redis";
  // Nobody could settle it, and the store of now knows nothing of it.
  const isOfEmptied = model.losses.some(({ to, at: emptiedAt }) => {
    if (emptiedAt === undefined || emptiedAt > at) return false;
    return isClaimed(older, at - CALL_LASTS_MS, to) && !isClaimed(older, to, at);
  });
  if (isOfEmptied) return "by a call of a store that was emptied";
  // What it had superseded is put back, and nobody knew that it had been applied.
  const isCancelled = newer !== undefined && model.isForgone(newer);
  const wasHeard = settles.some(({ user: whose, units, failed }) => {
    const told = whose === user && !failed ? units[attribute] : undefined;
    return told?.is === "applied" && newer !== undefined && isOfVersion(newer, told.version);
  });
  return isCancelled && !wasHeard ? "over a cancelled call that nobody heard of" : undefined;
}

/** 8: who has no clock gets the store's time. */
export function judgeClocks({ model, attributes, states }: Standing, slackMs: number): Verdict {
  const wrong: string[] = [];
  let compared = 0;
  for (const [username, { ledger }] of states) {
    for (const [attribute, { version }] of Object.entries(ledger)) {
      const said = model.saying(attributes.get(username)?.[attribute]);
      const put = said.flatMap((change) => {
        const { ordinal, sentAt, ackedAt, times } = change;
        const isKnown = ordinal === undefined && ackedAt !== undefined && times === 1 && !model.mayBeLost(change);
        return isKnown ? [{ sentAt, ackedAt }] : [];
      });
      if (put.length === 0 || put.length < said.length) continue;
      compared += 1;
      const at = timeOf(version);
      if (!put.some(({ sentAt, ackedAt }) => at >= sentAt - slackMs && at <= ackedAt + slackMs)) {
        const between = put.map(({ sentAt, ackedAt }) => `between ${sentAt} and ${ackedAt}`);
        wrong.push(`${username} ${attribute}: version ${at}, put ${between.join(" or ")}`);
      }
    }
  }
  return verdict(8, "who has no clock gets the store's time", { compared }, wrong);
}

/** 9: values and usernames are in no log, and in Redis only in mailboxes and letters, and usernames in links. */
export function judgeSecrets({ lines, marked }: Marks, telling: readonly string[]): Verdict {
  const wrong = [...marked, ...telling.map((key) => `${key} in Redis holds a value or a username`)];
  if (lines === 0) wrong.push("there was no log to look at");
  return verdict(
    9,
    "no value and no username is in a log, or in Redis outside mailboxes, letters and links",
    { logLines: lines },
    wrong,
  );
}
