/**
 * What the pool took, call by call, against what the processes say they settled, and both against the books: from below,
 * where invariant 1 has it from above.
 */
import { ABANDONED_CALL_MS } from "../../src/core/mailbox.ts";
import {
  HELD_UP_MS,
  isOfVersion,
  mayBeLostBetween,
  withPartner,
  type End,
  type Evidence,
  type ToldSettle,
} from "./evidence.ts";
import { changeIdOf, type SentChange } from "./model.ts";
import { verdict, type Standing, type Verdict } from "./verdict.ts";

/** A unit of a call whose caller was there when it was applied. */
interface HeardUnit {
  readonly seq: number;
  readonly at: number;
  readonly username: string;
  readonly unit: string;
  readonly said: readonly SentChange[];
  /** When the process said what became of it; undefined as long as no line does. */
  toldAt?: number;
}

/** What a line of a log says of one unit. */
interface ToldUnit {
  readonly at: number;
  readonly user: string;
  readonly unit: string;
  readonly version: string;
  readonly is: "applied" | "late" | "unresolved" | "failed" | "buried" | "doubted";
}

/** What a run leaves is read so soon after its last write. */
const READ_WITHIN_MS = 180_000;
/** As long as the store is away a settle waits, and with it the line that tells of it. */
const TOLD_WITHIN_MS = 60_000;
/**
 * So many calls a process has in flight, at most, and each is one until it is settled: the default of commands and of the
 * library. Workers of a run have fewer.
 */
const MOST_IN_FLIGHT = 10;

/**
 * 1: what was answered is settled, and counted. Each unit that the pool took, and whose caller was there, was settled as
 * applied; or the log says that the settle failed or came too late, or that no answer was heard; or it is one of the few
 * that a process had under way when it ended. And `applied` is no less than what was settled, but for what a doubt or a
 * burial had sent once more, and what Redis may have forgotten.
 */
export async function judgeSettled(on: Standing): Promise<Verdict> {
  const { model, evidence } = on;
  const heard = heardUnits(on);
  const told = toldUnits(evidence);
  const wrong: string[] = [];

  const byUnit = Map.groupBy(heard, ({ username, unit }) => keyOf(on.userKeys.get(username) ?? "", unit));
  const match = (line: ToldUnit): HeardUnit | undefined => {
    // A line of no answer may come before a write that was held up.
    const until = line.is === "applied" ? line.at : line.at + HELD_UP_MS;
    const found = byUnit.get(keyOf(line.user, line.unit))?.findLast(({ toldAt, at, said }) => {
      if (toldAt !== undefined || at > until || at < line.at - TOLD_WITHIN_MS) return false;
      return said.some((change) => isOfVersion(change, line.version));
    });
    if (found) found.toldAt = line.at;
    return found;
  };
  /** When the pool took what must have been counted since, by user and unit. */
  const booked = new Map<string, number[]>();
  const bookedOf = (user: string, unit: string): number[] => booked.get(keyOf(user, unit)) ?? [];
  /** Leaves out one of those that were taken by then. */
  function leaveOut(user: string, unit: string, until: number): void {
    const taken = bookedOf(user, unit);
    const index = taken.findLastIndex((at) => at <= until);
    if (index !== -1) taken.splice(index, 1);
  }
  const mayKeep = keeping(on);
  let settled = 0;
  let maybeLost = 0;
  for (const line of told.filter(({ is }) => is === "applied")) {
    const unit = match(line);
    if (!unit) {
      wrong.push(`${line.unit} of ${line.user} was settled as applied at ${line.at}, and the pool took no such write`);
      continue;
    }
    settled += 1;
    if (mayBeLostBetween(model.losses, unit.at, line.at)) maybeLost += 1;
    else booked.set(keyOf(line.user, line.unit), [...bookedOf(line.user, line.unit), unit.at]);
  }
  let excused = 0;
  for (const line of told) {
    if (line.is === "late" || line.is === "unresolved" || line.is === "failed") excused += match(line) ? 1 : 0;
    // What was counted is taken back, or what is under way is not counted, once for each.
    else if (line.is === "doubted") leaveOut(line.user, line.unit, Infinity);
    // What was settled before may be sent once more.
    else if (line.is === "buried" && mayKeep(line))
      for (const unit of withPartner(line.unit)) leaveOut(line.user, unit, line.at);
  }
  const left = heard.filter(({ toldAt }) => toldAt === undefined);
  const unexplained = withoutEnded(left, evidence.ends);
  for (const { seq, at, username, unit } of unexplained)
    wrong.push(`#${seq} at ${at}: ${username}'s ${unit} was taken while its caller was there, and never settled`);

  const least = [...booked.values()].reduce((sum, { length }) => sum + length, 0);
  const { applied } = await on.engine.store.runs.books();
  if (applied < least) wrong.push(`applied is ${applied}, and ${least} units must have been counted`);
  if (heard.length > 0 && settled === 0) wrong.push("no log tells of a settle");
  const facts = {
    heard: heard.length,
    settled,
    notHeardOrLate: excused,
    endedMeanwhile: left.length - unexplained.length,
    maybeLost,
    appliedAtLeast: least,
    applied,
  };
  return verdict(1, "what the pool took is settled, and counted as applied", facts, wrong);
}

