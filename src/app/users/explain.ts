/** One user's path through poolsync, as one document: what is there, what is wanted, and what stands in between. */
import type { CognitoClient } from "../../cognito/client.ts";
import { retryRead, type ReadRefusal, type Reads } from "../../cognito/read-retry.ts";
import { createUserDirectory } from "../../cognito/user-directory.ts";
import { canonicalAlias, isAliasAttribute, type Alias } from "../../core/alias-claims.ts";
import type { ListedUser } from "../../core/comparison.ts";
import { questionsOf } from "../../core/identifier.ts";
import type { Pool } from "../../delivery/pool.ts";
import { gatesIn, isBelieved, type QueuedUnit, type UserState } from "../../core/mailbox.ts";
import { canonicalUsername, type PoolProfile } from "../../core/pool-schema.ts";
import { runGate } from "../../core/gate.ts";
import { contactOf, isContact, type Unit } from "../../core/unit.ts";
import { timeOf } from "../../core/version.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Named, NameHint } from "../../delivery/user-names.ts";
import { callOptionsOf, personOf, valueOf, type Keyring } from "../../store/keyring.ts";
import { openBody } from "../../store/sealed-unit.ts";
import { mask, printable, shownValue, valueText } from "../../core/masking.ts";
import { pausedGates, pausedSentence, type PausedGate } from "../gates/pause.ts";
import { nextStep, sentence, type Sentence } from "../../core/sentence.ts";
import type { Letter } from "../../core/letter.ts";
import type { Runs } from "../../store/runs.ts";
import { isWaitingFlood } from "../events/flood-gate.ts";
import { viewLetter } from "../letters/letter-view.ts";
import type { ExceptionView, Explanation, PendingUnit } from "./explanation.ts";
import { scanWaitSentences } from "../events/scan-wait.ts";
import { exceptionsOf, runsOf, ledgerOf, withFeed } from "./outcomes.ts";
import { reasons } from "./reasons.ts";
import { nextCalls, wouldBe, type NextCall, type Prospect, type Waiting } from "./next-delivery.ts";
import { adviceOf } from "../../core/advice.ts";
import { counted } from "../../core/amounts.ts";

export interface ExplainDeps {
  readonly engine: Engine;
  readonly cognito: CognitoClient;
  readonly reads: Reads;
  readonly signal: AbortSignal;
}

interface UserDeps extends ExplainDeps {
  readonly profile: PoolProfile;
  /** As it was asked for. */
  readonly name: string;
}

export type Explained =
  | { readonly is: "one"; readonly explanation: Explanation }
  /** `exceptions`: rows that named somebody so. */
  | {
      readonly is: "none";
      readonly exceptions: readonly ExceptionView[];
      /** Events that wait, and may name somebody so. */
      readonly waiting: readonly Sentence[];
    }
  | { readonly is: "many"; readonly usernames: readonly string[] };

/** Finds the user by what people sign in with, and explains how things stand. */
export async function explain(deps: ExplainDeps & { readonly pool: Pool }, name: string): Promise<Explained> {
  const { pool, signal } = deps;
  const before = await hintOf(pool, name);
  const named = await pool.names.whose(name, undefined, signal, { mayBill: () => false });
  if (named.is === "many") return named;
  const { engine } = deps;
  if (named.is === "none") {
    const { id } = pool.profile;
    return {
      is: "none",
      exceptions: await exceptionsOf(engine, id, { names: [name] }),
      waiting: await scanWaitSentences(engine.store, id),
    };
  }
  return { is: "one", explanation: await explainUser({ ...deps, profile: pool.profile, name }, named, before) };
}

/** Whose the name was when it was asked before, where it is one that passes on. */
async function hintOf({ names, profile }: Pool, text: string): Promise<NameHint | undefined> {
  for (const attribute of questionsOf(profile, text)) {
    const hint = isAliasAttribute(attribute) ? await names.hint({ attribute, value: text }) : undefined;
    if (hint !== undefined) return hint;
  }
  return undefined;
}

