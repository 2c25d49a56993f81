/**
 * Says which user a change is for: how the change named its person, and which account was found by that name. Names
 * pass from one person to another, and a username that was deleted and made anew is another account; the account's
 * `sub` is the one thing that stays.
 */

/** A user of a pool as a look found it. */
export interface Account {
  readonly sub: string;
  /** Epoch ms, by Cognito. */
  readonly createdAt: number;
  /** Signs in through an identity provider. Such a user is written by the username: Cognito takes the sub of local ones. */
  readonly federated?: true;
}

/** A name that is not the username, and so may pass to somebody else. */
export interface PersonName {
  /** What was asked: `email`, `phone_number`, `preferred_username`, or the attribute that a feed matches. */
  readonly attribute: string;
  readonly value: string;
  /** Epoch ms by the store's clock: before it was asked whose it is. */
  readonly askedAt: number;
}

/** Without an account nobody has looked: the change is for the user who has the username when it is sent. */
export interface Person {
  readonly account?: Account;
  /** Absent where the username named the person. */
  readonly name?: PersonName;
}

/** How long a process may use its own answer about the user who has a name, in ms. */
const NAME_BELIEVED_MS = 60_000;

/** True where it was asked so short a time ago that it need not be asked again. Both by the store's clock. */
export function isFresh(askedAt: number, nowMs: number): boolean {
  return askedAt <= nowMs && nowMs - askedAt < NAME_BELIEVED_MS;
}

/** The `Username` of the call: of a known account its sub, so that a namesake is not written. */
export function calledName(username: string, { account }: Person): string {
  return account === undefined || account.federated === true ? username : account.sub;
}

/** The width of the time at which the account was made, in its mark. */
export const MADE_AT_DIGITS = 15;

/**
 * An account as the stores compare it: when it was made, in fixed-width digits, and a keyed digest of its sub. Of two
 * accounts that had one username the later one is the successor.
 */
export function accountMark(createdAt: number, digest: string): string {
  return `${String(Math.max(0, Math.floor(createdAt))).padStart(MADE_AT_DIGITS, "0")}.${digest}`;
}

/** When the account of a mark was made, in epoch ms. */
export function madeAt(mark: string): number {
  return Number(mark.slice(0, MADE_AT_DIGITS));
}

/** True where the account replaced the other one, which then no longer exists. */
export function isSuccessor(mark: string, other: string): boolean {
  return mark !== other && madeAt(mark) >= madeAt(other);
}
