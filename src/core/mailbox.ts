/**
 * The state machine of one user's mailbox and ledger: put, claim, settle, replay. Pure: documents and a time go in,
 * documents and movements in the books come out. The embedded store runs these functions inside its transactions;
 * the Redis scripts say the same in Lua, and both pass one suite.
 *
 * - Everything that waits is in `pending`, one value a unit, the newest that was put.
 * - A claim moves what is due to `claim.units` under a token and a lease. While the lease lives nobody else may claim;
 *   when it has ended anybody may, and gets the dead claim's units merged back first (a *takeover*).
 * - A settle names the token. Where it is no longer current the settle is *late*: nothing is booked, and what it says
 *   was written is *in doubt*, so that the newest value is sent once more.
 * - A mailbox with nothing left to do or to remember is deleted.
 */
import type { Entry, Term } from "./books.ts";
import { contactOf, flagOf } from "./unit.ts";
import { ordinalOf, ordinalText, isTooFarAhead, versionText } from "./version.ts";

/** A wanted value of one unit, on its way. `body` is the unit's value as the keyring sealed it. */
export interface Held {
  readonly version: string;
  /** Keyed digest of the value: equal digests are equal values. */
  readonly digest: string;
  readonly body: string;
  readonly run: string;
  /** Failures that Cognito answered. */
  readonly attempts: number;
  /** Failures without an answer: network, time-out. */
  readonly faults: number;
  /** Claims that ended without a settle. */
  readonly deaths: number;
  /** Epoch ms before which it is not claimed; 0 where it may go at once. */
  readonly notBefore: number;
}

export type Units = Readonly<Record<string, Held>>;

/** A unit that is done, and the term of the books that it is in. */
export interface Kept extends Held {
  readonly term: "applied" | "unchanged";
}

export interface Claim {
  readonly token: string;
  /** Epoch ms. */
  readonly leaseUntil: number;
  readonly units: Units;
}

export interface Mailbox {
  readonly pool: string;
  /** The canonical username, sealed. */
  readonly username: string;
  /** 1 overtakes 10. See queues/wake-ups.ts. */
  readonly priority: number;
  readonly pending: Units;
  readonly claim?: Claim;
  /** Units of claims that ended without a settle: a call of theirs may still come through, until the time given. */
  readonly suspects: Readonly<Record<string, { readonly until: number }>>;
  /** What was settled last of a suspect and of its flag, kept as long as the suspect is, to be sent again if it shows up. */
  readonly kept: Readonly<Record<string, Kept>>;
  /** Units in flight that a late settle may have overwritten: sent once more when this claim settles. */
  readonly doubts: Readonly<Record<string, string>>;
  /** Calls whose fate is unknown: a different value waits until the time given. */
  readonly unknown: Readonly<Record<string, { readonly digest: string; readonly until: number }>>;
}

/** Per unit the version last applied, and its digest; a blank digest says that the value there is not known. */
export type Ledger = Readonly<Record<string, { readonly version: string; readonly digest: string }>>;

export interface UserState {
  readonly mailbox?: Mailbox;
  readonly ledger: Ledger;
}

export interface Outcome {
  readonly state: UserState;
  readonly entries: readonly Entry[];
}

/** How long a claim that ended without a settle is remembered, in ms. Longer suspensions are documented as lost. */
export const SUSPECT_MS = 15 * 60_000;
/** How long a different value waits after a call whose fate is unknown, in ms. */
export const QUIET_MS = 15_000;

/** A wanted unit as a producer puts it; the store gives it its arrival. */
export interface Wanted {
  readonly name: string;
  /** Absent where the source has no clock: the store's time is taken. */
  readonly ordinal?: string;
  readonly digest: string;
  readonly body: string;
}

export interface Letter {
  /** From user, unit and version, arrival included: burying twice is burying once. */
  readonly id: string;
  readonly user: string;
  readonly pool: string;
  /** Sealed. */
  readonly username: string;
  readonly unit: string;
  readonly kind: string;
  /** Scrubbed of values. */
  readonly reason: string;
  readonly version: string;
  readonly run: string;
  readonly digest: string;
  readonly body: string;
  /** Epoch ms. */
  readonly buriedAt: number;
}

/** What a delivery found out about one unit of its claim. `version` is the claimed one. */
export type Settlement =
  | { readonly is: "applied"; readonly version: string }
  | { readonly is: "unchanged"; readonly version: string }
  | {
      readonly is: "retry";
      readonly version: string;
      /** Epoch ms. */
      readonly at: number;
      /** What the failure counts as: answered, without an answer, or nothing (a throttle, a hold, a shutdown). */
      readonly counts: "attempt" | "fault" | "nothing";
      /** True where the call may yet be applied. */
      readonly fateUnknown: boolean;
    }
  | {
      readonly is: "bury";
      readonly version: string;
      readonly letter: string;
      readonly kind: string;
      readonly reason: string;
    };

