import { defined } from "./defined.ts";
import { book, draft, otherOf, take, type Draft, type Outcome, type Owner } from "./draft.ts";
import { blank, cameBefore, enter, enterSeen, fenceVersion, NOT_LOOKED_AT, unchangedBy } from "./ledger.ts";
import { discard, done, finish, isRepeat, startCooldown, place, replacing, resend } from "./placing.ts";
import type { PassageOf } from "./gate.ts";
import type { Letter } from "./letter.ts";
import { COOLDOWN_MS, type QueuedUnit, type UserState } from "./mailbox.ts";
import type { Settlement, Settlements } from "./settlement.ts";
import { contactOf, isFlag } from "./unit.ts";

export interface Settled {
  /** True where the token was no longer current: nothing was booked. */
  readonly late: boolean;
  /** Units that are in doubt because of a late settle. */
  readonly doubted: readonly string[];
  /** Letters that were written, in this settle. */
  readonly letters: readonly Letter[];
}

/**
 * A worker says what became of some units of its claim. The claim lives on with the others, its lease renewed to
 * `leaseMs` from now, and ends with the last. With no settlements at all it only renews the lease. `letterOf` answers the
 * letters that are there, by id.
 */
export function settle(
  state: UserState,
  user: string,
  token: string,
  settlements: Settlements,
  leaseMs: number,
  nowMs: number,
  passageOf: PassageOf,
  letterOf: (id: string) => Letter | undefined,
): Outcome & { readonly result: Settled } {
  const { mailbox } = state;
  if (mailbox?.claim?.token !== token) return settleLate(state, user, settlements, nowMs, passageOf);
  const d = draft(state, { user, ...mailbox }, passageOf);
  const current = d.mailbox.claim;
  if (!current) throw new Error("Expected the mailbox to hold the claim that was just compared");
  const letters: Letter[] = [];
  for (const [name, settlement] of Object.entries(settlements)) {
    const unit = current.units[name];
    if (!unit || unit.version !== settlement.version) continue;
    delete current.units[name];
    book(d, unit.run, "pending", -1);
    const letter = settleUnit(d, name, unit, settlement, current.sent?.includes(name) === true, nowMs);
    if (letter) letters.push(bookLetter(d, letter, letterOf(letter.id)));
  }
  if (Object.keys(current.units).length === 0) delete d.mailbox.claim;
  else current.leaseUntil = nowMs + leaseMs;
  return { ...finish(d, nowMs), result: { late: false, doubted: [], letters } };
}

/** `wasLast`: the ledger had this very value when it was claimed. */
function settleUnit(
  d: Draft,
  name: string,
  unit: QueuedUnit,
  settlement: Settlement,
  wasLast: boolean,
  nowMs: number,
): Letter | undefined {
  const { pending } = d.mailbox;
  // An older address arrived after this flag was claimed. Writing that address resets the flag, so the flag goes again
  // after it.
  const address = pending[contactOf(name) ?? name];
  const doubted =
    take(d.mailbox.overwritten, name) !== undefined ||
    (isFlag(name) && address !== undefined && address.version < unit.version);
  switch (settlement.is) {
    case "applied":
    case "unchanged":
      return settleDone(d, name, unit, settlement, { wasLast, doubted }, nowMs);
    case "retry": {
      if (settlement.fateUnknown) {
        startCooldown(d, name, unit.digest, nowMs);
        fenceVersion(d, name, unit, nowMs + COOLDOWN_MS, nowMs);
      } else if (wasLast && !doubted && !isFlag(name)) {
        // Nothing was written: the value that poolsync wrote last still is the last, and may await the person. Not so a
        // flag, which its address may have reset in this very claim.
        enter(d, name, d.ledger[name]?.version ?? unit.version, unit.digest);
      }
      place(d, name, {
        ...unit,
        attempts: unit.attempts + (settlement.counts === "attempt" ? 1 : 0),
        faults: unit.faults + (settlement.counts === "fault" ? 1 : 0),
        notBefore: settlement.at,
      });
      return undefined;
    }
    case "bury":
      return settleBuried(d, name, unit, settlement, nowMs);
  }
}

/** The unit is there as it was wanted, unless something newer came meanwhile or it is in doubt. */
function settleDone(
  d: Draft,
  name: string,
  unit: QueuedUnit,
  settlement: Extract<Settlement, { is: "applied" | "unchanged" }>,
  { wasLast, doubted }: { readonly wasLast: boolean; readonly doubted: boolean },
  nowMs: number,
): undefined {
  const applied = d.ledger[name];
  // A late settle may have moved the ledger beyond what this claim wrote.
  const isNewer = applied && applied.version > unit.version && !cameBefore(applied.account, unit.account);
  const newer = isNewer ? applied.version : undefined;
  if (settlement.is === "applied") {
    const account = unit.account ?? NOT_LOOKED_AT;
    const ending = { run: unit.run };
    enter(d, name, newer ?? unit.version, newer || doubted ? "" : unit.digest, { at: nowMs, account, ending });
    // An address that was settled a moment ago in the same claim has another flag now.
    blank(d, otherOf(name), nowMs);
  } else if (newer !== undefined || doubted) {
    enter(d, name, newer ?? unit.version, "", { account: settlement.account, ending: unchangedBy(unit, nowMs) });
  } else if (settlement.awaiting === true) {
    enter(d, name, unit.version, unit.digest, { account: settlement.account, ending: unchangedBy(unit, nowMs) });
  } else {
    enterSeen(d, name, unit, wasLast, nowMs, settlement.account);
  }
  if (doubted) place(d, name, { ...unit, notBefore: 0 });
  else {
    done(d, name, unit, settlement.is);
    if (newer === undefined) settleRepeat(d, name, unit, nowMs);
  }
}

