import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EMPTY_BOOKS, imbalance, post } from "../../src/core/books.ts";
import type { Books } from "../../src/core/books.ts";
import { claim } from "../../src/core/claim.ts";
import { QUIET_MS, SUSPECT_MS, dueAt } from "../../src/core/mailbox.ts";
import { put } from "../../src/core/put.ts";
import { replay } from "../../src/core/replay.ts";
import { settle } from "../../src/core/settle.ts";
import type { Claimed } from "../../src/core/claim.ts";
import type { Outcome } from "../../src/core/draft.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { UserState } from "../../src/core/mailbox.ts";
import type { Settled } from "../../src/core/settle.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import { MAX_LEAD_MS, ordinalText, timeOf } from "../../src/core/version.ts";

const LEASE_MS = 1000;
const START = 1_800_000_000_000;

/** One user's mailbox with a clock and books; values are single words, their digests are the words. */
function user() {
  let state: UserState = { ledger: {} };
  let books: Books = EMPTY_BOOKS;
  let arrivals = 0;
  const letters: Letter[] = [];
  const self = {
    now: START,
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
    /** `version` is a small number: milliseconds from an hour before the start. */
    put(name: string, word: string, version?: number): void {
      const ordinal =
        version === undefined ? {} : { ordinal: ordinalText({ timeMs: START - 3_600_000 + version, sequence: 0 }) };
      const units = [{ name, digest: word, body: word, ...ordinal }];
      self.take(
        put(state, { user: "u", pool: "p", username: "n", priority: 10, run: "r", units }, [++arrivals], self.now),
      );
    },
    claim(token: string): Claimed {
      return self.take(claim(state, "u", token, LEASE_MS, self.now)).result;
    },
    /** The words that a claim gives, by unit. */
    words(token: string): Record<string, string> {
      const claimed = self.claim(token);
      return claimed.is === "claimed"
        ? Object.fromEntries(Object.entries(claimed.units).map(([name, held]) => [name, held.body]))
        : {};
    },
    settle(token: string, settlements: Record<string, Settlement>): Settled {
      const { result } = self.take(settle(state, "u", token, settlements, LEASE_MS, self.now));
      letters.push(...result.letters);
      return result;
    },
    /** Claims what is due and settles it as applied. Answers the words, by unit. */
    deliver(token: string): Record<string, string> {
      const claimed = self.claim(token);
      if (claimed.is !== "claimed") return {};
      const entries = Object.entries(claimed.units);
      self.settle(
        token,
        Object.fromEntries(entries.map(([name, held]) => [name, { is: "applied", version: held.version }])),
      );
      return Object.fromEntries(entries.map(([name, held]) => [name, held.body]));
    },
    replay(letter: Letter): void {
      self.take(replay(state, letter, 10, self.now));
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

describe("a value among its rivals", () => {
  test("the last to arrive of three with one version wins, though it equals the one in flight", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.put("name", "y", 1);
    u.put("name", "x", 1);
    assert.equal(u.state.mailbox?.pending["name"]?.body, "x");
    assert.equal(u.books.superseded, 1);
  });

  test("an equal value with the version of the one in flight is superseded by it", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.put("name", "x", 1);
    assert.deepEqual(u.state.mailbox?.pending, {});
    assert.equal(u.books.superseded, 1);
  });
});

describe("a flag for the value that is there", () => {
  test("is sent again after an older address that goes in the same claim", () => {
    const u = user();
    u.put("email_verified", "true", 1);
    u.deliver("a");
    u.put("email_verified", "true", 6);
    u.put("email", "new", 5);
    assert.deepEqual(u.words("b"), { email: "new", email_verified: "true" });
  });

  test("is unchanged beside an address that is unchanged", () => {
    const u = user();
    u.put("email", "new", 1);
    u.put("email_verified", "true", 2);
    u.deliver("a");
    u.put("email", "new", 3);
    u.deliver("b");
    u.put("email_verified", "true", 4);
    u.deliver("c");
    u.put("email_verified", "true", 6);
    assert.deepEqual(u.words("d"), {});
    assert.equal(u.books.unchanged, 1);
  });

  test("waits for an older address that waits", () => {
    const u = user();
    u.put("email", "new", 5);
    u.claim("a");
    u.settle("a", { email: u.retry(u.flying("email"), 500) });
    u.put("email_verified", "true", 6);
    assert.deepEqual(u.claim("b"), { is: "later", retryAt: u.now + 500 });
    assert.ok(u.state.mailbox);
    assert.equal(dueAt(u.state.mailbox), u.now + 500);
    u.now += 500;
    assert.deepEqual(u.words("b"), { email: "new", email_verified: "true" });
  });

  test("leaves the address unknown that was settled before it in the same claim", () => {
    const u = user();
    u.put("email", "new", 5);
    u.put("email_verified", "false", 6);
    u.deliver("a");
    u.put("email", "new", 7);
    assert.deepEqual(u.words("b"), { email: "new" });
  });
});

describe("a call that comes through after its claim was taken over", () => {
  test("has the newest value sent again after two takeovers", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4);
    u.claim("b");
    u.now += LEASE_MS;
    u.deliver("c");
    assert.deepEqual(u.settle("a", { name: u.applied(late) }).doubted, ["name"]);
    assert.deepEqual(u.words("d"), { name: "y" });
  });

  test("has a newer value sent again that was found unchanged", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4);
    u.deliver("b");
    u.put("name", "y", 5);
    u.claim("c");
    assert.equal(u.books.unchanged, 1);
    u.settle("a", { name: u.applied(late) });
    assert.equal(u.books.unchanged, 0, "the term that is left is the one that was booked");
    assert.deepEqual(u.words("d"), { name: "y" });
    assert.deepEqual([u.books.applied, u.books.stale, u.books.pending], [1, 0, 1]);
  });

  test("keeps what is older than it out, though the value that took its place was buried", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4);
    u.claim("b");
    u.settle("a", { name: u.applied(late) });
    u.settle("b", { name: u.bury(u.flying("name")) });
    u.put("name", "w", 2);
    assert.equal(u.books.stale, 1);
    assert.deepEqual(u.state.ledger["name"], { version: late, digest: "" });
  });

  test("has the value applied before sent again when the one on its way is buried", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4);
    u.deliver("b");
    u.put("name", "z", 5);
    u.claim("c");
    u.settle("a", { name: u.applied(late) });
    u.settle("c", { name: u.bury(u.flying("name")) });
    assert.deepEqual(u.words("d"), { name: "y" });
  });

  test("has the flag of a newer address sent again", () => {
    const u = user();
    u.put("email", "old", 3);
    u.claim("a");
    const late = u.flying("email");
    u.now += LEASE_MS;
    u.put("email", "new", 4);
    u.deliver("b");
    u.put("email_verified", "true", 5);
    u.deliver("c");
    assert.deepEqual(u.settle("a", { email: u.applied(late) }).doubted, ["email", "email_verified"]);
    assert.deepEqual(u.words("d"), { email: "new", email_verified: "true" });
  });

  test("makes what is sent again wait where its fate is unknown", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4);
    u.deliver("b");
    u.settle("a", { name: u.retry(late, 0, { fateUnknown: true }) });
    assert.deepEqual(u.claim("c"), { is: "later", retryAt: u.now + QUIET_MS });
    u.now += QUIET_MS;
    assert.deepEqual(u.words("c"), { name: "y" });
  });

  test("does not take the ledger back under an older value that was replayed meanwhile", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("z");
    u.settle("z", { name: u.bury(u.flying("name")) });
    u.put("name", "y", 4);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.claim("b");
    u.settle("b", { name: u.bury(u.flying("name")) });
    const [letter] = u.letters;
    assert.ok(letter);
    u.replay(letter);
    u.claim("c");
    u.settle("a", { name: u.applied(late) });
    u.settle("c", { name: u.applied(u.flying("name")) });
    assert.deepEqual(u.state.ledger["name"], { version: late, digest: "" });
    assert.equal(u.books.applied, 1);
  });

  test("is forgotten with its mailbox after a while", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    u.now += LEASE_MS;
    u.deliver("b");
    assert.ok(u.state.mailbox?.kept["name"]);
    u.now += SUSPECT_MS;
    assert.deepEqual(u.claim("c"), { is: "idle" });
    assert.equal(u.state.mailbox, undefined);
  });
});

