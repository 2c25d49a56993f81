import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LEASE_MS, user } from "./mailbox-user.ts";
import { accountMark } from "../../src/core/person.ts";
import { COOLDOWN_MS, ABANDONED_CALL_MS, dueAt } from "../../src/core/mailbox.ts";

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
    u.put("email_verified", "true", 6, { sendUnless: "written" });
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
    u.put("email_verified", "true", 6, { sendUnless: "written" });
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
    u.put("email", "new", 7, { sendUnless: "written" });
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
    u.put("name", "y", 5, { sendUnless: "there" });
    u.claim("c");
    u.settle("c", { name: { is: "unchanged", version: u.flying("name") } });
    assert.equal(u.books.unchanged, 1);
    u.settle("a", { name: u.applied(late) });
    assert.equal(u.books.unchanged, 0, "the term that is left is the one that was booked");
    assert.deepEqual(u.words("d"), { name: "y" });
    assert.deepEqual([u.books.applied, u.books.stale, u.books.pending], [1, 0, 1]);
  });

  test("has a value sent again that a look found there before it came through", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4);
    u.claim("b");
    const looked = u.flying("name");
    u.settle("a", { name: u.applied(late) });
    u.settle("b", { name: { is: "unchanged", version: looked } });
    assert.equal(u.known("name")?.digest, "");
    assert.deepEqual(u.words("c"), { name: "y" });
  });

  test("has nothing sent again of an account that another came in the place of", () => {
    const u = user();
    const former = { account: accountMark(1, "former") };
    u.put("name", "x", 3, former);
    u.claim("a");
    const late = u.flying("name");
    u.now += LEASE_MS;
    u.put("name", "y", 4, former);
    u.deliver("b");
    u.put("locale", "z", 5, { account: accountMark(2, "later") });
    u.settle("a", { name: u.applied(late) });
    assert.deepEqual(u.words("c"), { locale: "z" });
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
    assert.deepEqual(u.known("name"), { version: late, digest: "" });
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
    assert.deepEqual(u.claim("c"), { is: "later", retryAt: u.now + COOLDOWN_MS });
    u.now += COOLDOWN_MS;
    assert.deepEqual(u.words("c"), { name: "y" });
  });

  test("does not take the ledger back under an older value that is on its way", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("c");
    const newer = `9${u.flying("name").slice(1)}`;
    u.settle("forgotten", { name: u.applied(newer) });
    u.settle("c", { name: u.applied(u.flying("name")) });
    assert.deepEqual(u.known("name"), { version: newer, digest: "" });
    assert.equal(u.books.applied, 1);
  });

  test("is forgotten with its mailbox after a while", () => {
    const u = user();
    u.put("name", "x", 3);
    u.claim("a");
    u.now += LEASE_MS;
    u.deliver("b");
    assert.ok(u.state.mailbox?.lastSettled["name"]);
    u.now += ABANDONED_CALL_MS;
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