export type Settlements = Readonly<Record<string, Settlement>>;

interface Draft {
  readonly user: string;
  mailbox: {
    pool: string;
    username: string;
    priority: number;
    pending: Record<string, Held>;
    claim?: { token: string; leaseUntil: number; units: Record<string, Held> };
    suspects: Record<string, { until: number }>;
    kept: Record<string, Kept>;
    doubts: Record<string, string>;
    unknown: Record<string, { digest: string; until: number }>;
  };
  ledger: Record<string, { version: string; digest: string }>;
  entries: Entry[];
}

interface Owner {
  readonly user: string;
  readonly pool: string;
  readonly username: string;
  readonly priority: number;
}

function draft(state: UserState, owner: Owner): Draft {
  const { mailbox, ledger } = state;
  return {
    user: owner.user,
    mailbox: {
      pool: mailbox?.pool ?? owner.pool,
      username: mailbox?.username ?? owner.username,
      priority: Math.min(mailbox?.priority ?? owner.priority, owner.priority),
      pending: { ...mailbox?.pending },
      ...(mailbox?.claim ? { claim: { ...mailbox.claim, units: { ...mailbox.claim.units } } } : {}),
      suspects: { ...mailbox?.suspects },
      kept: { ...mailbox?.kept },
      doubts: { ...mailbox?.doubts },
      unknown: { ...mailbox?.unknown },
    },
    ledger: { ...ledger },
    entries: [],
  };
}

function book(d: Draft, run: string, term: Term, by: number): void {
  d.entries.push({ run, term, by });
}

/** Takes an entry out of a record and returns it. */
function take<T>(record: Record<string, T>, name: string): T | undefined {
  const value = record[name];
  delete record[name];
  return value;
}

function isFlag(name: string): boolean {
  return contactOf(name) !== undefined;
}

/** The flag of a contact, the contact of a flag: writing one changes what is known of the other. */
function otherOf(name: string): string | undefined {
  return flagOf(name) ?? contactOf(name);
}

/** What the ledger knew of the value that is there, it knows no longer. */
function blank(d: Draft, name: string | undefined): void {
  const entry = name === undefined ? undefined : d.ledger[name];
  if (name !== undefined && entry) d.ledger[name] = { ...entry, digest: "" };
}

/** Until when a value waits for calls of unknown fate: those of a different value, and of its contact or flag. */
function quietUntil(d: Draft, name: string, digest: string): number {
  const other = otherOf(name);
  const fate = d.mailbox.unknown[name];
  const otherFate = other === undefined ? undefined : d.mailbox.unknown[other];
  return Math.max(fate && fate.digest !== digest ? fate.until : 0, otherFate?.until ?? 0);
}

/** A call's fate is unknown: what waits, waits for it. A blank digest stands for any value. */
function keepQuiet(d: Draft, name: string, digest: string, nowMs: number): void {
  const { pending, unknown } = d.mailbox;
  const before = unknown[name];
  const mixed = before && before.until > nowMs && before.digest !== digest;
  unknown[name] = { digest: mixed ? "" : digest, until: nowMs + QUIET_MS };
  for (const touched of [name, otherOf(name)]) {
    const waiting = touched === undefined ? undefined : pending[touched];
    if (touched === undefined || !waiting) continue;
    const notBefore = Math.max(waiting.notBefore, quietUntil(d, touched, waiting.digest));
    pending[touched] = { ...waiting, notBefore };
  }
}

/** True where a call that was given up may still change the unit: one for itself, its contact or its flag. */
function isSuspect(d: Draft, name: string): boolean {
  const other = otherOf(name);
  return d.mailbox.suspects[name] !== undefined || (other !== undefined && d.mailbox.suspects[other] !== undefined);
}

/** Books a unit as done, and keeps it where a suspect may yet undo it. */
function done(d: Draft, name: string, held: Held, term: Kept["term"]): void {
  book(d, held.run, term, 1);
  if (isSuspect(d, name)) d.mailbox.kept[name] = { ...held, term };
}

