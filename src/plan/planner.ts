/**
 * Works a plan out, in three steps: rows are taken, users of the pool are met, and what they mean to each other is
 * concluded. Then the rows can be walked as often as is wanted, each with what it would do.
 */
import type { UserName } from "../cognito/pool-scan.ts";
import { judgeClaim, type AliasStep } from "../core/alias-claims.ts";
import type { InvalidUnit } from "../core/change.ts";
import { compareUnit, mayAwait, providersOf, type ListedUser } from "../core/comparison.ts";
import { createDuplicateRows, type UserRow } from "../core/duplicate-rows.ts";
import type { GuardSettings } from "../core/guards.ts";
import { isPlanFault, PLAN_FAULTS } from "../core/plan-fault.ts";
import { canonicalUsername, checkUnit, checkUsername, type PoolProfile } from "../core/pool-schema.ts";
import { isContact } from "../core/unit.ts";
import type { Mapping } from "../feeds/mapping.ts";
import type { Keyring } from "../store/keyring.ts";
import { isOfFormer, type Ledger } from "../core/mailbox.ts";
import { isSent, type JudgedRow, type JudgedUnit } from "./judged-row.ts";
import { isMatch, isRecord, unseen, type Held, type Match, type PlannedRecord, type Verdict } from "./row-match.ts";
import { createRowNames } from "./row-names.ts";
import type { RowBody, Scratch, ScratchRow } from "./scratch.ts";
import { turn, TURN_ROWS } from "./turn.ts";
import { stateName, stateOf } from "./unit-state.ts";

export const BASELINES = ["live", "ledger", "none"] as const;
/** What a plan compares with: the pool, what poolsync wrote last, or nothing. */
export type Baseline = (typeof BASELINES)[number];

export interface PlannerOptions {
  readonly profile: PoolProfile;
  readonly keyring: Keyring;
  readonly scratch: Scratch;
  readonly baseline: Baseline;
  readonly mapping: Pick<Mapping, "identifier" | "match" | "duplicates">;
  readonly guards: Pick<GuardSettings, "protectUsers" | "protectAttributes">;
  /** What becomes of a row whose username the pool does not list, by the live baseline. */
  readonly unlisted: Unlisted;
  /** What poolsync wrote last, by user key. */
  readonly ledgers: (users: readonly string[]) => Promise<ReadonlyMap<string, Ledger>>;
}

/**
 * The list of users is eventually consistent: of a few rows the write is the authority (`write`), and who is not there
 * becomes a dead letter that can be replayed. Of a large file the row is at fault.
 */
export type Unlisted = "write" | "fault";

export interface Planner {
  take(record: PlannedRecord): void;
  /** All rows were taken. */
  index(): void;
  /** Each row's user, by the name that the row has. */
  names(): Iterable<UserName>;
  /** `lookedAt`: epoch ms by the store's clock, before the look at the user began. */
  meet(user: ListedUser, lookedAt: number): Promise<void>;
  /** The scan begins again. */
  forget(): void;
  conclude(): Promise<void>;
  rows(): Iterable<JudgedRow>;
}

const BATCH = 500;

