/**
 * What the logs of a run's processes, and the emulator's, say of single writes: who had gone, whose settle came too late,
 * what became of each unit, and who ended with something under way. A verdict excuses by it what it says, and no more.
 */
import { contactOf, flagOf } from "../../src/core/unit.ts";
import { ordinalOf, timeOf } from "../../src/core/version.ts";
import type { Loss, SentChange } from "./model.ts";

/** A settle that came too late: what its call wrote, or may have written, and what is sent once more for that. */
export interface LateSettle {
  readonly user: string;
  /** Epoch ms, of the log's line. */
  readonly at: number;
  /** Versions, by unit. */
  readonly written: Readonly<Record<string, string>>;
  readonly doubted: readonly string[];
}

/** A settle that the store took, or of which nobody heard whether it did. */
export interface ToldSettle {
  readonly user: string;
  readonly at: number;
  readonly units: Readonly<
    Record<string, { readonly is: string; readonly version: string; readonly fateUnknown: boolean }>
  >;
  readonly failed: boolean;
}

/** What a process had in hand from some moment on, which it had asked for. */
export interface ToldClaim {
  readonly user: string;
  readonly askedAt: number;
  /** It was made between the two: what is sent again after a lost connection may be made long after it was asked for. */
  readonly answeredAt: number;
  /** By unit. */
  readonly units: Readonly<Record<string, { readonly version: string; readonly run: string }>>;
}

/** A process that was killed, or ended by itself and not well. */
export interface End {
  readonly name: string;
  readonly at: number;
}

export interface Evidence {
  readonly lateSettles: readonly LateSettle[];
  /** Sequence numbers of writes whose caller had gone. */
  readonly unheard: ReadonlySet<number>;
  readonly settles: readonly ToldSettle[];
  readonly claims: readonly ToldClaim[];
  readonly ends: readonly End[];
}

export const NO_EVIDENCE: Evidence = { lateSettles: [], unheard: new Set(), settles: [], claims: [], ends: [] };

/** A settle follows its write by no more than a lease and a little: it may be lost where the write is not. */
export const SETTLED_WITHIN_MS = 10_000;
/**
 * By so much a call may be held up on its way, and be applied after its caller gave it up: see the faults of plan.ts. The
 * emulator may not know by then that the caller has gone.
 */
export const HELD_UP_MS = 8_000;
/** A call is begun no longer than this before it is applied: a lease, and the longest for which one is held back on purpose. */
export const CALL_LASTS_MS = 30_000;
/** A late settle comes so soon after its write, where the store is not away for long. */
const LATE_WITHIN_MS = 30_000;
/** How far a process that is given the store's time may see the store's clock from outside. */
export const CLOCK_SLACK_MS = 50;

/** True for a version that the change was given: its source's, or else the store's time when it was put. */
export function isOfVersion({ ordinal, sentAt, ackedAt = Infinity }: SentChange, version: string): boolean {
  if (ordinal !== undefined) return ordinalOf(version) === ordinal;
  const at = timeOf(version);
  return at >= sentAt - CLOCK_SLACK_MS && at <= ackedAt + CLOCK_SLACK_MS;
}

/** The unit itself, and its flag or contact: what touches the one touches the other. */
export function withPartner(unit: string): readonly string[] {
  const other = flagOf(unit) ?? contactOf(unit);
  return other === undefined ? [unit] : [unit, other];
}

/** A value of a unit that was written to a user at some time, and the changes that say it. */
export interface WrittenValue {
  /** The opaque key of the user. */
  readonly user: string | undefined;
  readonly unit: string;
  readonly said: readonly SentChange[];
  readonly at: number;
}

/** True where a late settle tells that this very value was written by a process that was suspended in its delivery. */
export function wasWrittenLate(lateSettles: readonly LateSettle[], { user, unit, said, at }: WrittenValue): boolean {
  return lateSettles.some((late) => {
    if (late.user !== user || late.at < at - HELD_UP_MS || late.at > at + LATE_WITHIN_MS) return false;
    return withPartner(unit).some((name) => {
      const version = late.written[name];
      return version !== undefined && said.some((change) => isOfVersion(change, version));
    });
  });
}

/** True where a late settle had cast a doubt on the unit by then, for which its newest value is sent once more. */
export function wasDoubted(
  lateSettles: readonly LateSettle[],
  { user, unit, at }: Omit<WrittenValue, "said">,
): boolean {
  const names = withPartner(unit);
  return lateSettles.some(
    (late) => late.user === user && late.at <= at + HELD_UP_MS && late.doubted.some((name) => names.includes(name)),
  );
}

/** True where a loss lies in the time from one moment to another: what was stored then may be gone. */
export function mayBeLostBetween(losses: readonly Loss[], from: number, to: number): boolean {
  return losses.some((loss) => loss.from <= to && loss.to >= from);
}
