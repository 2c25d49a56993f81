/** What the pool had, and when: the emulator's write log, carried out again by the emulator's own rules. */
import { contactOf, flagOf } from "../../src/core/unit.ts";
import { planUpdate } from "../../src/emulator/attribute-update.ts";
import type { LoggedWrite } from "./model.ts";

/** How long a value was there. A contact that is written with the same value and another flag begins another stay. */
export interface Stay {
  /** Undefined where there was none. */
  readonly value: string | undefined;
  /** Whether the flag says so; false for what has none. */
  readonly verified: boolean;
  /** Epoch ms of the write that put it there, and of the next one of the unit. */
  readonly from: number;
  to: number;
  /** Of the write that put it there; 0 for what was there at first. */
  readonly seq: number;
  /** True where somebody else wrote it, and not poolsync. */
  readonly others: boolean;
}

export interface PoolHistory {
  /** Every stay of a unit, the first from before all writes. */
  of(username: string, unit: string): readonly Stay[];
  /** Everybody's units that were written. */
  readonly units: Iterable<{ readonly username: string; readonly unit: string; readonly stays: readonly Stay[] }>;
}

/** This pool holds no value back, and asks nobody to confirm one. */
const RULES = { autoVerified: new Set<never>(), heldBack: new Set<never>() };

/** A user's attributes after a write. */
export function attributesAfter(
  attributes: ReadonlyMap<string, string>,
  written: LoggedWrite["attributes"],
): ReadonlyMap<string, string> {
  return planUpdate(RULES, { attributes, held: new Map() }, new Map(Object.entries(written))).attributes;
}

const BEFORE: Omit<Stay, "to"> = { value: undefined, verified: false, from: -Infinity, seq: 0, others: false };

export function poolHistory(writes: readonly LoggedWrite[]): PoolHistory {
  const users = new Map<string, ReadonlyMap<string, string>>();
  const units = new Map<string, { username: string; unit: string; stays: Stay[] }>();
  for (const { seq, at, username, attributes, others = false, deed } of writes) {
    const before = users.get(username) ?? new Map<string, string>();
    // Who is deleted has nothing any more, and who is made anew under the username begins with what it is made with.
    const after = deed === "deleted" ? new Map<string, string>() : attributesAfter(before, attributes);
    users.set(username, after);
    const written = deed === "deleted" ? before.keys() : Object.keys(attributes);
    for (const unit of new Set([...written].map((name) => contactOf(name) ?? name))) {
      const key = keyOf(username, unit);
      const { stays } = units.get(key) ?? { stays: [{ ...BEFORE, to: at }] };
      const last = stays.at(-1);
      if (last) last.to = at;
      const verified = after.get(flagOf(unit) ?? "") === "true";
      stays.push({ value: after.get(unit), verified, from: at, to: Infinity, seq, others });
      units.set(key, { username, unit, stays });
    }
  }
  return {
    of: (username, unit) => units.get(keyOf(username, unit))?.stays ?? [{ ...BEFORE, to: Infinity }],
    units: { [Symbol.iterator]: () => units.values() },
  };
}

const keyOf = (username: string, unit: string): string => `${username} ${unit}`;

/** True where something of this kind was there at some moment from one time to another. */
export function wasThere(
  stays: readonly Stay[],
  isIt: (stay: Stay) => boolean,
  from: number,
  to: number = Infinity,
): boolean {
  return stays.some((stay) => stay.from <= to && stay.to >= from && isIt(stay));
}
