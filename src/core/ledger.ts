/** What a draft's ledger has of a unit, and what follows from it: the same for all steps. */
import { defined } from "./defined.ts";
import { otherOf, type Draft } from "./draft.ts";
import type { Ledger, LedgerEntry, QueuedUnit, ReplacedUnit } from "./mailbox.ts";
import { isSuccessor } from "./person.ts";
import { contactOf, isContact } from "./unit.ts";

/** The ledger's account of a call that went by the username. */
export const NOT_LOOKED_AT = "";

/** By which change, when, and how a unit was settled last: see LedgerEntry. */
type Ending = Pick<LedgerEntry, "run" | "outcome" | "settledAt" | "fencedOver">;

/** A value that was found there, or is taken for there. */
export const unchangedBy = ({ run }: Pick<QueuedUnit, "run">, nowMs: number): Ending => ({
  run,
  outcome: "unchanged",
  settledAt: nowMs,
});

/**
 * What the ledger has of a unit from here on. `at`: a call of ours may have changed it then; the last such time stays.
 * `account`: the account that has the value; unless given, the one from before, and so is `ending`.
 */
export function enter(
  d: Draft,
  name: string,
  version: string,
  digest: string,
  {
    at,
    account,
    ending,
  }: { readonly at?: number; readonly account?: string | undefined; readonly ending?: Ending } = {},
): void {
  const before = d.ledger[name];
  const last = at === undefined || (before?.at !== undefined && before.at > at) ? before?.at : at;
  const whose = account ?? before?.account ?? NOT_LOOKED_AT;
  const isTheirs = before?.account === undefined || before.account === whose;
  const writer = before?.outcome === "unchanged" ? before.writtenBy : before?.run;
  d.ledger[name] = defined({
    version,
    digest,
    at: last,
    account: whose === NOT_LOOKED_AT ? undefined : whose,
    run: (ending ?? before)?.run,
    outcome: (ending ?? before)?.outcome,
    settledAt: (ending ?? before)?.settledAt,
    fencedOver: (ending ?? before)?.fencedOver,
    writtenBy:
      ending === undefined ? before?.writtenBy : ending.outcome === "unchanged" && isTheirs ? writer : undefined,
  });
}

/** Marks the value that is there as unknown to the ledger. */
export function blank(d: Draft, name: string | undefined, at?: number): void {
  const entry = name === undefined ? undefined : d.ledger[name];
  if (name !== undefined && entry) enter(d, name, entry.version, "", at === undefined ? {} : { at });
}

/**
 * A look found the value there: nothing older than it follows. It is poolsync's own where it was the last that poolsync
 * wrote, but an address or number is not waited for any more once it was seen. `account`: at which it was seen.
 */
export function enterSeen(
  d: Draft,
  name: string,
  unit: QueuedUnit,
  wasLast: boolean,
  nowMs: number,
  account = unit.account,
): void {
  const ending = unchangedBy(unit, nowMs);
  enter(d, name, unit.version, wasLast && !isContact(name) ? unit.digest : "", { account, ending });
}

/**
 * The value may have been written without an answer: the ledger takes its version. The same version may be sent again,
 * as a retry or a replay; whatever becomes of it, an older one is stale. `until`: the call may still come then.
 */
export function fenceVersion(
  d: Draft,
  name: string,
  { version, run, account = NOT_LOOKED_AT }: QueuedUnit,
  until: number,
  nowMs: number,
): void {
  const applied = d.ledger[name];
  const isAgain = applied?.version === version;
  const fencedOver = (isAgain ? applied.fencedOver : undefined) ?? applied?.version ?? "";
  const ending = { run, outcome: "unresolved", settledAt: nowMs, fencedOver } as const;
  enter(d, name, applied && applied.version > version ? applied.version : version, "", { at: until, account, ending });
  blank(d, otherOf(name), until);
}

/** The version from before a call of this value that nobody heard of; undefined where there was none. */
export function fenceOf(d: Draft, name: string, { version, fencedOver }: ReplacedUnit): string | undefined {
  const entry = d.ledger[name];
  return entry?.version === version ? entry.fencedOver : fencedOver;
}

/**
 * Values of cancelled runs that may have been written without an answer are never sent again, and what they superseded
 * is: that is stale only for what the ledger had before all of them. `line`: a value and what it superseded, the newest
 * first.
 */
export function liftFences(d: Draft, name: string, line: readonly ReplacedUnit[]): void {
  const entry = d.ledger[name];
  if (!entry) return;
  const isAt = (version: string) => line.find((one) => one.version === version);
  let version = entry.version;
  for (let unit = isAt(version); unit && d.passageOf(unit.run).is === "cancelled"; unit = isAt(version)) {
    const before = fenceOf(d, name, unit);
    if (before === undefined) break;
    const abandoned = d.mailbox.abandonedCalls[name];
    if (abandoned && (abandoned.unwanted ?? "") < version)
      d.mailbox.abandonedCalls[name] = { ...abandoned, unwanted: version };
    version = before;
  }
  if (version === entry.version) return;
  // Nothing was known before: then the oldest of them is older than nothing.
  const lowest = version === "" ? (line.at(-1)?.version ?? "") : version;
  const { fencedOver: _lifted, ...rest } = entry;
  d.ledger[name] = { ...rest, version: lowest, ...defined({ fencedOver: isAt(version)?.fencedOver }) };
}

/** True where the ledger has something newer of the unit, or of the contact that it speaks of. */
export function isStale(d: Draft, name: string, unit: QueuedUnit): boolean {
  return isOlder(d.ledger, name, unit);
}

/** The same of a ledger that was read, before anything is put. */
export function isOlder(
  ledger: Ledger,
  name: string,
  { version, account }: { readonly version: string; readonly account?: string | undefined },
): boolean {
  return [name, contactOf(name)].some((known) => {
    const applied = known !== undefined && Object.hasOwn(ledger, known) ? ledger[known] : undefined;
    return applied !== undefined && version < applied.version && !cameBefore(applied.account, account);
  });
}

/**
 * True where the one account had the username before the other. False where nobody looked at one of them, because then
 * it is not known.
 */
export function cameBefore(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && isSuccessor(other, one);
}
