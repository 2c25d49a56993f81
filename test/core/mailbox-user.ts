import assert from "node:assert/strict";
import { EMPTY_BOOKS, imbalance, post } from "../../src/core/books.ts";
import type { Books } from "../../src/core/books.ts";
import { claim } from "../../src/core/claim.ts";
import { put, type DesiredUnit } from "../../src/core/put.ts";
import { replay } from "../../src/core/replay.ts";
import { settle } from "../../src/core/settle.ts";
import type { Claimed, ClaimRequest } from "../../src/core/claim.ts";
import type { Outcome } from "../../src/core/draft.ts";
import { OPEN, type Passage } from "../../src/core/gate.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { UserState } from "../../src/core/mailbox.ts";
import type { Settled } from "../../src/core/settle.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import { ordinalText } from "../../src/core/version.ts";

export const LEASE_MS = 1000;
export const START = 1_800_000_000_000;

/** One user's mailbox with a clock and books; values are single words, their digests are the words. */
export function user() {
  let state: UserState = { ledger: {} };
  let books: Books = EMPTY_BOOKS;
  let arrivals = 0;
  const letters: Letter[] = [];
  const self = {
    now: START,
    /** What gates make of runs; all others are open. */
    gates: new Map<string, Passage>(),
    passageOf: (run: string): Passage => self.gates.get(run) ?? OPEN,
    letters,
    get state() {
      return state;
    },
    get books() {
      return books;
    },
    take<T extends Outcome>(outcome: T): T {
      state = outcome.state;
      books = post(books, outcome.entries);
      assert.equal(imbalance(books), 0, "the books balance after every step");
      return outcome;
    },
    /** `version` is a small number: milliseconds from an hour before the start. The run is `r` unless it is named. */
    put(
      name: string,
      word: string,
      version?: number,
      {
        account,
        run = "r",
        ...more
      }: Pick<DesiredUnit, "sendUnless" | "look"> & { account?: string; run?: string } = {},
    ): void {
      const found = account === undefined ? {} : { account };
      const ordinal =
        version === undefined ? {} : { ordinal: ordinalText({ timeMs: START - 3_600_000 + version, sequence: 0 }) };
      const units = [{ name, digest: word, body: word, ...ordinal, ...more }];
      self.take(
        put(
          state,
          { user: "u", pool: "p", username: "n", priority: 10, run, units, ...found },
          [++arrivals],
          self.now,
          self.passageOf,
        ),
      );
    },
    claim(token: string, more: Pick<ClaimRequest, "runs" | "despitePause"> = {}): Claimed {
      return self.take(claim(state, "u", { token, leaseMs: LEASE_MS, ...more }, self.now, self.passageOf)).result;
    },
    /** The words that a claim gives, by unit. */
    words(token: string): Record<string, string> {
      const claimed = self.claim(token);
      return claimed.is === "claimed"
        ? Object.fromEntries(Object.entries(claimed.claim.units).map(([name, unit]) => [name, unit.body]))
        : {};
    },
    settle(token: string, settlements: Record<string, Settlement>): Settled {
      const letterOf = (id: string) => letters.find((letter) => letter.id === id);
      const step = settle(state, "u", token, settlements, LEASE_MS, self.now, self.passageOf, letterOf);
      const { result } = self.take(step);
      for (const letter of result.letters) {
        const at = letters.findIndex(({ id }) => id === letter.id);
        letters.splice(at === -1 ? letters.length : at, 1, letter);
      }
      return result;
    },
    /** Claims what is due and settles it as applied. Answers the words, by unit. */
    deliver(token: string): Record<string, string> {
      const claimed = self.claim(token);
      if (claimed.is !== "claimed") return {};
      const entries = Object.entries(claimed.claim.units);
      self.settle(
        token,
        Object.fromEntries(entries.map(([name, unit]) => [name, { is: "applied", version: unit.version }])),
      );
      return Object.fromEntries(entries.map(([name, unit]) => [name, unit.body]));
    },
    replay(letter: Letter): void {
      self.take(replay(state, letter, 10, self.now, self.passageOf));
    },
    /** What the ledger has of a unit, without the time. */
    known(name: string): { version: string; digest: string } | undefined {
      const entry = state.ledger[name];
      return entry && { version: entry.version, digest: entry.digest };
    },
    /** The version of a unit in the claim that lives. */
    flying(name: string): string {
      const held = state.mailbox?.claim?.units[name];
      assert.ok(held, `${name} is in flight`);
      return held.version;
    },
    applied: (version: string): Settlement => ({ is: "applied", version }),
    bury: (version: string): Settlement => ({
      is: "bury",
      version,
      letter: `letter ${version}`,
      fateUnknown: false,
      kind: "invalid-value",
      reason: "",
    }),
    retry: (
      version: string,
      ms: number,
      extra: { fateUnknown?: boolean; counts?: "attempt" | "fault" | "nothing" } = {},
    ): Settlement => ({
      is: "retry",
      version,
      at: self.now + ms,
      counts: extra.counts ?? "nothing",
      fateUnknown: extra.fateUnknown ?? false,
    }),
  };
  return self;
}