/** Explains a user who was found. `before`: whose the name was when it was asked before. */
export async function explainUser(
  deps: UserDeps,
  named: Extract<Named, { is: "one" }>,
  before: NameHint | undefined,
): Promise<Explanation> {
  const { engine, profile } = deps;
  const { store, keyring } = engine;
  const { username } = named;
  const user = keyring.userKey(profile.id, username);
  const state = await store.mailboxes.read(user);
  const askedAt = named.askedAt ?? (await store.now());
  const found = named.user ? { ok: true as const, user: named.user } : await look(deps, username);
  const listed = found.ok ? found.user : undefined;
  const { letters, desired } = await lettersOfUser(engine, { pool: profile.id, user });
  const holds = (await store.holds.list())
    .filter(({ pool }) => pool === profile.id)
    .map(({ scope, kind }) => ({ scope, kind, advice: adviceOf(kind) }));
  const pauses = (await pausedGates(store)).filter(({ gate }) => gatesIn(state.mailbox).has(gate));
  const nowMs = await store.now();
  const { units, altered } = unitsOf(user, state, keyring, nowMs);
  desired.push(...units.map(({ unit }) => unit));
  const looked = await owners(deps, desired);
  const prospect: Prospect = {
    profile,
    listed,
    nowMs,
    isAnothers: (alias) => {
      const owned = looked.found.get(aliasKey(profile, alias));
      return owned?.owners.some((owner) => canonicalUsername(profile, owner) !== username) ?? false;
    },
  };
  const waiting = pendingOf(state, units, prospect);
  const written = ledgerOf({ keyring, profile }, state, listed);
  const names = [
    deps.name,
    username,
    listed?.attributes.get("email") ?? "",
    listed?.attributes.get("phone_number") ?? "",
  ];
  const exceptions = await exceptionsOf(engine, profile.id, { user, names, ledger: state.ledger });
  const writes = written.flatMap((unit) => unit.written ?? []);
  const runs = await runsOf(store.runs, [...waiting, ...written, ...writes, ...letters]);
  const pending = waiting.map((unit) => withFeed(unit, runs));
  const ledger = written.map((unit) => {
    const settled = withFeed(unit, runs);
    return unit.written === undefined ? settled : { ...settled, written: withFeed(unit.written, runs) };
  });
  return {
    pool: {
      id: profile.id,
      region: profile.region,
      ignoresCase: !profile.caseSensitive,
      signIn: [...profile.usernameAttributes, ...profile.aliasAttributes],
      heldUntilConfirmed: profile.requireVerificationBeforeUpdate,
    },
    user,
    username: printable(username),
    found: foundBy(named, askedAt, before),
    asked: found.ok,
    listed: listed === undefined ? null : shownUser(listed),
    pending,
    ledger,
    letters,
    exceptions,
    aliases: [...looked.found.values()].map(({ attribute, text, owners: names }) => {
      return { attribute, value: mask(text), owners: names.map(printable) };
    }),
    next: nextOf(units, prospect, holds),
    holds,
    because: [
      ...unasked("for this user", found),
      ...unasked("who has what is wanted", looked.refused),
      ...pauses.map(pausedSentence),
      ...keptSentences(units, pauses),
      ...altered.map(
        (name) =>
          `\`${name}\` was altered in the store: nothing of it is sent, and it becomes a dead letter (altered).`,
      ),
      ...(await approvalsAwaited(store.runs, profile.id)),
      ...(await scanWaitSentences(store, profile.id)),
      ...reasons({
        listed: found.ok ? (listed ?? null) : undefined,
        inHand: state.mailbox?.claim !== undefined,
        isKept: Object.values(state.mailbox?.pending ?? {}).every(({ gate }) => gate !== undefined),
        heldUntilConfirmed: profile.requireVerificationBeforeUpdate,
        letters: letters.map((letter) => withFeed(letter, runs)),
        pending,
        exceptions,
        holds,
        ledger,
      }),
    ],
  };
}

/** The dead letters of a user, and what each of them wanted. */
async function lettersOfUser(engine: Engine, whose: { readonly pool: string; readonly user: string }) {
  const { store, keyring } = engine;
  const found: Letter[] = [];
  for await (const letter of store.letters.list(whose)) found.push(letter);
  const letters = found.map((letter) => viewLetter(letter, keyring, false));
  const desired = found.flatMap((letter): Unit[] => {
    const body = openBody(keyring, letter, letter.body);
    return body === undefined ? [] : [{ name: letter.unit, value: valueOf(body) }];
  });
  return { letters, desired };
}

