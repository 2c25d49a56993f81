import assert from "node:assert/strict";
import { OPEN } from "../../src/core/gate.ts";
import { describe, test } from "node:test";
import { LEASE_MS, START, user } from "./mailbox-user.ts";
import { claim } from "../../src/core/claim.ts";
import { BELIEVED_MS, COOLDOWN_MS, ABANDONED_CALL_MS, dueAt } from "../../src/core/mailbox.ts";
import { put } from "../../src/core/put.ts";
import { MAX_LEAD_MS, ordinalText, timeOf, versionText } from "../../src/core/version.ts";

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
    assert.throws(() => put({ ledger: {} }, change, [], START, () => OPEN), {
      name: "RangeError",
      message: /arrival for unit 0/,
    });
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
    assert.equal(due(), u.now + ABANDONED_CALL_MS);
  });

  test("is due when a quiet interval ends, and is gone then", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.settle("a", { name: u.retry(u.flying("name"), 0, { fateUnknown: true, counts: "fault" }) });
    u.deliver("b");
    assert.ok(u.state.mailbox);
    assert.equal(dueAt(u.state.mailbox), START + COOLDOWN_MS);
    u.now += COOLDOWN_MS;
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

describe("a memory of what was written", () => {
  test("is believed for an hour, of changes that come one by one", () => {
    for (const [passed, words] of [
      [BELIEVED_MS - 1, {}],
      [BELIEVED_MS, { name: "x" }],
    ] as const) {
      const u = user();
      u.put("name", "x", 1);
      u.deliver("a");
      u.now += passed;
      u.put("name", "x", 2, { sendUnless: "written" });
      assert.deepEqual(u.words("b"), words, `after ${passed} ms`);
    }
  });

  test("from before times were kept is not believed", () => {
    const ledger = { name: { version: versionText(ordinalText({ timeMs: 1, sequence: 0 }), 1), digest: "x" } };
    const units = [{ name: "name", digest: "x", body: "x", sendUnless: "written" as const }];
    const change = { user: "u", pool: "p", username: "n", priority: 1, run: "r", units };
    const { state } = put({ ledger }, change, [2], START, () => OPEN);
    assert.equal(state.mailbox?.pending["name"]?.body, "x");
    const claimed = claim(state, "u", { token: "a", leaseMs: 1000 }, START, () => OPEN);
    assert.ok(claimed.result.is === "claimed");
    assert.deepEqual(claimed.result.claim.sent, ["name"]);
  });

  test("waits out a call that may yet come through, and so does a look from before its end", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.settle("a", { name: u.retry(u.flying("name"), 0, { fateUnknown: true }) });
    u.put("name", "y", 2);
    const lookedAt = u.now + COOLDOWN_MS - 1;
    u.now += COOLDOWN_MS;
    u.deliver("b");
    u.now += 1;
    u.put("name", "x", 3, { sendUnless: "there", look: { at: lookedAt, found: "there" } });
    assert.equal(u.state.mailbox?.pending["name"]?.body, "x", "poolsync wrote after the look");
  });

  test("is not older than the last call that may come: a dead worker's, for a quarter of an hour", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.now += LEASE_MS;
    u.deliver("b");
    const { at } = u.state.ledger["name"] ?? {};
    assert.equal(at, u.now + ABANDONED_CALL_MS);
    const lookedAt = u.now + 1000;
    u.now += ABANDONED_CALL_MS;
    u.claim("c");
    u.put("name", "z", 4, { sendUnless: "there", look: { at: lookedAt, found: "there" } });
    assert.equal(u.state.mailbox?.pending["name"]?.body, "z");
  });
});

describe("a run that was cancelled", () => {
  test("has what it put discarded when it is claimed, and what others put goes on", () => {
    const u = user();
    u.put("name", "x", 1);
    u.gates.set("r", { is: "cancelled" });
    assert.deepEqual(u.claim("a"), { is: "idle" });
    assert.deepEqual([u.books.pending, u.books.discarded], [0, 1]);
    assert.equal(u.state.mailbox, undefined);
  });

  test("has what a dead worker of it held discarded, and nothing older follows that", () => {
    const u = user();
    u.put("name", "x", 5);
    u.claim("a");
    u.gates.set("r", { is: "cancelled" });
    u.now += LEASE_MS;
    assert.notEqual(u.claim("b").is, "claimed");
    assert.deepEqual([u.books.pending, u.books.discarded], [0, 1]);
    u.put("name", "w", 4, { run: "another" });
    assert.equal(u.books.stale, 1);
  });

  test("still settles what was in flight when it was cancelled", () => {
    const u = user();
    u.put("name", "x", 1);
    u.claim("a");
    u.gates.set("r", { is: "cancelled" });
    u.settle("a", { name: u.applied(u.flying("name")) });
    assert.deepEqual([u.books.applied, u.books.discarded], [1, 0]);
  });
});
