/**
 * The port to the account index: which account of a pool has a value of an attribute, as the last whole scan of the pool
 * saw it. By some attributes nobody can be asked for: whom they lead to is known from a scan, or not at all. Whoever finds
 * an account here asks the pool whether it still has the value: names pass from one person to another.
 *
 * What a scan sees is kept apart until the scan has come to its end, and then takes the place of what was there, in one
 * step: of a scan that was cut nothing is found, and it takes nothing away. Each attribute has an index of its own, which goes
 * where nobody has scanned for it for {@link INDEX_KEPT_MS}, because the feed that needed it is no more: on Redis by itself, in
 * a data directory when it is opened.
 */

/** An index of its own. */
export interface IndexedAttribute {
  readonly pool: string;
  readonly attribute: string;
}

/** What a scan that is under way sees of an attribute. */
export interface IndexingScan extends IndexedAttribute {
  /** Names the scan: a random UUID. */
  readonly scan: string;
  /** Epoch ms by the store's clock: before its first page was asked for. */
  readonly beganAt: number;
}

/** See sealed-account.ts, which names and seals. */
export interface IndexedAccount {
  /** Names the value, opaque. */
  readonly name: string;
  /** Tells accounts apart: {@link MARK_LENGTH} signs, opaque. */
  readonly mark: string;
  /** Sealed. */
  readonly body: string;
}

export interface FoundAccount {
  /** `body`: sealed. */
  readonly found: { readonly is: "one"; readonly body: string } | { readonly is: "several" | "none" };
  /** Epoch ms: when the scan began that has seen this, or an earlier one; absent where there was none. */
  readonly scannedAt?: number;
}

export interface AccountIndex {
  /** A name that another account has in the same scan is of several. */
  add(scan: IndexingScan, accounts: readonly IndexedAccount[]): Promise<void>;
  /** What was added of the scan is forgotten, as where it begins again. */
  drop(scan: IndexingScan): Promise<void>;
  /**
   * The scan has come to its end: what it saw is found from now on, and nothing else. Answers false, and forgets it, where
   * another whole scan began later, or not all of it is there: `adds` is how many times something was added.
   */
  finish(scan: IndexingScan, adds: number): Promise<boolean>;
  find(of: IndexedAttribute, name: string): Promise<FoundAccount>;
  /** The attributes of a pool that a whole scan has seen, and when the last one began (epoch ms). */
  scanned(pool: string): Promise<ReadonlyMap<string, number>>;
}

export const MARK_LENGTH = 4;
/** Stands for several accounts. */
export const SEVERAL = "*";
export const INDEX_KEPT_MS = 60 * 86_400_000;
/** How long the store waits for more of a scan: longer than Cognito takes the token of a page. */
export const SCAN_WAIT_MS = 2 * 3_600_000;

/** Accounts as texts, by their names: mark and body, or one that stands for several. */
export function accountTexts(accounts: readonly IndexedAccount[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { name, mark, body } of accounts) texts.set(name, together(texts.get(name), mark + body));
  return texts;
}

/** What is kept of a name with two texts. */
export function together(there: string | undefined, text: string): string {
  return there === undefined || markOf(there) === markOf(text) ? text : SEVERAL;
}

function markOf(text: string): string {
  return text.slice(0, MARK_LENGTH);
}

/** What such a text says. */
export function accountIn(text: string | undefined): FoundAccount["found"] {
  if (text === undefined) return { is: "none" };
  return text === SEVERAL ? { is: "several" } : { is: "one", body: text.slice(MARK_LENGTH) };
}