/** How many runs are looked through for those that wait. */
const RUNS = 100;

/** Of a plan that waits for somebody's approval nothing is put: it may be of this user, too. What events wait with is put. */
async function approvalsAwaited(runs: Runs, pool: string): Promise<Sentence[]> {
  const waiting = (await runs.list(RUNS)).filter(
    (run) => run.pool === pool && run.state === "needs-approval" && !isWaitingFlood(run),
  );
  return waiting.map(
    ({ id, feed }) =>
      sentence`Run ${id} of ${printable(feed)} waits for an approval, and nothing that it says of anybody is written before: see ${nextStep("runs", "show", id)}.`,
  );
}

function look({ cognito, profile, reads, signal }: UserDeps, username: string) {
  const directory = createUserDirectory(cognito);
  return retryRead({ operation: "ListUsers", pool: profile.id, reads, signal }, (ending) =>
    directory.readUser(profile.id, { username }, { ignoresCase: !profile.caseSensitive, signal: ending }),
  );
}

function foundBy(
  { by, username }: Extract<Named, { is: "one" }>,
  askedAt: number,
  before: NameHint | undefined,
): Explanation["found"] {
  const found = { by, at: iso(askedAt) };
  if (before === undefined || before.username === username) return found;
  const at = before.askedAt === undefined ? {} : { at: iso(before.askedAt) };
  return { ...found, before: { username: printable(before.username), ...at } };
}

function shownUser({ status, attributes }: ListedUser): NonNullable<Explanation["listed"]> {
  const shown = [...attributes].map(([name, value]) => [name, shownValue(name, value)] as const);
  return { status, attributes: Object.fromEntries<string>(shown) };
}

/** What poolsync wrote last, held against what the pool has. */
interface OpenUnit extends Waiting {
  readonly queued: QueuedUnit;
  /** In a process's hands. */
  readonly inHand: boolean;
}

/** All that waits or is in hand; `altered`: the names of units that do not open any more. */
function unitsOf(
  user: string,
  { mailbox, ledger }: UserState,
  keyring: Keyring,
  nowMs: number,
): { readonly units: OpenUnit[]; readonly altered: readonly string[] } {
  const altered: string[] = [];
  const openUnits = (units: Readonly<Record<string, QueuedUnit>>, inHand: boolean): OpenUnit[] =>
    Object.entries(units).flatMap(([name, queued]) => {
      const { version } = queued;
      const body = openBody(keyring, { pool: mailbox?.pool ?? "", user, unit: name, version }, queued.body);
      if (body === undefined) {
        altered.push(name);
        return [];
      }
      const isLast = ledger[name]?.digest === queued.digest;
      const isWritten = isBelieved(ledger[name], queued.digest, nowMs);
      return {
        unit: { name, value: valueOf(body) },
        person: personOf(body),
        callOptions: callOptionsOf(body),
        version,
        queued,
        sendUnless: queued.sendUnless,
        isLast,
        isBelieved: isWritten,
        inHand,
      };
    });
  const units = [...openUnits(mailbox?.claim?.units ?? {}, true), ...openUnits(mailbox?.pending ?? {}, false)];
  return { units, altered };
}

function pendingOf({ mailbox }: UserState, units: readonly OpenUnit[], prospect: Prospect): PendingUnit[] {
  return units.map((open) => {
    const { unit, queued, inHand } = open;
    const { version, run, attempts, faults, deaths, notBefore } = queued;
    const { name } = open.person;
    return {
      attribute: unit.name,
      value: valueText(unit.value, false),
      version: iso(timeOf(version)),
      run,
      ...(name === undefined ? {} : { namedBy: `${name.attribute} ${mask(name.value)}`, namedAt: iso(name.askedAt) }),
      attempts,
      faults,
      deaths,
      ...(inHand && mailbox?.claim ? { inHandUntil: iso(mailbox.claim.leaseUntil) } : {}),
      ...(notBefore > prospect.nowMs ? { notBefore: iso(notBefore) } : {}),
      would: wouldBe(prospect, open),
    };
  });
}