/** Sends again what was kept, unless something newer is on its way. */
function resend(d: Draft, name: string): void {
  const { pending, claim, kept } = d.mailbox;
  if (pending[name] || claim?.units[name]) return;
  const last = take(kept, name);
  const applied = d.ledger[name];
  if (!last || (applied && applied.version > last.version)) return;
  const { term, ...held } = last;
  pending[name] = { ...held, attempts: 0, faults: 0, deaths: 0, notBefore: quietUntil(d, name, held.digest) };
  book(d, held.run, term, -1);
  book(d, held.run, "pending", 1);
  // Writing an address takes its flag away, so what the flag was set to goes after it.
  const flag = flagOf(name);
  if (flag !== undefined) resend(d, flag);
}

/** True where `held` says nothing that `other` does not say as well or better. */
function yieldsTo(held: Held, other: Held | undefined): boolean {
  if (!other) return false;
  if (held.version <= other.version) return true;
  return held.digest === other.digest && ordinalOf(held.version) === ordinalOf(other.version);
}

/**
 * Puts a value among the pending ones, against the ledger, what is pending and what is in flight. Books where it
 * ended (`pending`, `stale` or `superseded`) and the loser it replaced.
 */
function place(d: Draft, name: string, held: Held): void {
  const { pending, claim } = d.mailbox;
  const applied = d.ledger[name];
  const contact = contactOf(name);
  const contactApplied = contact === undefined ? undefined : d.ledger[contact];
  if (applied && held.version < applied.version) return book(d, held.run, "stale", 1);
  if (contactApplied && held.version < contactApplied.version) return book(d, held.run, "stale", 1);
  if (contact !== undefined) {
    // A flag for "the value that is there" yields to any newer value.
    const values = [pending[contact], claim?.units[contact]];
    if (values.some((value) => value && value.version > held.version)) return book(d, held.run, "superseded", 1);
  }
  // What is pending is newer than what is in flight: a value equal to the older of the two may still be the newest.
  if (yieldsTo(held, pending[name] ?? claim?.units[name])) return book(d, held.run, "superseded", 1);

  const loser = take(pending, name);
  if (loser) {
    book(d, loser.run, "pending", -1);
    book(d, loser.run, "superseded", 1);
  }
  const flag = flagOf(name);
  if (flag !== undefined && pending[flag] && pending[flag].version < held.version) {
    book(d, pending[flag].run, "pending", -1);
    book(d, pending[flag].run, "superseded", 1);
    delete pending[flag];
  }
  pending[name] = { ...held, notBefore: Math.max(held.notBefore, quietUntil(d, name, held.digest)) };
  book(d, held.run, "pending", 1);
}

/** Forgets what has expired, and the mailbox itself when nothing is left in it. */
function finish(d: Draft, nowMs: number): Outcome {
  const { mailbox } = d;
  for (const [name, suspect] of Object.entries(mailbox.suspects)) {
    if (suspect.until > nowMs) continue;
    delete mailbox.suspects[name];
  }
  for (const name of Object.keys(mailbox.kept)) {
    if (!isSuspect(d, name)) delete mailbox.kept[name];
  }
  for (const [name, fate] of Object.entries(mailbox.unknown)) {
    if (fate.until <= nowMs) delete mailbox.unknown[name];
  }
  const empty = [mailbox.pending, mailbox.suspects, mailbox.unknown].every((part) => Object.keys(part).length === 0);
  const state = empty && !mailbox.claim ? { ledger: d.ledger } : { mailbox, ledger: d.ledger };
  return { state, entries: d.entries };
}

/** When a pending unit may go, in epoch ms: a flag not before the contact that it speaks of. */
function mayGoAt(pending: Units, name: string, held: Held): number {
  const contact = contactOf(name);
  return Math.max(held.notBefore, (contact === undefined ? undefined : pending[contact])?.notBefore ?? 0);
}

/** When the mailbox wants to be looked at next, in epoch ms: the end of its lease, or its earliest unit. */
export function dueAt(mailbox: Mailbox): number {
  if (mailbox.claim) return mailbox.claim.leaseUntil;
  const times = Object.entries(mailbox.pending).map(([name, held]) => mayGoAt(mailbox.pending, name, held));
  if (times.length > 0) return Math.min(...times);
  return Math.max(
    0,
    ...Object.values(mailbox.suspects).map((suspect) => suspect.until),
    ...Object.values(mailbox.unknown).map((fate) => fate.until),
  );
}