test("a flag that is buried while a newer address waits is superseded", () => {
  const u = user();
  u.put("email_verified", "true", 3);
  u.claim("a");
  u.put("email", "new", 4);
  u.settle("a", { email_verified: u.bury(u.flying("email_verified")) });
  assert.deepEqual([u.books.superseded, u.books.dead, u.letters.length], [1, 0, 0]);
});

describe("a claim", () => {
  test("leaves out what a late call has overtaken", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.settle("a", { name: u.bury(u.flying("name")) });
    u.put("name", "y", 2);
    u.claim("b");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.claim("c");
    u.settle("c", { name: u.bury(u.flying("name")) });
    const [letter] = u.letters;
    assert.ok(letter);
    u.replay(letter);
    u.settle("b", { name: u.applied(late) });
    u.claim("d");
    assert.deepEqual([u.books.stale, u.books.dead, u.books.pending], [1, 1, 0]);
  });

  test("is refused until the lease has ended, to the millisecond", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.now += LEASE_MS - 1;
    assert.deepEqual(u.claim("b"), { is: "busy", retryAt: u.now + 1 });
    u.now += 1;
    assert.deepEqual(u.words("b"), { name: "x" });
  });
});

describe("a put", () => {
  test("counts a version beyond five minutes ahead as invalid, and leaves nothing behind", () => {
    const u = user();
    u.put("name", "x", 3_600_000 + MAX_LEAD_MS);
    u.put("nickname", "x", 3_600_000 + MAX_LEAD_MS + 1);
    assert.deepEqual(Object.keys(u.state.mailbox?.pending ?? {}), ["name"]);
    assert.deepEqual([u.books.invalid, u.books.pending], [1, 1]);
    const other = user();
    other.put("name", "x", 3_600_000 + MAX_LEAD_MS + 1);
    assert.equal(other.state.mailbox, undefined);
  });

  test("takes the store's time where the source has none", () => {
    const u = user();
    u.put("name", "x");
    assert.equal(timeOf(u.state.mailbox?.pending["name"]?.version ?? ""), START);
  });

  test("wants an arrival for every unit", () => {
    const units = [{ name: "name", digest: "x", body: "x" }];
    const change = { user: "u", pool: "p", username: "n", priority: 10, run: "r", units };
    assert.throws(() => put({ ledger: {} }, change, [], START), { name: "RangeError", message: /arrival for unit 0/ });
  });
});

