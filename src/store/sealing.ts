/**
 * Seals at its place what versions before format 3 kept in clear, or sealed without one. It is read as it is meanwhile,
 * so workers go on. One process at a time walks through everything, page by page, and leaves in the store how far it is;
 * a text that moves on under it stays as it is, and is found again by the next walk.
 *
 * A walk that finds nothing more, from its beginning to its end in one process and one era of the server, is the last:
 * the record of the keys says so then, and from there on nothing is opened that is not sealed. Nothing can slip behind
 * such a walk. Values move from mailboxes, which it meets first, to letters, which it meets later; and whoever replays a
 * letter seals it first (`sealLetter`).
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ordinalOf } from "../core/version.ts";
import type { Log } from "../log.ts";
import { noteAnew } from "./content-names.ts";
import { soundDocument } from "./documents.ts";
import { isFormer, isSealed, type Keyring } from "./keyring.ts";
import type { KeptText, KeptTexts, Shelf } from "./kept-texts.ts";
import { beforeImagePlace, chunkPlace, linkPlace, openUsernameOf, sealBody, sealUsername } from "./sealed-unit.ts";
import { isMarkedSealed, markSealed, type WrappingKeys } from "./namespace-keys.ts";
import type { Store } from "./store.ts";

export interface SealingDeps {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly wrapping: WrappingKeys;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Under this name the store has how far the walk is. */
export const SEALING_NOTE = "sealing";
const LEASE = ["sealing", "all"] as const;
const LEASE_MS = 15_000;
const LOOK_MS = 5_000;
const AGAIN_MS = 30_000;

const progressForm = z.object({
  shelf: z.object({ kind: z.string(), of: z.string() }),
  cursor: z.string(),
  /** Texts that this walk has met. */
  met: z.number(),
});
type Progress = z.infer<typeof progressForm>;

/** Resolves to true once all is sealed, whichever process did it; to false when the signal aborts. Never rejects. */
export async function sealEverything(deps: SealingDeps): Promise<boolean> {
  const { store, wrapping, log, signal } = deps;
  const holder = randomUUID();
  const holds = async (): Promise<boolean> =>
    (await store.reservations.take(...LEASE, holder, LEASE_MS)).is === "taken";
  try {
    for (;;) {
      try {
        if (await isMarkedSealed(store)) return true;
        if ((await holds()) && (await walk(deps, holds))) {
          await markSealed(store, wrapping);
          log.info({}, "values sealed");
          return true;
        }
        await sleep(LOOK_MS, undefined, { signal });
      } catch (error) {
        if (signal.aborted || store.lost.aborted) return false;
        log.warn({ reason: error instanceof Error ? error.name : "unknown" }, "values not sealed yet");
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  } finally {
    // It ends by itself.
    await store.reservations.release(...LEASE, holder).catch(() => undefined);
  }
}

/** Walks until a whole walk finds nothing. Answers false where another process walks by now. */
async function walk({ store, keyring, signal }: SealingDeps, holds: () => Promise<boolean>): Promise<boolean> {
  let from = parsedProgress(await store.getValue(SEALING_NOTE));
  for (;;) {
    let found = from === undefined ? 0 : 1;
    let met = from?.met ?? 0;
    const era = await store.texts.era();
    for (const { kind, of } of await store.texts.shelves()) {
      // The walk goes on at the shelf where it was cut.
      if (from !== undefined && !(from.shelf.kind === kind && from.shelf.of === of)) continue;
      const shelf = { kind, of };
      let cursor: string | undefined = from?.cursor ?? "";
      from = undefined;
      while (cursor !== undefined) {
        signal.throwIfAborted();
        if (!(await holds())) return false;
        const page = await store.texts.page(shelf, cursor);
        const sealed = page.found.map((kept) => sealedAnew(keyring, shelf, kept));
        const moved = await Promise.all(
          page.found.map((kept, index) => replaced(store.texts, shelf, kept, sealed[index])),
        );
        found += moved.filter(Boolean).length;
        met += page.found.length;
        cursor = page.next;
        await store.setValue(SEALING_NOTE, JSON.stringify({ shelf, cursor: cursor ?? "", met } satisfies Progress));
      }
    }
    await store.setValue(SEALING_NOTE, "");
    from = undefined;
    if (found === 0 && era === (await store.texts.era())) return true;
  }
}

/** True where there was something to do that is done, or that another walk has to look at again. */
async function replaced(texts: KeptTexts, shelf: Shelf, kept: KeptText, to: string | undefined): Promise<boolean> {
  if (to === undefined) return false;
  if (await texts.replace(shelf, kept, to)) return true;
  // What is the same, and is not replaced, is no text in UTF-8: damaged, and nothing that can be opened.
  return (await texts.read(shelf, kept.name)) !== kept.text;
}

/** Where a walk was cut; one whose note is broken begins anew. */
function parsedProgress(text: string | undefined): Progress | undefined {
  return text === undefined ? undefined : soundDocument(progressForm, text);
}

/** About how many texts have not been met yet. */
export async function countUnsealed({ texts, getValue }: Pick<Store, "texts" | "getValue">): Promise<number> {
  const all = (await texts.shelves()).reduce((sum, shelf) => sum + shelf.texts, 0);
  return Math.max(0, all - (parsedProgress(await getValue(SEALING_NOTE))?.met ?? 0));
}

/** Seals a letter, if it is not, before its value moves to a mailbox. */
export async function sealLetter({ texts }: Pick<Store, "texts">, keyring: Keyring, id: string): Promise<void> {
  if (keyring.isSealed) return;
  const shelf = { kind: "letters", of: "" } as const;
  let isMoved = true;
  while (isMoved) {
    const text = await texts.read(shelf, id);
    if (text === undefined) return;
    const kept = { name: id, text };
    isMoved = await replaced(texts, shelf, kept, sealedAnew(keyring, shelf, kept));
  }
}

/** The text with all in it sealed that was not; undefined where nothing is to be done, or it cannot be read. */
function sealedAnew(keyring: Keyring, { kind, of }: Shelf, { name, text }: KeptText): string | undefined {
  switch (kind) {
    case "mailboxes":
      return changedDocument(text, (document) => sealMailbox(keyring, name, document));
    case "letters":
      return changedDocument(text, (document) => sealLetterDocument(keyring, document));
    case "plan":
      return isSealed(text) ? undefined : keyring.seal(chunkPlace(of, Number(name)), Buffer.from(text, "base64"));
    case "notes":
      return noteAnew(keyring, { name, text });
    case "events":
      // No version kept one otherwise.
      return undefined;
    case "links":
    case "before images": {
      const former = isFormer(text) ? keyring.openFormer(text) : undefined;
      if (former === undefined) return undefined;
      return keyring.seal(kind === "links" ? linkPlace(of, name) : beforeImagePlace(of, name), former);
    }
  }
}

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `change` answers whether it has changed anything. */
function changedDocument(text: string, change: (document: Fields) => boolean): string | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // Damaged: whoever meets it says so.
    return undefined;
  }
  return isFields(document) && change(document) ? JSON.stringify(document) : undefined;
}