const keyOf = (user: string, unit: string): string => `${user} ${unit}`;

function heardUnits({ model, writes }: Standing): HeardUnit[] {
  return writes.flatMap(({ seq, at, username, attributes, others = false, unanswered = false }) => {
    if (others || unanswered) return [];
    const ours = Object.entries(attributes).filter(([, value]) => changeIdOf(value) !== undefined);
    return ours.map(([unit, value]) => ({ seq, at, username, unit, said: model.saying(value) }));
  });
}

/**
 * Answers of what unit a value may have been kept that was settled before, to be sent once more for a burial: where a
 * claim ended without a settle. The store remembers such a claim for 15 minutes.
 */
function keeping({ userKeys, states, writes }: Standing): (line: Pick<ToldUnit, "user" | "unit">) => boolean {
  const [from = 0, to = 0] = [writes[0]?.at, writes.at(-1)?.at];
  if (to - from > ABANDONED_CALL_MS - READ_WITHIN_MS) return () => true;
  const abandoned = new Set<string>();
  for (const [username, { mailbox }] of states) {
    const user = userKeys.get(username) ?? "";
    for (const unit of Object.keys(mailbox?.abandonedCalls ?? {})) abandoned.add(keyOf(user, unit));
  }
  return ({ user, unit }) => withPartner(unit).some((name) => abandoned.has(keyOf(user, name)));
}

/** In the order in which they were told. */
function toldUnits({ settles, lateSettles }: Evidence): readonly ToldUnit[] {
  const late = lateSettles.flatMap(({ user, at, written, doubted }) => [
    ...Object.entries(written).map(([unit, version]) => ({ at, user, unit, version, is: "late" as const })),
    ...doubted.map((unit) => ({ at, user, unit, version: "", is: "doubted" as const })),
  ]);
  const inTime = settles.flatMap((settle) =>
    Object.entries(settle.units).flatMap(([unit, { version, ...outcome }]) => {
      const { user, at } = settle;
      return kindsOf(settle, outcome).map((is) => ({ at, user, unit, version, is }));
    }),
  );
  return [...late, ...inTime].toSorted((a, b) => a.at - b.at);
}

/** What it says of a write, and of what was booked before. Of a settle that failed nobody knows whether it was taken. */
function kindsOf(
  { failed }: ToldSettle,
  { is, fateUnknown }: { readonly is: string; readonly fateUnknown: boolean },
): readonly ToldUnit["is"][] {
  const buried = is === "bury" ? (["buried"] as const) : [];
  if (failed) return ["failed", ...buried];
  if (is === "applied") return ["applied"];
  return fateUnknown ? ["unresolved", ...buried] : buried;
}

/** Without the units of calls that a process may have had in flight when it ended, as many as it may have had. */
function withoutEnded(left: readonly HeardUnit[], ends: readonly End[]): readonly HeardUnit[] {
  let calls = [...new Map(left.map((one) => [one.seq, one])).values()];
  const explained = new Set<number>();
  for (const { at } of ends.toSorted((a, b) => a.at - b.at)) {
    // The oldest first: no later end explains them.
    const own = calls.filter((call) => call.at <= at && call.at >= at - TOLD_WITHIN_MS).slice(0, MOST_IN_FLIGHT);
    for (const { seq } of own) explained.add(seq);
    calls = calls.filter(({ seq }) => !explained.has(seq));
  }
  return left.filter(({ seq }) => !explained.has(seq));
}
