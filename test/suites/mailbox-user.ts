import assert from "node:assert/strict";
import { imbalance } from "../../src/core/books.ts";
import type { Books } from "../../src/core/books.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { QueuedUnit, Ledger, LedgerEntry, Mailbox } from "../../src/core/mailbox.ts";
import type { Settlement, Settlements } from "../../src/core/settlement.ts";
import { isContact } from "../../src/core/unit.ts";
import { ordinalText } from "../../src/core/version.ts";
import type { ClaimAnswer, Page, Put, SettleAnswer, UserUnits } from "../../src/store/mailboxes.ts";
import type { Suite } from "./open-store.ts";

/** A lease that no case outlives. */
export const LONG_MS = 60_000;
/** A lease that has ended when the next call comes, or soon after. */
const SHORT_MS = 1;
/** Versions of the cases count from here, in ms: long ago by every store's clock. */
const VERSIONS_FROM = 1_700_000_000_000;

/** `version` as a small number, or an ordinal as text; absent: the store's time. */
export type AnyVersion = number | string | undefined;

export function ordinal(version: number): string {
  return ordinalText({ timeMs: VERSIONS_FROM + version, sequence: 0 });
}

/** A wanted unit whose value, digest and body are one word. */
export function wanted(name: string, word: string, version: AnyVersion): UserUnits["units"][number] {
  const text = typeof version === "number" ? ordinal(version) : version;
  return { name, digest: word, body: word, ...(text === undefined ? {} : { ordinal: text }) };
}

/** One user of one pool with a run of its own, and the steps of the protocol said briefly. */
export async function createUser(suite: Suite) {
  const { mailboxes, runs } = suite.store;
  const user = suite.fresh("user");
  const pool = suite.fresh("pool");
  const newRun = async () => {
    const id = suite.fresh("run");
    await runs.begin({ id, source: "file", pool, feed: "suite", identity: "", asOf: VERSIONS_FROM });
    return id;
  };
  const run = await newRun();
  const page = (units: UserUnits["units"], rest: Partial<Page> = {}): Page => ({
    pool,
    run,
    priority: 10,
    changes: units.length === 0 ? [] : [{ user, username: `p:${user}`, units }],
    invalid: 0,
    rows: { read: 0, faulty: 0 },
    ...rest,
  });

  const self = {
    user,
    pool,
    run,
    newRun,
    page,
    put: (name: string, word: string, version: AnyVersion, rest: Partial<Page> = {}): Promise<Put> =>
      mailboxes.put(page([wanted(name, word, version)], rest)),
    putAll: (...units: UserUnits["units"]): Promise<Put> => mailboxes.put(page(units)),
    claim: (token: string, leaseMs = LONG_MS): Promise<ClaimAnswer> => mailboxes.claim(user, token, leaseMs),

    /** Claims as soon as that may be done: lets the time pass that the store asks for. */
    async claimInTime(token: string, leaseMs = LONG_MS): Promise<ClaimAnswer> {
      for (let tries = 0; tries < 100; tries += 1) {
        const answer = await mailboxes.claim(user, token, leaseMs);
        if (answer.is === "claimed" || answer.is === "idle") return answer;
        await suite.passes(answer.retryInMs);
      }
      throw new Error("Expected the claim to be given after a while, and it was not");
    },
    /** What a claim gives, as words by unit. */
    async words(token: string, leaseMs = LONG_MS): Promise<Record<string, string>> {
      return wordsOf(await self.claimInTime(token, leaseMs));
    },
    /** A claim whose worker dies at once. Answers the version of the unit that it held. */
    async dies(token: string, name: string): Promise<string> {
      const unit = heldOf(await self.claimInTime(token, SHORT_MS), name);
      return unit.version;
    },
    settle: (token: string, settlements: Settlements, leaseMs = LONG_MS): Promise<SettleAnswer> =>
      mailboxes.settle(user, token, settlements, leaseMs),
    /** Claims and settles everything as applied. */
    async deliver(token: string): Promise<Record<string, string>> {
      const answer = await self.claimInTime(token);
      const units = Object.entries(answer.is === "claimed" ? answer.units : {});
      // An address is sent before its flag.
      const held = units.toSorted(([one], [other]) => Number(isContact(other)) - Number(isContact(one)));
      if (held.length > 0) {
        await self.settle(token, Object.fromEntries(held.map(([name, { version }]) => [name, applied(version)])));
      }
      return wordsOf(answer);
    },
    async buries(token: string, name: string, reason = "too-long"): Promise<Letter> {
      const { version } = heldOf(await self.claimInTime(token), name);
      const { letters } = await self.settle(token, { [name]: self.bury(name, version, reason) });
      const letter = await suite.store.letters.get(letters[0]?.id ?? "none");
      assert.ok(letter, "a letter was written");
      return letter;
    },
    bury: (name: string, version: string, reason = "too-long"): Extract<Settlement, { is: "bury" }> => ({
      is: "bury",
      version,
      letter: `letter-${user}-${name}-${reason}`,
      fateUnknown: false,
      kind: "invalid-value",
      reason,
    }),
    async mailbox(): Promise<Mailbox | undefined> {
      return (await mailboxes.read(user)).mailbox;
    },
    async ledger(): Promise<Ledger> {
      return (await mailboxes.read(user)).ledger;
    },
    /** The ledger without the times. */
    async known(): Promise<Record<string, Pick<LedgerEntry, "version" | "digest">>> {
      const entries = Object.entries(await self.ledger());
      return Object.fromEntries(entries.map(([name, { version, digest }]) => [name, { version, digest }]));
    },
    /** What waits, as words by unit. */
    async pending(): Promise<Record<string, string>> {
      return bodies((await self.mailbox())?.pending ?? {});
    },
    /** The books of the run (or another), less the terms that are 0; they are seen to balance. */
    async books(of = run): Promise<Partial<Books>> {
      const books = await runs.books(of);
      assert.equal(imbalance(books), 0, "the books balance");
      return Object.fromEntries(Object.entries(books).filter(([, count]) => count !== 0));
    },
  };
  return self;
}

export const applied = (version: string): Settlement => ({ is: "applied", version });
export const unchanged = (version: string): Settlement => ({ is: "unchanged", version });
export const retry = (
  version: string,
  inMs: number,
  { counts = "nothing", fateUnknown = false }: { counts?: "attempt" | "fault" | "nothing"; fateUnknown?: boolean } = {},
): Settlement => ({ is: "retry", version, at: inMs, counts, fateUnknown });

/** The unit in the claim. Throws where the claim was not given, or holds no such unit. */
export function heldOf(answer: ClaimAnswer, name: string): QueuedUnit {
  const held = answer.is === "claimed" ? answer.units[name] : undefined;
  assert.ok(held, `the claim holds ${name}`);
  return held;
}

function wordsOf(answer: ClaimAnswer): Record<string, string> {
  return answer.is === "claimed" ? bodies(answer.units) : {};
}

function bodies(units: Readonly<Record<string, QueuedUnit>>): Record<string, string> {
  return Object.fromEntries(Object.entries(units).map(([name, { body }]) => [name, body]));
}

/** What a put answered, without the time and the arrival that the store gave it. */
export function withoutPlace({ at: _at, arrival: _arrival, ...put }: Put): Omit<Put, "at" | "arrival"> {
  return put;
}
