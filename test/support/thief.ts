/** What somebody can make of Redis who knows poolsync, has no POOLSYNC_KEY, and may read all of it or write to it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";
import { z } from "zod";
import type { UnitValue } from "../../src/core/unit.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { createKeyring, type Keyring } from "../../src/store/keyring.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { text, type OpenStage } from "./delivery-stage.ts";
import { dumpRedis } from "./redis-dump.ts";

export type Dump = ReadonlyMap<string, string>;

const KEY_BYTES = 32;
const TOKEN = /[\w+/=-]{16,}/g;

const unit = z.looseObject({ version: z.string(), digest: z.string(), body: z.string() });
const mailboxForm = z.looseObject({ username: z.string(), pending: z.record(z.string(), unit) });
const letterForm = z.looseObject({ username: z.string(), body: z.string() });
export type StoredMailbox = z.infer<typeof mailboxForm>;
export type StoredLetter = z.infer<typeof letterForm>;

export interface Thief {
  readonly redis: Redis;
  readonly keys: ReturnType<typeof createKeys>;
  dump(): Promise<Dump>;
  /** Keyrings of every 32 bytes of the dump that may be a key. */
  keyrings(dump: Dump): Promise<readonly Keyring[]>;
  /** The keyring of a namespace that had these keys. */
  keyring(keys: { readonly data: Buffer; readonly digest: Buffer }): Promise<Keyring>;
  mailbox(user: string): Promise<StoredMailbox>;
  alterMailbox(user: string, alter: (mailbox: StoredMailbox) => StoredMailbox): Promise<void>;
  letter(id: string): Promise<StoredLetter>;
  alterLetter(id: string, alter: (letter: StoredLetter) => StoredLetter): Promise<void>;
  close(): void;
}

export function startThief(url: string, namespace: string): Thief {
  const redis = new Redis(url);
  const keys = createKeys(namespace);
  async function document<T>(hash: string, field: string, form: z.ZodType<T>): Promise<T> {
    return form.parse(JSON.parse((await redis.hget(hash, field)) ?? ""));
  }
  const write = async (hash: string, field: string, altered: object): Promise<void> =>
    void (await redis.hset(hash, field, JSON.stringify(altered)));
  let identity: string | undefined;
  async function keyring(secrets: { readonly data: Buffer; readonly digest: Buffer }): Promise<Keyring> {
    identity ??= (await redis.hget(keys.memory, "identity")) ?? "";
    return createKeyring({ identity, keys: { earlier: [], ...secrets }, encrypts: false, isSealed: () => true });
  }
  const mailbox = (user: string) => document(keys.mailboxes, user, mailboxForm);
  const letter = (id: string) => document(keys.letters, id, letterForm);
  return {
    redis,
    keys,
    dump: () => dumpRedis(url, namespace),
    keyring,
    keyrings: (dump) =>
      Promise.all(secretsIn(dump, keys.memory).map((secret) => keyring({ data: secret, digest: secret }))),
    mailbox,
    alterMailbox: async (user, alter) => write(keys.mailboxes, user, alter(await mailbox(user))),
    letter,
    alterLetter: async (id, alter) => write(keys.letters, id, alter(await letter(id))),
    close: () => redis.disconnect(),
  };
}

/** One column of the table in docs/operations.md. */
export interface Column {
  readonly key: Buffer | undefined;
  readonly open: OpenStage;
  /** Of the engine that `open` gives. */
  readonly thief: Thief;
}

export type Play = (t: TestContext, column: Column) => Promise<void>;

export const ownKeys = () => ({ data: randomBytes(32), digest: randomBytes(32) });

/** The mailbox with another body of a unit. */
export function withBody(mailbox: StoredMailbox, name: string, body: string): StoredMailbox {
  const there = mailbox.pending[name];
  assert.ok(there);
  return { ...mailbox, pending: { ...mailbox.pending, [name]: { ...there, body } } };
}

/** Each text of 32 bytes; and where keys are kept all 32 bytes of longer ones, as a key that is wrapped is. */
export function secretsIn(dump: Dump, memory: string): Buffer[] {
  const secrets = new Map<string, Buffer>();
  for (const [name, content] of dump) {
    for (const token of tokensIn(new Map([[name, content]]))) {
      for (const bytes of [Buffer.from(token, "base64"), Buffer.from(token, "hex")]) {
        const windows = name === memory ? bytes.length - KEY_BYTES + 1 : Number(bytes.length === KEY_BYTES);
        for (let from = 0; from < windows; from += 1) {
          const secret = bytes.subarray(from, from + KEY_BYTES);
          secrets.set(secret.toString("hex"), secret);
        }
      }
    }
  }
  return [...secrets.values()];
}

function tokensIn(dump: Dump): Set<string> {
  const texts = [...dump].flat().map((text) => text.replaceAll(String.raw`\/`, "/"));
  return new Set(texts.flatMap((text) => text.match(TOKEN) ?? []));
}

/** What is tried. Usernames are those of a pool. */
export interface Dictionary {
  readonly pool: string;
  readonly usernames: readonly string[];
  readonly birthdates: readonly string[];
  readonly numbers: readonly string[];
}

/** Of a dictionary, what one of the keyrings finds a digest of in the dump. */
export function guess(dump: Dump, keyrings: readonly Keyring[], tried: Dictionary): Set<string> {
  const digests = tokensIn(dump);
  const found = new Set<string>();
  const valueOf = (value: string): UnitValue => ({ kind: "text", text: value });
  for (const keyring of keyrings) {
    for (const name of tried.usernames) if (digests.has(keyring.userKey(tried.pool, name))) found.add(name);
    for (const date of tried.birthdates)
      if (digests.has(keyring.valueDigest("birthdate", valueOf(date)))) found.add(date);
    for (const number of tried.numbers) {
      const asValue: UnitValue = { kind: "text", text: number, verified: "mark" };
      if (digests.has(keyring.valueDigest("phone_number", asValue))) found.add(number);
      if (digests.has(keyring.linkDigest(tried.pool, "phone_number", number))) found.add(`${number} linked`);
    }
  }
  return found;
}

/** A plan with one change of one user. */
export function planOf(username: string): Plan {
  const pace = { updatesPerSecond: 1, listsPerSecond: 1 };
  const federated = { users: 0, overwritten: 0, unchecked: [] };
  return {
    id: "p-1",
    feed: "hr",
    broken: [],
    blind: [],
    examples: [],
    kinds: [],
    notPut: [],
    figures: createTally().figures({ baseline: "live", matched: 1, changed: 1, pace, federated }),
    *rows() {
      const unit = text("nickname", "planned");
      const units = [{ unit, action: "change", message: false, beforeName: "before" }] as const;
      const version = { timeMs: 5, sequence: 6 };
      yield { kind: "user", found: true, line: 2, user: "1", username, version, invalid: [], federated: [], units };
    },
    feedRows: () => assert.fail("not asked for"),
    close: () => undefined,
  };
}
