/** Documents that are read outside of scripts: one that has another form than it should is set aside, and is not there. */
import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { DocumentKind } from "../damaged.ts";
import { looksSealed, soundDocument } from "../documents.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { KnownPools } from "./known-pools.ts";
import type { Scripts } from "./scripts.ts";

/** Where a document lies, and what it is. */
export interface Place {
  readonly kind: DocumentKind;
  readonly key: string;
  readonly field: string;
}

export interface Shelf {
  /** The document of a text that was read from a field of a hash; undefined where it is broken, or the text is null. */
  sound<T>(
    shape: z.ZodType<T>,
    place: Place,
    text: string | null | undefined,
    where?: (document: T) => boolean,
  ): Promise<T | undefined>;
  /** The same of a text that the keyring sealed. */
  sealed(place: Place, text: string | null): Promise<string | undefined>;
  /** Of all fields of a hash that were read, those that are sound. */
  soundFields<T>(
    shape: z.ZodType<T>,
    place: Omit<Place, "field">,
    texts: Readonly<Record<string, string>>,
  ): Promise<readonly (readonly [field: string, document: T])[]>;
}

/** The keys that lua/mailbox.lua declares, in its order. `token` names this very call: see `once` in keys.ts. */
export function mailboxKeys(keys: Keys, token: string): readonly string[] {
  const { mailboxes, ledger, books, letters, letterTimes, pools, runs, gates, kept } = keys;
  return [mailboxes, ledger, books, letters, letterTimes, pools, runs, gates, kept, keys.once(token)];
}

export function createShelf(redis: RedisClient, keys: Keys, scripts: Scripts, pools: KnownPools): Shelf {
  /** What is no text in UTF-8 is compared by its bytes, or it would not be found again. */
  async function setAside({ kind, key, field }: Place, isSound: (text: string) => boolean): Promise<void> {
    const bytes = await redis.hgetBuffer(key, field);
    if (bytes === null || isSound(bytes.toString())) return;
    const own = [...mailboxKeys(keys, randomUUID()), key, keys.exceptionTimes];
    const dueSets = [...pools.names].map((pool) => keys.due(pool));
    await scripts.run("set-aside", [...own, ...dueSets], [kind, field, bytes]);
  }

  const shelf: Shelf = {
    async sound(shape, place, text, where) {
      if (text === null || text === undefined) return undefined;
      const document = soundDocument(shape, text, where);
      const isSound = (later: string): boolean => soundDocument(shape, later, where) !== undefined;
      if (document === undefined) await setAside(place, isSound);
      return document;
    },

    async sealed(place, text) {
      if (text === null || looksSealed(text)) return text ?? undefined;
      await setAside(place, looksSealed);
      return undefined;
    },

    async soundFields(shape, place, texts) {
      const found = [];
      for (const [field, text] of Object.entries(texts)) {
        const document = await shelf.sound(shape, { ...place, field }, text);
        if (document !== undefined) found.push([field, document] as const);
      }
      return found;
    },
  };
  return shelf;
}
