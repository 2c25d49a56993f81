/**
 * What is kept of people in mailboxes and letters, sealed at its place: a unit's body under pool, user and unit, with the
 * source's own ordinal in it, and a username under pool and user. So another person's body, another unit's, or an older
 * value under a newer version does not open. A version's arrival is not in it: it is given by the store, and a merge or a
 * replay may keep the value under another.
 */
import type { Letter } from "../core/letter.ts";
import { ordinalOf } from "../core/version.ts";
import type { Keyring, Place } from "./keyring.ts";

export interface UserPlace {
  readonly pool: string;
  /** The user's key. */
  readonly user: string;
}

export interface UnitPlace extends UserPlace {
  readonly unit: string;
}

/** Where it is kept whose an address, a number or another name was; by the name's digest. */
export const linkPlace = (pool: string, digest: string): Place => ["link", pool, digest];
/** Where it is kept what was there of a user's unit before a run. */
export const beforeImagePlace = (run: string, unit: string): Place => ["before image", run, unit];
/** Where a chunk of the plan of a run is kept. */
export const chunkPlace = (run: string, index: number): Place => ["plan chunk", run, String(index)];
const usernamePlace = ({ pool, user }: UserPlace): Place => ["username", pool, user];
const bodyPlace = ({ pool, user, unit }: UnitPlace): Place => ["body", pool, user, unit];

export function sealUsername(keyring: Pick<Keyring, "seal">, at: UserPlace, username: string): string {
  return keyring.seal(usernamePlace(at), username);
}

/** Undefined where it is not this user's. */
export function openUsername(
  keyring: Pick<Keyring, "open" | "userKey">,
  at: UserPlace,
  sealed: string,
): string | undefined {
  return openUsernameOf(keyring, at, keyring.open(usernamePlace(at), sealed));
}

/** The username, where it is this user's. */
export function openUsernameOf(
  keyring: Pick<Keyring, "userKey">,
  at: UserPlace,
  username: string | undefined,
): string | undefined {
  return username !== undefined && keyring.userKey(at.pool, username) === at.user ? username : undefined;
}

/** `ordinal` is that of the version under which it is put. */
export function sealBody(keyring: Pick<Keyring, "seal">, at: UnitPlace, ordinal: string, body: string): string {
  return keyring.seal(bodyPlace(at), shortened(ordinal) + body);
}

/** The body of a unit that has this version; undefined where it is not this unit's, or was put under another ordinal. */
export function openBody(
  keyring: Pick<Keyring, "open">,
  at: UnitPlace & { readonly version: string },
  sealed: string,
): string | undefined {
  const opened = keyring.open(bodyPlace(at), sealed);
  // Before format 3 no ordinal was in it.
  if (opened === undefined || opened.startsWith("{")) return opened;
  const ordinal = shortened(ordinalOf(at.version));
  return opened.startsWith(`${ordinal}{`) ? opened.slice(ordinal.length) : undefined;
}

export interface OpenedLetter {
  readonly username: string;
  readonly body: string;
}

/** Undefined where the letter holds anything that is not its user's and its unit's. */
export function openLetter(
  keyring: Pick<Keyring, "open" | "userKey">,
  letter: Pick<Letter, "pool" | "user" | "unit" | "version" | "username" | "body">,
): OpenedLetter | undefined {
  const username = openUsername(keyring, letter, letter.username);
  const body = openBody(keyring, letter, letter.body);
  return username === undefined || body === undefined ? undefined : { username, body };
}

/** Without the zeros that make its parts as wide as others': a body is kept for each value that waits. */
function shortened(ordinal: string): string {
  return ordinal.replaceAll(/(?<=^|\.)0+(?=\d)/g, "");
}