function sealMailbox(keyring: Keyring, user: string, mailbox: Fields): boolean {
  const { pool, pending, claim, lastSettled } = mailbox;
  if (typeof pool !== "string") return false;
  let isChanged = sealUsernameIn(keyring, { pool, user }, mailbox);
  for (const units of [pending, isFields(claim) ? claim["units"] : undefined, lastSettled]) {
    if (!isFields(units)) continue;
    for (const [unit, queued] of Object.entries(units)) {
      isChanged = sealUnit(keyring, { pool, user, unit }, queued) || isChanged;
    }
  }
  return isChanged;
}

function sealLetterDocument(keyring: Keyring, letter: Fields): boolean {
  const { pool, user, unit } = letter;
  if (typeof pool !== "string" || typeof user !== "string" || typeof unit !== "string") return false;
  const isNamed = sealUsernameIn(keyring, { pool, user }, letter);
  return sealUnit(keyring, { pool, user, unit }, letter) || isNamed;
}

function sealUsernameIn(keyring: Keyring, at: { readonly pool: string; readonly user: string }, document: Fields) {
  const { username } = document;
  if (typeof username !== "string" || !isFormer(username)) return false;
  const opened = openUsernameOf(keyring, at, keyring.openFormer(username));
  if (opened !== undefined) document["username"] = sealUsername(keyring, at, opened);
  return opened !== undefined;
}

function sealUnit(keyring: Keyring, at: Parameters<typeof sealBody>[1], unit: unknown): boolean {
  if (!isFields(unit)) return false;
  const { version, body, replaced: others } = unit;
  let isChanged = false;
  if (typeof version === "string" && typeof body === "string" && isFormer(body)) {
    const opened = keyring.openFormer(body);
    if (opened !== undefined) unit["body"] = sealBody(keyring, at, ordinalOf(version), opened);
    isChanged = opened !== undefined;
  }
  for (const other of Array.isArray(others) ? others : []) isChanged = sealUnit(keyring, at, other) || isChanged;
  return isChanged;
}