/** A change of one user arrives. `arrivals` gives each unit its place in the order of arrival. */
export function put(
  state: UserState,
  change: Owner & { readonly run: string; readonly units: readonly Wanted[] },
  arrivals: readonly number[],
  nowMs: number,
): Outcome {
  const d = draft(state, change);
  change.units.forEach((wanted, index) => {
    const arrival = arrivals[index];
    if (arrival === undefined) throw new RangeError(`Expected an arrival for unit ${index}, got none`);
    const ordinal = wanted.ordinal ?? ordinalText({ timeMs: nowMs, sequence: 0 });
    book(d, change.run, "received", 1);
    if (isTooFarAhead(ordinal, nowMs)) return book(d, change.run, "invalid", 1);
    place(d, wanted.name, {
      version: versionText(ordinal, arrival),
      digest: wanted.digest,
      body: wanted.body,
      run: change.run,
      attempts: 0,
      faults: 0,
      deaths: 0,
      notBefore: 0,
    });
  });
  return finish(d, nowMs);
}

export type Claimed =
  | { readonly is: "claimed"; readonly mailbox: Mailbox; readonly units: Units; readonly leaseUntil: number }
  /** Another claim's lease lives. */
  | { readonly is: "busy"; readonly retryAt: number }
  /** Nothing may go before `retryAt`. */
  | { readonly is: "later"; readonly retryAt: number }
  | { readonly is: "idle" };

/** A worker asks for what is due of one user. */
export function claim(
  state: UserState,
  user: string,
  token: string,
  leaseMs: number,
  nowMs: number,
): Outcome & { readonly result: Claimed } {
  const { mailbox } = state;
  if (!mailbox) return { state, entries: [], result: { is: "idle" } };
  if (mailbox.claim && mailbox.claim.leaseUntil > nowMs) {
    return { state, entries: [], result: { is: "busy", retryAt: mailbox.claim.leaseUntil } };
  }
  const d = draft(state, { user, ...mailbox });
  const dead = d.mailbox.claim;
  if (dead) {
    delete d.mailbox.claim;
    d.mailbox.doubts = {};
    for (const [name, held] of Object.entries(dead.units)) {
      book(d, held.run, "pending", -1);
      place(d, name, { ...held, deaths: held.deaths + 1 });
      d.mailbox.suspects[name] = { until: nowMs + SUSPECT_MS };
    }
  }
  const units: Record<string, Held> = {};
  // Flags come last: whether one must be sent depends on whether its contact is.
  const waiting = Object.entries(d.mailbox.pending).toSorted(([a], [b]) => Number(isFlag(a)) - Number(isFlag(b)));
  for (const [name, held] of waiting) {
    if (mayGoAt(d.mailbox.pending, name, held) > nowMs) continue;
    delete d.mailbox.pending[name];
    const applied = d.ledger[name];
    const contact = contactOf(name);
    const overtaken = [applied, contact === undefined ? undefined : d.ledger[contact]].some(
      (entry) => entry && held.version < entry.version,
    );
    if (overtaken) {
      book(d, held.run, "pending", -1);
      book(d, held.run, "stale", 1);
    } else if (
      applied &&
      applied.digest !== "" &&
      applied.digest === held.digest &&
      !(contact !== undefined && units[contact])
    ) {
      d.ledger[name] = { version: held.version, digest: held.digest };
      book(d, held.run, "pending", -1);
      done(d, name, held, "unchanged");
    } else {
      units[name] = held;
    }
  }
  if (Object.keys(units).length === 0) {
    const outcome = finish(d, nowMs);
    const left = outcome.state.mailbox;
    return { ...outcome, result: left ? { is: "later", retryAt: dueAt(left) } : { is: "idle" } };
  }
  for (const name of Object.keys(units)) {
    // From here until the settle nobody knows what the pool holds.
    blank(d, name);
    blank(d, otherOf(name));
  }
  const leaseUntil = nowMs + leaseMs;
  d.mailbox.claim = { token, leaseUntil, units };
  const outcome = finish(d, nowMs);
  return { ...outcome, result: { is: "claimed", mailbox: d.mailbox, units, leaseUntil } };
}

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
 * `leaseMs` from now, and ends with the last. With no settlements at all it only renews the lease.
 */
export function settle(
  state: UserState,
  user: string,
  token: string,
  settlements: Settlements,
  leaseMs: number,
  nowMs: number,
): Outcome & { readonly result: Settled } {
  const { mailbox } = state;
  if (mailbox?.claim?.token !== token) return settleLate(state, user, settlements, nowMs);
  const d = draft(state, { user, ...mailbox });
  const current = d.mailbox.claim;
  if (!current) throw new Error("Expected the mailbox to hold the claim that was just compared");
  const letters: Letter[] = [];
  for (const [name, settlement] of Object.entries(settlements)) {
    const held = current.units[name];
    if (!held || held.version !== settlement.version) continue;
    delete current.units[name];
    book(d, held.run, "pending", -1);
    const letter = settleUnit(d, name, held, settlement, nowMs);
    if (letter) letters.push(letter);
  }
  if (Object.keys(current.units).length === 0) delete d.mailbox.claim;
  else current.leaseUntil = nowMs + leaseMs;
  return { ...finish(d, nowMs), result: { late: false, doubted: [], letters } };
}

