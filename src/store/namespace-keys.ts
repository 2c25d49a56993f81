/**
 * The keys of a namespace: made at random once, and kept in the store as one record, `keys`, in which POOLSYNC_KEY wraps
 * each of them; where there is none they lie there in clear. A process has unwrapped them when it opens the store, and
 * goes on whatever the record is wrapped by later.
 *
 * - The *digest key* names users and values. A namespace keeps it, or would know nobody again: after a leak everything that
 *   it has named is named anew (new-names.ts).
 * - The *data key* seals what is kept of people, and signs plans.
 * - The *earlier* keys are the digest keys that were replaced, oldest first. They name content together with the one that
 *   is there, and nothing else.
 * - The *former* key is what versions before format 3 sealed with. It opens what they left, and seals nothing.
 */
import { createHash, hkdfSync, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { nextStep, sentence, type Sentence } from "../core/sentence.ts";
import { decrypt, encrypt, type KeyringKeys } from "./keyring.ts";
import type { Store } from "./store.ts";
import { StoreError } from "./store-error.ts";

export interface NamespaceKeys extends KeyringKeys {
  /** False while something may be left of what was kept before format 3. */
  readonly sealed: boolean;
}

/** Of 32 bytes each. */
export interface WrappingKeys {
  readonly key?: Uint8Array | undefined;
  /** Tried where the record is not wrapped by `key`. */
  readonly previousKey?: Uint8Array | undefined;
}

/** By which key a record is wrapped. */
export type WrappedBy = "key" | "previous key" | "none";

export interface OpenedKeys {
  readonly keys: NamespaceKeys;
  readonly wrappedBy: WrappedBy;
  /** The record as it stands in the store. */
  readonly record: string;
}

type KeyStore = Pick<Store, "identity" | "recall" | "exchange" | "targets">;

const RECORD = "keys";
/** The names under which versions before format 3 kept the mark of POOLSYNC_KEY, and the digest key in clear. */
const FORMER_MARK = "key";
const FORMER_DIGEST = "digest-key";
const UNWRAPPED = "none";
const KEY_BYTES = 32;

const recordForm = z.object({
  /** The mark of the key that wraps the others; `none` where they lie in clear. */
  by: z.string(),
  sealed: z.boolean(),
  data: z.string(),
  digest: z.string(),
  earlier: z.exactOptional(z.array(z.string())),
  former: z.exactOptional(z.string()),
  /** The record that takes the place of this one, while everything is brought from these keys to those. */
  next: z.exactOptional(z.string()),
});

/**
 * Opens the keys, and makes them where there are none. Throws a StoreError `wrong-key` where none of the keys fits, and
 * `rekeying` where new ones are about to take their place.
 */
export async function openNamespaceKeys(store: KeyStore, wrapping: WrappingKeys): Promise<OpenedKeys> {
  const opened = await openReplacedKeys(store, wrapping);
  if (parsed(opened.record).next === undefined) return opened;
  throw new StoreError(
    "rekeying",
    sentence`New keys of this namespace are being made, and nothing else is done in it meanwhile: wait until ${nextStep("rekey", "--digests")} has ended; where it was cut, give it again.`,
  );
}

async function openReplacedKeys(store: KeyStore, wrapping: WrappingKeys): Promise<OpenedKeys> {
  for (;;) {
    const record = await store.recall(RECORD);
    if (record !== undefined) return { record, ...unwrapped(record, store.identity, wrapping) };
    await makeRecord(store, wrapping);
  }
}

/** Opens the keys as a process that is to work with them: under POOLSYNC_KEY, if there is one. */
export async function openKeysToWork(store: KeyStore, wrapping: WrappingKeys): Promise<OpenedKeys> {
  const opened = await openNamespaceKeys(store, wrapping);
  if (opened.wrappedBy === "none" && wrapping.key !== undefined) {
    throw wrongKey(
      sentence`The keys of this namespace lie in clear in the store, and POOLSYNC_KEY is set: run ${nextStep("rekey")} to wrap them by it, or unset it.`,
    );
  }
  return opened;
}

/**
 * The same for who only looks: where there are none yet none are made, for whoever makes them decides by which POOLSYNC_KEY
 * they are wrapped. Nothing is there then that the keys of this process alone could not open.
 */
export async function openKeysToLook(
  store: KeyStore,
  wrapping: WrappingKeys,
): Promise<Omit<OpenedKeys, "record"> & { readonly record?: string }> {
  if ((await hasKeys(store)) || (await store.targets()).length > 0) return openKeysToWork(store, wrapping);
  return { keys: freshKeys(), wrappedBy: wrapping.key === undefined ? "none" : "key" };
}

export type Rewrapped =
  | { readonly is: "never used" }
  /** What a version before format 3 kept in clear is to be sealed first: nothing in clear is opened under a key. */
  | ({ readonly is: "not sealed" } & Pick<OpenedKeys, "keys">)
  | { readonly is: "done before" }
  | { readonly is: "wrapped"; readonly from: WrappedBy };

/** Wraps the keys by `key`, whatever they were wrapped by. */
export async function rewrapKeys(
  store: KeyStore,
  { key, previousKey }: WrappingKeys & { readonly key: Uint8Array },
): Promise<Rewrapped> {
  if (!(await hasKeys(store))) return { is: "never used" };
  for (;;) {
    const { record, keys, wrappedBy } = await openNamespaceKeys(store, { key, previousKey });
    if (wrappedBy === "key") return { is: "done before" };
    if (wrappedBy === "none" && !keys.sealed) return { is: "not sealed", keys };
    if (await store.exchange(RECORD, record, wrapped(keys, store.identity, key)))
      return { is: "wrapped", from: wrappedBy };
  }
}

async function hasKeys(store: KeyStore): Promise<boolean> {
  const names = await Promise.all([RECORD, FORMER_MARK].map((name) => store.recall(name)));
  return names.some((text) => text !== undefined);
}

/** The keys of a namespace as the one process opens them that replaces them; undefined where nobody has used it yet. */
export async function openKeysToReplace(store: KeyStore, wrapping: WrappingKeys): Promise<OpenedKeys | undefined> {
  return (await hasKeys(store)) ? openReplacedKeys(store, wrapping) : undefined;
}

/**
 * Makes new keys at random, wrapped by `key` if there is one, which wait in the record beside those that are there: from
 * here on nobody opens the namespace to work. Where that was begun before, they are those that were made then.
 */
export async function makeNewKeys(
  store: KeyStore,
  wrapping: WrappingKeys,
): Promise<{ readonly former: OpenedKeys; readonly keys: NamespaceKeys; readonly isBegun: boolean }> {
  for (;;) {
    const former = await openReplacedKeys(store, wrapping);
    const { record } = former;
    const { next, ...there } = parsed(record);
    if (next !== undefined) {
      const { keys, wrappedBy } = unwrapped(next, store.identity, wrapping);
      if (wrappedBy === (wrapping.key === undefined ? "none" : "key")) return { former, keys, isBegun: true };
      // It was begun with another POOLSYNC_KEY, or without one.
      const rewrapped = JSON.stringify({ ...there, next: wrapped(keys, store.identity, wrapping.key) });
      if (await store.exchange(RECORD, record, rewrapped)) return { former, keys, isBegun: true };
      continue;
    }
    const { earlier, digest } = former.keys;
    const keys = { ...freshKeys(), earlier: [...earlier, digest] };
    const begun = JSON.stringify({ ...there, next: wrapped(keys, store.identity, wrapping.key) });
    if (await store.exchange(RECORD, record, begun)) return { former, keys, isBegun: false };
  }
}

function freshKeys(): NamespaceKeys {
  return { data: randomBytes(KEY_BYTES), digest: randomBytes(KEY_BYTES), earlier: [], sealed: true };
}

/** The new keys take the place of the others, which nobody can have any more; other names are forgotten with them. */
export async function takeNewKeys(store: KeyStore, forgotten: readonly string[]): Promise<void> {
  const record = await store.recall(RECORD);
  const next = record === undefined ? undefined : parsed(record).next;
  if (record === undefined || next === undefined || !(await store.exchange(RECORD, record, next, forgotten)))
    throw new Error("Expected the record of the keys to be as this process has left it");
}

/** True where the record says that nothing is left of what was kept before format 3. It is not opened. */
export async function isMarkedSealed(store: KeyStore): Promise<boolean> {
  const record = await store.recall(RECORD);
  return record !== undefined && parsed(record).sealed;
}

/** Says so in the record. */
export async function markSealed(store: KeyStore, wrapping: WrappingKeys): Promise<void> {
  for (;;) {
    const { record, keys, wrappedBy } = await openNamespaceKeys(store, wrapping);
    if (keys.sealed) return;
    const { key, previousKey } = wrapping;
    const by = { key, "previous key": previousKey, none: undefined }[wrappedBy];
    if (await store.exchange(RECORD, record, wrapped({ ...keys, sealed: true }, store.identity, by))) return;
  }
}

/**
 * What a process that has the keys finds of their record later. `altered`: others are there, or it does not open; who
 * starts then is refused, or works with other keys. `closed`: it is wrapped by a key that this process does not have.
 */
export type KeysFound = "there" | "put back" | "altered" | "closed";

/**
 * Looks again at the record, from time to time. Where it is gone, or no record at all, the one that was opened last is put
 * back: that may have been wrapped anew since the process opened it, and nothing else has the keys. A record is never put
 * in the place of another.
 */
export function createKeysWatch(
  store: KeyStore,
  wrapping: WrappingKeys,
  { record, keys }: Pick<OpenedKeys, "record" | "keys">,
): () => Promise<KeysFound> {
  let seen = record;
  const opened = (found: string): KeysFound => {
    try {
      const { next } = parsed(found);
      if (next !== undefined) unwrapped(next, store.identity, wrapping);
      const { sealed: _sealed, ...there } = unwrapped(found, store.identity, wrapping).keys;
      const { sealed: _before, ...own } = keys;
      return isDeepStrictEqual(there, own) ? "there" : "altered";
    } catch (error) {
      return error instanceof StoreError && error.kind === "wrong-key" ? "closed" : "altered";
    }
  };
  return async () => {
    const found = await store.recall(RECORD);
    if (found === seen) return "there";
    if (found === undefined || !isRecord(found)) {
      return (await store.exchange(RECORD, found, seen)) ? "put back" : "there";
    }
    const is = opened(found);
    // One that is about to be replaced closes the namespace to everybody else.
    if (is === "there" && parsed(found).next === undefined) seen = found;
    return is;
  };
}

function isRecord(text: string): boolean {
  try {
    parsed(text);
    return true;
  } catch {
    return false;
  }
}

/** A namespace of a version before format 3 keeps its digest key, wherever that is wrapped from now on. */
async function makeRecord(store: KeyStore, { key, previousKey }: WrappingKeys): Promise<void> {
  const mark = await store.recall(FORMER_MARK);
  const digest = await store.recall(FORMER_DIGEST);
  // Others may still have the keys that are gone: with new ones two would have two names for each user.
  if (digest === undefined && (await store.targets()).length > 0) {
    // Another process may have made them since: whoever noted the target had opened them before.
    if ((await store.recall(RECORD)) !== undefined) return;
    throw new StoreError(
      "damaged",
      sentence`The keys of this namespace are gone from its store, and what they sealed cannot be read. A worker that still runs puts them back within seconds: try again. Otherwise stop all its processes, restore the store from a backup and give ${nextStep("epoch", "raise")}, or use another namespace.`,
    );
  }
  const by = mark === undefined ? key : mark === UNWRAPPED ? undefined : markedKey(mark, { key, previousKey });
  const keys: NamespaceKeys = {
    data: randomBytes(KEY_BYTES),
    digest: digest === undefined ? randomBytes(KEY_BYTES) : Buffer.from(digest, "base64url"),
    earlier: [],
    former: mark === undefined || by === undefined ? undefined : formerKey(by),
    sealed: mark === undefined,
  };
  await store.exchange(RECORD, undefined, wrapped(keys, store.identity, by), [FORMER_MARK, FORMER_DIGEST]);
}

function markedKey(mark: string, { key, previousKey }: WrappingKeys): Uint8Array {
  const found = [key, previousKey].find((one) => one !== undefined && markOf(one) === mark);
  if (found !== undefined) return found;
  throw wrongKey(
    key === undefined
      ? "The keys of this namespace are wrapped by a POOLSYNC_KEY, and none is set: set it, or use another POOLSYNC_NAMESPACE (or --data-dir)."
      : sentence`The keys of this namespace are wrapped by another POOLSYNC_KEY: set that one; or, to change it, set that one as POOLSYNC_KEY_PREVIOUS, the new one as POOLSYNC_KEY, and run ${nextStep("rekey")}.`,
  );
}

function wrongKey(message: Sentence | string): StoreError {
  return new StoreError("wrong-key", message);
}

/** Tells a key from another, and nothing else of it. */
function markOf(key: Uint8Array): string {
  return createHash("sha256").update("poolsync key mark").update(key).digest("base64url").slice(0, 16);
}

/** What versions before format 3 sealed with. */
function formerKey(key: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", "poolsync values at rest", KEY_BYTES));
}

function wrapped(
  { data, digest, earlier, former, sealed }: NamespaceKeys,
  identity: string,
  by: Uint8Array | undefined,
): string {
  const wrap = (which: string, bytes: Buffer): string =>
    by === undefined ? bytes.toString("base64") : encrypt(wrappingKey(by), bytes, boundTo(identity, which, sealed));
  return JSON.stringify({
    by: by === undefined ? UNWRAPPED : markOf(by),
    sealed,
    data: wrap("data", data),
    digest: wrap("digest", digest),
    earlier: earlier.length === 0 ? undefined : earlier.map((key, index) => wrap(`earlier ${index}`, key)),
    former: former && wrap("former", former),
  } satisfies Record<Exclude<keyof z.infer<typeof recordForm>, "next">, unknown>);
}

function unwrapped(
  record: string,
  identity: string,
  wrapping: WrappingKeys,
): { readonly keys: NamespaceKeys; readonly wrappedBy: WrappedBy } {
  const { by: mark, sealed, ...texts } = parsed(record);
  const by = mark === UNWRAPPED ? undefined : markedKey(mark, wrapping);
  const unwrap = (which: string, text: string): Buffer => {
    const bytes =
      by === undefined ? Buffer.from(text, "base64") : decrypt(wrappingKey(by), text, boundTo(identity, which, sealed));
    if (bytes?.length !== KEY_BYTES) throw alteredRecord();
    return bytes;
  };
  const keys = {
    data: unwrap("data", texts.data),
    digest: unwrap("digest", texts.digest),
    earlier: (texts.earlier ?? []).map((text, index) => unwrap(`earlier ${index}`, text)),
    former: texts.former === undefined ? undefined : unwrap("former", texts.former),
    sealed,
  };
  return { keys, wrappedBy: by === undefined ? "none" : by === wrapping.key ? "key" : "previous key" };
}

function parsed(record: string): z.infer<typeof recordForm> {
  let document: unknown;
  try {
    document = JSON.parse(record);
  } catch {
    throw alteredRecord();
  }
  const found = recordForm.safeParse(document);
  if (found.success) return found.data;
  throw alteredRecord();
}

function alteredRecord(): StoreError {
  return new StoreError(
    "damaged",
    "The keys of this namespace were altered in the store, and nothing of it can be read without them. A worker that still runs may put them back within seconds: try again. Otherwise restore the store from a copy.",
  );
}

function wrappingKey(key: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", "poolsync key wrap", KEY_BYTES));
}

/** That the record is no older one, from before all was sealed, is bound as well. */
function boundTo(identity: string, which: string, sealed: boolean): Buffer {
  return Buffer.from(JSON.stringify([identity, which, sealed]));
}
