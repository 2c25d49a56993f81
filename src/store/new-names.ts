/**
 * Documents from the keys that they were named and sealed by to new ones. What cannot be opened was altered in the store,
 * or damaged: it stays so, and is opened by nobody under the new keys either. So whoever meets it says so then.
 */
import { randomBytes } from "node:crypto";
import type { Account } from "../core/person.ts";
import { ordinalOf } from "../core/version.ts";
import type { KeptText } from "./kept-texts.ts";
import { personOf, valueOf, type Keyring } from "./keyring.ts";
import { resealEvent } from "./sealed-event.ts";
import { linkPlace, openBody, openUsername, sealBody, sealUsername, type UserPlace } from "./sealed-unit.ts";

export interface KeyChange {
  readonly from: Keyring;
  readonly to: Keyring;
}

/** `new`: it was brought to the new keys before. */
export type Anew = KeptText | "new" | "damaged";

type Fields = Record<string, unknown>;

export function mailboxAnew(change: KeyChange, { name, text }: KeptText): Anew {
  const mailbox = fieldsOf(text);
  const { pool, username, pending, claim, lastSettled, unresolvedCalls } = mailbox ?? {};
  if (mailbox === undefined || typeof pool !== "string" || typeof username !== "string") return "damaged";
  if (!isFields(pending) || !(claim === undefined || isClaim(claim))) return "damaged";
  const at = { pool, user: name };
  const whose = whoseAnew(change, at, username);
  if (whose === "new") return "new";
  const digests = new Map<unknown, string>();
  for (const units of [pending, claim?.units, lastSettled]) {
    for (const [unit, queued] of Object.entries(isFields(units) ? units : {})) {
      changeUnit(change, { ...at, unit }, whose.user, queued, digests);
    }
  }
  for (const call of Object.values(isFields(unresolvedCalls) ? unresolvedCalls : {})) {
    if (isFields(call)) call["digest"] = digests.get(call["digest"]) ?? nobodysDigest();
  }
  return { name: whose.user, text: JSON.stringify({ ...mailbox, username: whose.username }) };
}

/** Whose a letter is, and who has its value. Undefined where it is damaged. */
export function usersOfLetter({ text }: Pick<KeptText, "text">) {
  const { pool, user, username, owner } = fieldsOf(text) ?? {};
  if (typeof pool !== "string" || typeof user !== "string" || typeof username !== "string") return undefined;
  return { pool, user, username, owner: typeof owner === "string" ? owner : undefined };
}

/** `userOf` answers the new key of a user by the former one, where it is known. */
export function letterAnew(
  change: KeyChange,
  { text }: KeptText,
  userOf: (former: string) => string | undefined,
): Anew {
  const letter = fieldsOf(text);
  const { pool, username, user, unit, version, owner } = letter ?? {};
  if (letter === undefined || typeof pool !== "string" || typeof username !== "string") return "damaged";
  if (typeof user !== "string" || typeof unit !== "string" || typeof version !== "string") return "damaged";
  const whose = whoseAnew(change, { pool, user }, username);
  if (whose === "new") return "new";
  changeUnit(change, { pool, user, unit }, whose.user, letter, new Map());
  if (owner !== undefined) letter["owner"] = typeof owner === "string" ? userOf(owner) : undefined;
  // No two letters of a unit have one version. The same fault is another letter from now on.
  const id = change.to.letterId(whose.user, unit, version);
  return { name: id, text: JSON.stringify({ ...letter, ...whose, id }) };
}

/**
 * The ledger of a user, who has this account. Of a value's digest nobody can tell the value, so it is blank from now on:
 * poolsync does not know the value that is there for its own. What was written to an account that the user no longer has
 * is void. Undefined where nothing is left.
 */
export function ledgerAnew(change: KeyChange, pool: string, account: Account, text: string): string | undefined {
  const ledger = fieldsOf(text);
  if (ledger === undefined) return undefined;
  const marks = { from: change.from.accountMark(pool, account), to: change.to.accountMark(pool, account) };
  const entries = Object.entries(ledger).flatMap(([unit, entry]): [string, Fields][] => {
    if (!isFields(entry)) return [];
    const blank = { ...entry, digest: "" };
    if (entry["account"] === undefined) return [[unit, blank]];
    return entry["account"] === marks.from ? [[unit, { ...blank, account: marks.to }]] : [];
  });
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}

/** An event that comes again after that is not known any more: versions settle what becomes of it. */
export function eventAnew(change: KeyChange, { name, text }: KeptText): Anew {
  const id = randomBytes(16).toString("hex");
  const anew = resealEvent(change, { id: name, body: text }, id);
  if (anew !== undefined) return { name: id, text: anew };
  return resealEvent({ from: change.to, to: change.to }, { id: name, body: text }, id) === undefined
    ? "damaged"
    : "new";
}

/** Undefined where it cannot be opened. */
export function linkAnew({ from, to }: KeyChange, pool: string, link: KeptText, digest: string): KeptText | undefined {
  const opened = from.open(linkPlace(pool, link.name), link.text);
  return opened === undefined ? undefined : { name: digest, text: to.seal(linkPlace(pool, digest), opened) };
}

/** A user whose name cannot be opened is nobody from now on: with a key that no name has. */
function whoseAnew(
  { from, to }: KeyChange,
  at: UserPlace,
  sealed: string,
): "new" | { readonly user: string; readonly username: string } {
  const username = openUsername(from, at, sealed);
  if (username !== undefined) {
    const user = to.userKey(at.pool, username);
    return { user, username: sealUsername(to, { pool: at.pool, user }, username) };
  }
  if (sealed === "" || openUsername(to, at, sealed) !== undefined) return "new";
  return { user: randomBytes(16).toString("hex"), username: "" };
}

/** A unit of a mailbox or a letter, and the values that it has replaced. `digests`: new ones by the former. */
function changeUnit(
  change: KeyChange,
  at: UserPlace & { readonly unit: string },
  user: string,
  unit: unknown,
  digests: Map<unknown, string>,
): void {
  if (!isFields(unit)) return;
  const { version, body, digest, replaced } = unit;
  const opened = typeof version === "string" && typeof body === "string" ? openedBody(change, at, version, body) : null;
  if (opened === null) {
    Object.assign(unit, { body: "", digest: nobodysDigest(), account: undefined });
  } else {
    const { text, value, account } = opened;
    const place = { pool: at.pool, user, unit: at.unit };
    unit["body"] = sealBody(change.to, place, ordinalOf(String(version)), text);
    unit["digest"] = change.to.valueDigest(at.unit, value);
    digests.set(digest, change.to.valueDigest(at.unit, value));
    if (unit["account"] !== undefined) unit["account"] = account && change.to.accountMark(at.pool, account);
  }
  for (const other of Array.isArray(replaced) ? replaced : []) changeUnit(change, at, user, other, digests);
}

function openedBody({ from }: KeyChange, at: UserPlace & { readonly unit: string }, version: string, body: string) {
  const text = openBody(from, { ...at, version }, body);
  if (text === undefined) return null;
  try {
    return { text, value: valueOf(text), account: personOf(text).account };
  } catch {
    // It was kept in clear once, and altered since. The error may quote it.
    return null;
  }
}

function isClaim(claim: unknown): claim is { readonly units: Fields } {
  return isFields(claim) && isFields(claim["units"]) && typeof claim["leaseUntil"] === "number";
}

/** Equal to that of no value. */
function nobodysDigest(): string {
  return randomBytes(16).toString("base64url");
}

function fieldsOf(text: string): Fields | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isFields(document) ? document : undefined;
  } catch {
    // The text may hold a person's data, and so may its error.
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