function settleUnit(d: Draft, name: string, held: Held, settlement: Settlement, nowMs: number): Letter | undefined {
  const { pending } = d.mailbox;
  // A flag that was set before an older address arrived has been said of that address: it goes again, after it.
  const address = pending[contactOf(name) ?? name];
  const doubted =
    take(d.mailbox.doubts, name) !== undefined ||
    (isFlag(name) && address !== undefined && address.version < held.version);
  switch (settlement.is) {
    case "applied":
    case "unchanged": {
      const applied = d.ledger[name];
      // A late settle may have moved the ledger beyond what this claim wrote.
      const newer = applied && applied.version > held.version ? applied.version : undefined;
      d.ledger[name] = { version: newer ?? held.version, digest: newer || doubted ? "" : held.digest };
      // An address that was settled a moment ago in the same claim has another flag now.
      if (settlement.is === "applied") blank(d, otherOf(name));
      if (doubted) {
        place(d, name, { ...held, notBefore: 0 });
        return undefined;
      }
      done(d, name, held, settlement.is);
      return undefined;
    }
    case "retry": {
      if (settlement.fateUnknown) keepQuiet(d, name, held.digest, nowMs);
      place(d, name, {
        ...held,
        attempts: held.attempts + (settlement.counts === "attempt" ? 1 : 0),
        faults: held.faults + (settlement.counts === "fault" ? 1 : 0),
        notBefore: settlement.at,
      });
      return undefined;
    }
    case "bury": {
      const rivals = [pending[name], pending[contactOf(name) ?? name]];
      if (rivals.some((rival) => rival && rival.version > held.version)) {
        book(d, held.run, "superseded", 1);
        return undefined;
      }
      book(d, held.run, "dead", 1);
      // A suspect may have come through while this unit was on its way: then what was done last is no longer there.
      resend(d, name);
      const { pool, username } = d.mailbox;
      const { version, run, digest, body } = held;
      const { letter: id, kind, reason } = settlement;
      return {
        id,
        user: d.user,
        pool,
        username,
        unit: name,
        kind,
        reason,
        version,
        run,
        digest,
        body,
        buriedAt: nowMs,
      };
    }
  }
}

/** What a worker wrote after its claim was taken over may have put an older value over a newer one. */
function settleLate(
  state: UserState,
  user: string,
  settlements: Settlements,
  nowMs: number,
): Outcome & { readonly result: Settled } {
  const doubted = new Set<string>();
  const owner: Owner = { user, pool: "", username: "", priority: Number.MAX_SAFE_INTEGER, ...state.mailbox };
  const d = draft(state, owner);
  const { claim: current, doubts } = d.mailbox;
  for (const [name, settlement] of Object.entries(settlements)) {
    const { is, version } = settlement;
    const fateUnknown = is === "retry" && settlement.fateUnknown;
    if (is !== "applied" && !fateUnknown) continue;
    // The call may come after what is sent next, whatever that is.
    if (fateUnknown) keepQuiet(d, name, "", nowMs);
    for (const touched of [name, otherOf(name)]) {
      if (touched === undefined) continue;
      blank(d, touched);
      const flying = current?.units[touched];
      const applied = d.ledger[touched];
      if (flying && flying.version > version) {
        doubts[touched] = version;
        doubted.add(touched);
      } else if (applied && applied.version > version) {
        doubted.add(touched);
        resend(d, touched);
      }
    }
    const applied = d.ledger[name];
    if (is === "applied" && (!applied || applied.version < version)) d.ledger[name] = { version, digest: "" };
  }
  const result: Settled = { late: true, doubted: [...doubted], letters: [] };
  if (!state.mailbox) return { state: { ledger: d.ledger }, entries: [], result };
  return { ...finish(d, nowMs), result };
}

/**
 * A letter is put again, under its old version and its old run: `dead` goes down by one, and up goes what became of
 * it. `received` does not move.
 */
export function replay(state: UserState, letter: Letter, priority: number, nowMs: number): Outcome {
  const { user, pool, username, unit, version, digest, body, run } = letter;
  const d = draft(state, { user, pool, username, priority });
  book(d, run, "dead", -1);
  place(d, unit, { version, digest, body, run, attempts: 0, faults: 0, deaths: 0, notBefore: 0 });
  return finish(d, nowMs);
}