describe("a mailbox", () => {
  test("is due when its lease ends, its first unit may go, or what it remembers may be forgotten", () => {
    const u = user();
    const due = () => (u.state.mailbox ? dueAt(u.state.mailbox) : undefined);
    u.put("name", "x", 1);
    assert.equal(due(), 0);
    u.claim("a");
    assert.equal(due(), START + LEASE_MS);
    u.settle("a", { name: u.retry(u.flying("name"), 300) });
    assert.equal(due(), START + 300);
    u.now += 300;
    u.claim("b");
    u.now += LEASE_MS;
    u.deliver("c");
    assert.equal(due(), u.now + SUSPECT_MS);
  });

  test("is due when a quiet interval ends, and is gone then", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.settle("a", { name: u.retry(u.flying("name"), 0, { fateUnknown: true, counts: "fault" }) });
    u.deliver("b");
    assert.ok(u.state.mailbox);
    assert.equal(dueAt(u.state.mailbox), START + QUIET_MS);
    u.now += QUIET_MS;
    assert.deepEqual(u.claim("c"), { is: "idle" });
    assert.equal(u.state.mailbox, undefined);
  });

  test("changes nothing that it was given", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    const before = structuredClone(u.state);
    const given = u.state;
    u.put("name", "y", 2);
    u.now += LEASE_MS;
    u.deliver("b");
    assert.deepEqual(given, before);
  });
});