export function createPlanner(options: PlannerOptions): Planner {
  const { profile, keyring, scratch, baseline, mapping, ledgers } = options;
  const { protectUsers, protectAttributes } = options.guards;
  const guarded = {
    users: new Set(protectUsers.map((name) => canonicalUsername(profile, name))),
    attributes: new Set(protectAttributes),
  };
  const aliases = new Set<string>();
  const poolAliases = new Set([...profile.usernameAttributes, ...profile.aliasAttributes]);
  let rows = 0;
  /** Some row gives its user what rows name people by. */
  let givesAway = false;

  const names = createRowNames(profile, mapping, scratch);
  const { nameOf } = names;
  const write = (body: object): string => keyring.seal(JSON.stringify(body));

  function take(record: PlannedRecord): void {
    rows += 1;
    const fault =
      record.kind === "change" && mapping.match === undefined ? checkUsername(record.change.username) : undefined;
    if (record.kind === "fault" || fault) {
      const { reason, detail } = record.kind === "fault" ? record : { reason: "", detail: "", ...fault };
      return scratch.addRow(rows, null, write({ kind: "fault", line: record.line, reason, detail }));
    }
    const invalid = [...record.invalid];
    const units = record.change.units.filter((unit) => {
      const wrong = guarded.attributes.has(unit.name)
        ? invalidUnit(unit.name, "protected-attribute")
        : checkUnit(profile, unit);
      if (wrong) invalid.push(wrong);
      return !wrong;
    });
    const held: Held = { ...record, invalid, change: { ...record.change, units } };
    const key = names.keyOf(record.change.username);
    scratch.addRow(rows, key, write(held));
    for (const { name, value } of units) {
      if (value.kind !== "text") continue;
      const given = names.givenBy(record.change.username, name, value.text);
      if (given !== undefined) {
        scratch.addWant(given);
        givesAway = true;
      }
      if (!poolAliases.has(name)) continue;
      aliases.add(name);
      scratch.addWant(nameOf(name, value.text));
    }
    if (baseline === "none") match(rows, key, false, held, unseen(held));
  }

  function match(row: number, user: string, isVerified: boolean, { change }: Held, found: Match): void {
    // What nobody has looked for follows from the row.
    scratch.addMatch(row, user, isVerified, baseline === "none" ? null : write(found));
    for (const [at, { name, value }] of change.units.entries()) {
      const deed = found.verdicts[at]?.deed;
      if (!poolAliases.has(name) || deed === undefined || deed === "unchanged" || found.verdicts[at]?.invalid) continue;
      // Who only has the flag changed keeps what is there.
      if (value.kind === "text" && found.verdicts[at]?.before !== undefined) {
        if (nameOf(name, found.verdicts[at].before) === nameOf(name, value.text)) continue;
      }
      scratch.addClaim(value.kind === "text" ? nameOf(name, value.text) : null, { user, row, attribute: name });
    }
  }

  async function meet(user: ListedUser, lookedAt: number): Promise<void> {
    let met = 0;
    for (const name of aliases) {
      const value = user.attributes.get(name) ?? "";
      if (value === "" || !scratch.isWanted(nameOf(name, value))) continue;
      const isOwner =
        profile.usernameAttributes.includes(name) ||
        !isContact(name) ||
        user.attributes.get(`${name}_verified`) === "true";
      if (isOwner) scratch.addOwner(nameOf(name, value), user.sub);
    }
    for (const { key, attribute, isTheirs } of names.leadingTo(user)) {
      for (const { row, body } of scratch.rowsOf(key)) {
        const held = heldOf(body);
        const { username, person: said } = held.change;
        const found = names.person(username, user, attribute, lookedAt);
        // A plan that was made before knows how its row named them, and when that was asked.
        const person = said?.name === undefined ? found : { ...found, name: said.name };
        match(row, user.sub, isTheirs, held, { ...compare(held, user), lookedAt, person });
        if ((met += 1) % TURN_ROWS === 0) await turn();
      }
    }
  }

  function compare(held: Held, user: ListedUser): Match {
    const { account, name } = held.change.person ?? {};
    let changed = account !== undefined && account.sub !== user.sub;
    if (name !== undefined && !names.stillBears(user, name)) changed = true;
    if (held.madeBefore !== undefined && user.createdAt > held.madeBefore) changed = true;
    const verdicts = held.change.units.map((unit): Verdict => {
      const said = compareUnit(profile, unit, user);
      const before = user.attributes.get(unit.name);
      const state = stateOf(unit.name, user);
      const was = { was: state, ...(before === undefined || before === "" ? {} : { before }) };
      if (said.is === "unchanged") return { deed: "unchanged" };
      const beforeName = stateName(keyring, unit.name, state);
      if (held.before?.[unit.name] !== undefined && held.before[unit.name] !== beforeName) changed = true;
      if (said.is === "invalid") {
        const detail = `The pool would refuse \`${unit.name}\`: the user has no value that could be verified.`;
        return { deed: "write", invalid: { name: unit.name, reason: said.reason, detail } };
      }
      if (said.is === "awaiting") return { deed: "awaiting" };
      const asked = said.message && mayAwait(profile, unit);
      return { deed: asked ? "asked" : said.is, beforeName, ...was, ...(said.message ? { message: true } : {}) };
    });
    const federated = providersOf(user);
    return {
      username: canonicalUsername(profile, user.username),
      found: true,
      verdicts,
      ...(federated.length > 0 ? { federated } : {}),
      ...(changed ? { changed } : {}),
    };
  }

  function heldOf(body: string): Held {
    const held: unknown = JSON.parse(keyring.open(body));
    if (isRecord(held) && held.kind === "change") return held;
    throw new TypeError("Expected a row in the scratch");
  }

  /** Compares with what poolsync wrote last, which knows users by their usernames only. */
  async function meetLedgers(): Promise<void> {
    let batch: { row: number; held: Held; key: string }[] = [];
    const flush = async (): Promise<void> => {
      const known = await ledgers(batch.map(({ key }) => key));
      for (const { row, held, key } of batch) {
        const ledger = known.get(key) ?? {};
        const verdicts = held.change.units.map((unit): Verdict => {
          const last = Object.hasOwn(ledger, unit.name) ? ledger[unit.name] : undefined;
          return { deed: last?.digest === keyring.valueDigest(unit.name, unit.value) ? "unchanged" : "write" };
        });
        match(row, key, false, held, { username: held.change.username, found: false, verdicts });
      }
      batch = [];
    };
    for (const { row, body } of scratch.rows()) {
      const held: unknown = JSON.parse(keyring.open(body));
      if (!isRecord(held) || held.kind === "fault") continue;
      batch.push({ row, held, key: keyring.userKey(profile.id, canonicalUsername(profile, held.change.username)) });
      if (batch.length >= BATCH) await flush();
    }
    await flush();
  }

  function meetUnlisted(): void {
    const unlisted: { row: number; held: Held }[] = [];
    for (const { row, body, user } of scratch.rows()) {
      const held: unknown = JSON.parse(keyring.open(body));
      if (user !== undefined || !isRecord(held) || held.kind === "fault") continue;
      if (names.mayBeUsername(held.change.username)) unlisted.push({ row, held });
    }
    for (const { row, held } of unlisted)
      match(row, nameOf("username", held.change.username), false, held, unseen(held));
  }

  /** Rows whose name another row gives to somebody else: given once more, the file would mean another person by it. */
  function leaveGivenAway(): void {
    const left: number[] = [];
    for (const { row, body } of scratch.rows()) {
      const held: unknown = JSON.parse(keyring.open(body));
      if (!isRecord(held) || held.kind === "fault") continue;
      const { username, units } = held.change;
      if (Array.from(names.givenAway(username, units)).some((name) => scratch.isWanted(name))) left.push(row);
    }
    for (const row of left) {
      scratch.choose(row, undefined);
      scratch.fault(row, "name-given-away");
    }
  }

  /** Values that were sent and wait for the person's confirmation are not sent again: the ledger has them. */
  async function settleAsked(): Promise<void> {
    if (profile.requireVerificationBeforeUpdate.length === 0 || baseline !== "live") return;
    for (const { row, body, match: text } of scratch.rows()) {
      if (text === undefined) continue;
      const found = matchOf(text);
      if (!found.verdicts.some(({ deed }) => deed === "asked")) continue;
      const { units } = heldOf(body).change;
      const key = keyring.userKey(profile.id, found.username);
      const ledger = (await ledgers([key])).get(key) ?? {};
      const account = found.person?.account;
      const mark = account && keyring.accountMark(profile.id, account);
      for (const [at, verdict] of found.verdicts.entries()) {
        const unit = units[at];
        if (verdict.deed !== "asked" || unit === undefined) continue;
        const last = ledger[unit.name];
        const isFormer = last !== undefined && mark !== undefined && isOfFormer(last, mark);
        const wasSent = !isFormer && last?.digest === keyring.valueDigest(unit.name, unit.value);
        verdict.deed = wasSent ? "awaiting" : verdict.before === undefined ? "set" : "change";
      }
      scratch.rematch(row, write(found));
    }
  }

  function matchOf(text: string): Match {
    const found: unknown = JSON.parse(keyring.open(text));
    if (isMatch(found)) return found;
    throw new TypeError("Expected a match in the scratch");
  }

  async function settleDoubles(several: Iterable<RowBody>): Promise<void> {
    let walked = 0;
    const saidOf = ({ row, body }: RowBody): UserRow => {
      const { version, units } = heldOf(body).change;
      return { row, units, version: version ?? { timeMs: 0, sequence: row } };
    };
    const doubles = createDuplicateRows(mapping.duplicates === "last");
    for (const each of several) {
      doubles.meet(saidOf(each));
      if ((walked += 1) % TURN_ROWS === 0) await turn();
    }
    for (const each of several) {
      if ((walked += 1) % TURN_ROWS === 0) await turn();
      for (const { row, unit, as } of doubles.overruled(saidOf(each))) scratch.settle(row, unit, as);
    }
  }

  function settleClaims(): void {
    for (const { alias, user, row, attribute } of scratch.disputed()) {
      const stepOf = (owner: string): AliasStep => {
        const claim = scratch.claimOf(owner, attribute);
        if (!claim) return { is: "stays" };
        if (claim.alias === null) return { is: "moves" };
        if (scratch.isContested(claim.alias, owner)) return { is: "stays" };
        return { is: "moves", to: scratch.owner(claim.alias) };
      };
      const claim = { claimant: user, contested: scratch.isContested(alias, user), owner: scratch.owner(alias) };
      const fault = judgeClaim(claim, stepOf);
      if (fault) scratch.settle(row, attribute, fault);
    }
  }

  return {
    take,
    // Rows are looked up by those who are met.
    index: () => baseline === "live" && scratch.index(),
    meet,
    forget: () => scratch.forgetMatches(),

    *names() {
      for (const { body } of scratch.rows()) {
        const held: unknown = JSON.parse(keyring.open(body));
        if (!isRecord(held) || held.kind === "fault") continue;
        yield* names.asked(held.change.username);
      }
    },

    async conclude() {
      if (baseline === "ledger") await meetLedgers();
      if (baseline === "live" && options.unlisted === "write") meetUnlisted();
      scratch.indexMatches();
      if (givesAway || (aliases.size > 0 && names.areAliases)) leaveGivenAway();
      for (const { row, verified } of scratch.ambiguous()) {
        scratch.choose(row, verified);
        if (verified === undefined) scratch.fault(row, "user-ambiguous");
      }
      for (const several of scratch.doubles()) await settleDoubles(several);
      await settleAsked();
      settleClaims();
    },

    *rows() {
      for (const row of scratch.rows()) yield judge(row);
    },
  };

  function judge({ row, body, user, match: text, fault, settled }: ScratchRow): JudgedRow {
    const held: unknown = JSON.parse(keyring.open(body));
    if (!isRecord(held)) throw new TypeError("Expected a row in the scratch");
    const { line } = held;
    if (held.kind === "fault") return held;
    const faulty = (reason: keyof typeof PLAN_FAULTS): JudgedRow => ({
      kind: "fault",
      line,
      reason,
      detail: PLAN_FAULTS[reason],
    });
    if (fault !== undefined && isPlanFault(fault)) return faulty(fault);
    if (user === undefined) return faulty("user-unknown");
    const {
      username,
      found,
      verdicts,
      federated = [],
      changed,
      lookedAt,
      person,
    }: Match = text === undefined ? unseen(held) : matchOf(text);
    if (guarded.users.has(canonicalUsername(profile, username))) return faulty("protected-user");
    if (changed) return faulty("changed-since-plan");
    const invalid = [...held.invalid];
    const units: JudgedUnit[] = [];
    for (const [at, unit] of held.change.units.entries()) {
      const verdict = verdicts[at];
      const as = settled.get(unit.name);
      if (verdict === undefined) throw new TypeError("Expected a verdict for each unit in the scratch");
      if (verdict.invalid) invalid.push(verdict.invalid);
      else if (as !== undefined && isPlanFault(as)) invalid.push(invalidUnit(unit.name, as));
      else {
        const deed = as === "superseded" ? as : verdict.deed === "asked" ? "change" : verdict.deed;
        units.push({ ...verdict, unit, deed, message: verdict.message === true && isSent(deed) });
      }
    }
    const version = held.change.version ?? { timeMs: 0, sequence: row };
    const looksToFind = found ? 0 : names.looksToFind(held.change.username);
    const judged = {
      kind: "user" as const,
      line,
      user,
      username,
      found,
      version,
      units,
      invalid,
      federated,
      looksToFind,
    };
    return { ...judged, ...(lookedAt === undefined ? {} : { lookedAt }), ...(person === undefined ? {} : { person }) };
  }
}

function invalidUnit(name: string, reason: keyof typeof PLAN_FAULTS): InvalidUnit {
  return { name, reason, detail: PLAN_FAULTS[reason] };
}