/** What is in a process's hands is on its way already, and what is kept, on hold or in a longer back-off is not next. */
function nextOf(units: readonly OpenUnit[], prospect: Prospect, holds: Explanation["holds"]): NextCall[] {
  if (holds.some(({ scope }) => scope === "pool")) return [];
  const contactsWait = holds.length > 0;
  const free = units.filter(({ unit: { name }, queued, inHand }) => {
    if (queued.gate !== undefined) return false;
    return !inHand && !(contactsWait && (isContact(name) || contactOf(name) !== undefined));
  });
  const atMs = Math.max(prospect.nowMs, Math.min(...free.map(({ queued }) => queued.notBefore)));
  return nextCalls(
    prospect,
    free.filter(({ queued }) => queued.notBefore <= atMs),
  );
}

/** One for all spellings of an alias that the pool takes for the same. */
function aliasKey(profile: PoolProfile, alias: Alias): string {
  return JSON.stringify([alias.attribute, canonicalAlias(profile, alias)]);
}

interface OwnedAlias {
  readonly attribute: string;
  /** As it was wanted first. */
  readonly text: string;
  /** Usernames. */
  readonly owners: readonly string[];
}

/**
 * Who has the addresses, numbers and preferred usernames that the user wants, where people sign in with such; by their
 * keys.
 */
async function owners(
  { cognito, profile, reads, signal }: UserDeps,
  desired: readonly Unit[],
): Promise<{ readonly found: ReadonlyMap<string, OwnedAlias>; readonly refused?: ReadRefusal }> {
  const { usernameAttributes, aliasAttributes } = profile;
  const directory = createUserDirectory(cognito);
  const found = new Map<string, OwnedAlias>();
  for (const { name, value } of desired) {
    if (value.kind !== "text" || !isAliasAttribute(name)) continue;
    if (![...usernameAttributes, ...aliasAttributes].includes(name)) continue;
    const alias = { attribute: name, value: value.text };
    const key = aliasKey(profile, alias);
    if (found.has(key)) continue;
    const look = { ignoresCase: !profile.caseSensitive, verified: aliasAttributes.includes(name) };
    const response = await retryRead({ operation: "ListUsers", pool: profile.id, reads, signal }, (ending) =>
      directory.owners(profile.id, alias, { ...look, signal: ending }),
    );
    if (!response.ok) return { found, refused: response };
    found.set(key, { attribute: name, text: value.text, owners: response.owners.map(({ username }) => username) });
  }
  return { found };
}

/** What could not be found out, and why. */
function unasked(what: string, response: { readonly ok: true } | ReadRefusal | undefined): string[] {
  if (response === undefined || response.ok) return [];
  const { kind, advice } = response.failure;
  return [`The pool could not be asked ${what} (${kind}). ${advice}`];
}

/** What a gate keeps of the user: until a resume, or until somebody approves its run. */
function keptSentences(units: readonly OpenUnit[], pauses: readonly PausedGate[]): Sentence[] {
  const gates = units.flatMap(({ queued }) => queued.gate ?? []);
  const paused = gates.filter((gate) => pauses.some((pause) => pause.gate === gate)).length;
  const runs = new Set(units.flatMap(({ queued: { gate, run } }) => (gate === runGate(run) ? [run] : [])));
  const until = `Until then ${counted(paused, "change")} of this user ${paused === 1 ? "is" : "are"} kept.`;
  const gaveWay = units.flatMap(({ queued: { gate, digest, replaced = [] } }) =>
    gate === undefined ? [] : replaced.filter((one) => one.digest === digest).map(({ run }) => run),
  );
  return [
    ...(paused === 0 ? [] : [[until]]),
    ...Array.from(new Set(gaveWay), (run) => [
      `The same was put before by run ${run}: it gave way to the later value, and waits with it.`,
    ]),
    ...Array.from(runs, (run) => sentence`Run ${run} waits for an approval: see ${nextStep("runs", "show", run)}.`),
  ];
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