/**
 * What another run put of the same value, while this one was in flight, is there as well: unchanged, without a call. It
 * goes itself where something else may change the unit before or after it.
 */
function settleRepeat(d: Draft, name: string, unit: QueuedUnit, nowMs: number): void {
  const { pending, claim } = d.mailbox;
  const repeat = pending[name];
  if (!repeat || !isRepeat(repeat, unit) || repeat.account !== unit.account) return;
  const other = otherOf(name);
  if (other !== undefined && (pending[other] || claim?.units[other])) return;
  if (d.passageOf(repeat.run).is === "cancelled") return;
  delete pending[name];
  book(d, repeat.run, "pending", -1);
  enter(d, name, repeat.version, d.ledger[name]?.digest ?? "", { ending: unchangedBy(repeat, nowMs) });
  done(d, name, repeat, "unchanged");
}

/** The unit becomes a letter, unless something newer of it waits, or its run was cancelled meanwhile. */
function settleBuried(
  d: Draft,
  name: string,
  unit: QueuedUnit,
  settlement: Extract<Settlement, { is: "bury" }>,
  nowMs: number,
): Letter | undefined {
  const { pending } = d.mailbox;
  if (settlement.fateUnknown) {
    startCooldown(d, name, unit.digest, nowMs);
    fenceVersion(d, name, unit, nowMs + COOLDOWN_MS, nowMs);
  }
  if (d.passageOf(unit.run).is === "cancelled") {
    discard(d, name, unit);
    return undefined;
  }
  const overtakes = (rival: QueuedUnit | undefined): rival is QueuedUnit =>
    rival !== undefined && rival.version > unit.version && !cameBefore(unit.account, rival.account);
  const newer = pending[name];
  if (overtakes(newer) || overtakes(pending[contactOf(name) ?? name])) {
    // It fails again, and becomes a letter, where the run of the newer one is cancelled.
    if (overtakes(newer)) pending[name] = replacing(d, name, newer, unit);
    book(d, unit.run, "superseded", 1);
    return undefined;
  }
  // An abandoned call may have been applied while this unit was on its way: then the value that was settled last is no
  // longer there.
  resend(d, name);
  const { pool, username } = d.mailbox;
  const { version, run, digest, account, replaced } = unit;
  const { letter: id, kind, reason, owner, body = unit.body } = settlement;
  return {
    id,
    user: d.user,
    pool,
    username,
    unit: name,
    kind,
    reason,
    ...(owner === undefined ? {} : { owner }),
    version,
    run,
    digest,
    body,
    ...defined({ account, replaced }),
    buriedAt: nowMs,
  };
}

/** Books a letter. `known`: the one that the same fault of the same unit has left before. */
function bookLetter(d: Draft, letter: Letter, known: Letter | undefined): Letter {
  if (known === undefined) {
    book(d, letter.run, "dead", 1);
    return letter;
  }
  const isNewer = letter.version > known.version;
  const [newer, older] = isNewer ? [letter, known] : [known, letter];
  book(d, older.run, "superseded", 1);
  if (isNewer) {
    book(d, known.run, "dead", -1);
    book(d, letter.run, "dead", 1);
  }
  // Whoever ends the letters of a cancelled run looks for those that were buried before.
  const isEnded = d.passageOf(newer.run).is === "cancelled";
  return {
    ...replacing(d, letter.unit, newer, older),
    buriedAt: isEnded ? newer.buriedAt : letter.buriedAt,
    times: (known.times ?? 1) + 1,
    first: known.first ?? known.buriedAt,
  };
}

/** What a worker wrote after its claim was taken over may have put an older value over a newer one. */
function settleLate(
  state: UserState,
  user: string,
  settlements: Settlements,
  nowMs: number,
  passageOf: PassageOf,
): Outcome & { readonly result: Settled } {
  const doubted = new Set<string>();
  const owner: Owner = { user, pool: "", username: "", priority: Number.MAX_SAFE_INTEGER, ...state.mailbox };
  const d = draft(state, owner, passageOf);
  const { claim: current, overwritten } = d.mailbox;
  for (const [name, settlement] of Object.entries(settlements)) {
    const { is, version } = settlement;
    const fateUnknown = (is === "retry" || is === "bury") && settlement.fateUnknown === true;
    if (is !== "applied" && !fateUnknown) continue;
    // The call may be applied after whatever is sent next.
    const mayComeUntil = nowMs + (fateUnknown ? COOLDOWN_MS : 0);
    if (fateUnknown) startCooldown(d, name, "", nowMs);
    const before = d.ledger[name]?.version ?? "";
    const isUnwanted = before < version && version <= (d.mailbox.abandonedCalls[name]?.unwanted ?? "");
    for (const touched of [name, otherOf(name)]) {
      if (touched === undefined) continue;
      blank(d, touched, mayComeUntil);
      const flying = current?.units[touched];
      const applied = d.ledger[touched];
      if (flying && (isUnwanted || flying.version > version)) {
        overwritten[touched] = version;
        doubted.add(touched);
      } else if (isUnwanted || (applied && applied.version > version)) {
        doubted.add(touched);
        resend(d, touched);
      }
    }
    if (is === "applied" && before < version && !isUnwanted) enter(d, name, version, "", { at: nowMs });
  }
  const result: Settled = { late: true, doubted: [...doubted], letters: [] };
  if (!state.mailbox) return { state: { ledger: { ...d.ledger } }, entries: [], result };
  return { ...finish(d, nowMs), result };
}
