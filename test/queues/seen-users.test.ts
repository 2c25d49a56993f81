/** What one process saw of a user serves for a minute, and only as long as nothing says otherwise. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ListedUser } from "../../src/core/comparison.ts";
import { isNameDoubted, seenLately } from "../../src/delivery/lately.ts";
import { createSeenUsers } from "../../src/delivery/seen-users.ts";
import { testKeyring } from "../support/keyring.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { PROFILE } from "../support/pool-profile.ts";

const MINUTE_MS = 60_000;
const ALIAS = { attribute: "email", value: "ann@example.com" } as const;
const KEY = "key-of-ann";

function listed(username: string, email = `${username}@example.com`): ListedUser {
  const attributes = new Map([["email", email]]);
  return { username, sub: `sub-${username}`, createdAt: 1, status: "CONFIRMED", attributes };
}

function setStage(aliasAttributes: readonly string[] = []) {
  const profile = { ...PROFILE, aliasAttributes };
  const { store, clock } = openMemoryStore();
  const [seen, keyring] = [createSeenUsers(profile), testKeyring()];
  const ask = (whom: { readonly sub: string } | { readonly username: string } = { sub: "sub-ann" }) =>
    seenLately({ store, keyring, profile, seen }, KEY, whom, clock.nowMs);
  return {
    store,
    clock,
    seen,
    keyring,
    profile,
    ask,
    look: (user = listed("ann")) => seen.keep({ user, lookedAt: clock.nowMs }),
    /** Another process writes the user, and says what became of it. */
    write: async (outcome: "claimed" | "applied" | "nothing", unit = "nickname"): Promise<void> => {
      await store.runs.begin({ id: "r", source: "file", pool: PROFILE.id, feed: "f", identity: "", asOf: 0 });
      const units = [{ name: unit, digest: "d", body: "b" }];
      const changes = [{ user: KEY, username: "sealed", units }];
      await store.mailboxes.put({
        pool: PROFILE.id,
        run: "r",
        priority: 5,
        changes,
        invalid: 0,
        rows: { read: 1, faulty: 0 },
      });
      const claimed = await store.mailboxes.claim(KEY, "token", 1000);
      assert.ok(claimed.is === "claimed");
      const version = claimed.units[unit]?.version ?? "";
      if (outcome === "applied") {
        await store.mailboxes.settle(KEY, "token", { [unit]: { is: "applied", version } }, 1000);
      } else if (outcome === "nothing") {
        clock.advance(1001);
        await store.mailboxes.claim(KEY, "another", 1000);
      }
    },
  };
}

describe("a look is believed", () => {
  test("for a minute, of the account and of whoever has the username", async () => {
    const { look, ask, clock } = setStage();
    look();
    clock.advance(MINUTE_MS - 1);
    assert.equal((await ask())?.username, "ann");
    assert.equal((await ask({ username: "ann" }))?.username, "ann");
    assert.equal(await ask({ sub: "sub-bob" }), undefined);
    clock.advance(1);
    assert.equal(await ask(), undefined);
  });

  test("until this process begins to write the user", async () => {
    const { look, ask, seen, clock } = setStage();
    look();
    seen.written({ sub: "sub-ann" });
    assert.equal(await ask(), undefined);
    clock.advance(1);
    look();
    assert.ok(await ask());
    seen.written({ username: "ann" });
    assert.equal(await ask(), undefined);
  });

  for (const outcome of ["applied", "nothing"] as const) {
    test(`until another process has written the user since: ${outcome === "applied" ? "said" : "nobody knows"}`, async () => {
      const { look, ask, write, clock } = setStage();
      look();
      await write(outcome);
      assert.equal(await ask(), undefined);
      clock.advance(1);
      look();
      assert.equal((await ask()) !== undefined, outcome === "applied", "a look after it is");
    });
  }

  test("until somebody else is about to get an alias of theirs, or has got it by this process", async () => {
    const { look, ask, seen, store, keyring, profile } = setStage(["email"]);
    look();
    const digest = keyring.linkDigest(profile.id, ALIAS.attribute, ALIAS.value);
    await store.reservations.take(profile.id, digest, KEY, 1000);
    assert.ok(await ask(), "their own reservation is no matter");
    await store.reservations.release(profile.id, digest, KEY);
    await store.reservations.take(profile.id, digest, "another", 1000);
    assert.equal(await ask(), undefined);
    await store.reservations.release(profile.id, digest, "another");
    assert.ok(await ask());
    seen.changed([ALIAS]);
    assert.equal(await ask(), undefined);
  });

  test("as far as it is the newest: an older one that comes late is not", async () => {
    const { seen, ask, clock } = setStage();
    seen.keep({ user: listed("ann", "new@example.com"), lookedAt: clock.nowMs });
    seen.keep({ user: listed("ann"), lookedAt: clock.nowMs - 1 });
    assert.equal((await ask())?.attributes.get("email"), "new@example.com");
  });
});

describe("a name", () => {
  test("is whose the pool said it is, from when it was asked, also once they were written", () => {
    const { seen, look, clock } = setStage();
    const askedAt = clock.nowMs;
    seen.keep({ user: listed("ann"), lookedAt: askedAt }, ALIAS);
    assert.equal(seen.bearer(ALIAS)?.user?.sub, "sub-ann");
    seen.written({ sub: "sub-ann" });
    assert.deepEqual([seen.bearer(ALIAS)?.username, seen.bearer(ALIAS)?.user], ["ann", undefined]);
    clock.advance(MINUTE_MS);
    look();
    assert.equal(seen.bearer(ALIAS)?.askedAt, askedAt, "a look at the user asks for no name");
  });

  test("is nobody's any more once it changes hands", () => {
    const { seen, clock } = setStage();
    seen.keep({ user: listed("ann"), lookedAt: clock.nowMs }, ALIAS);
    seen.changed([ALIAS]);
    assert.equal(seen.bearer(ALIAS), undefined);
    seen.changed([ALIAS]);
  });
});

describe("a name is asked anew", () => {
  test("once a newer look shows that its user does not have it, or that another does", () => {
    const { seen, clock } = setStage(["email"]);
    const verified = (username: string, isVerified = true): ListedUser => {
      const attributes = new Map([
        ["email", ALIAS.value],
        ["email_verified", String(isVerified)],
      ]);
      return { ...listed(username), attributes };
    };
    for (const newer of [listed("ann", "other@example.com"), verified("ann", false), verified("bob")]) {
      seen.keep({ user: verified("ann"), lookedAt: clock.nowMs }, ALIAS);
      assert.ok(seen.bearer(ALIAS));
      clock.advance(1);
      seen.keep({ user: verified("ann"), lookedAt: clock.nowMs });
      assert.ok(seen.bearer(ALIAS), "it is theirs as before");
      seen.keep({ user: newer, lookedAt: clock.nowMs });
      assert.equal(seen.bearer(ALIAS), undefined);
      seen.keep({ user: verified("ann"), lookedAt: clock.nowMs - 1 }, ALIAS);
      assert.equal(seen.bearer(ALIAS), undefined, "an older answer comes late");
      clock.advance(1);
    }
  });

  test("once its user is gone", () => {
    const { seen, clock } = setStage();
    for (const whom of [{ sub: "sub-ann" }, { username: "ann" }]) {
      seen.keep({ user: listed("ann"), lookedAt: clock.nowMs }, ALIAS);
      seen.forget(whom);
      assert.deepEqual([seen.bearer(ALIAS), seen.of(whom, clock.nowMs)], [undefined, undefined]);
      seen.forget(whom);
    }
  });

  for (const unit of ["email", "email_verified"] as const) {
    test(`once a process has written its user's ${unit}, or holds it, or does not know whether it did`, async () => {
      for (const stop of ["claimed", "applied", "nothing"] as const) {
        const { store, clock, write } = setStage();
        const doubted = (askedAt: number, claims: boolean) =>
          isNameDoubted(store, KEY, { attribute: "email", askedAt }, { claims });
        const askedAt = clock.nowMs;
        assert.equal(await doubted(askedAt, true), false);
        await write(stop, unit);
        assert.equal(await doubted(askedAt, true), true);
        assert.equal(await doubted(askedAt, false), stop !== "claimed", "a claim says nothing to who holds it");
        clock.advance(1);
        if (stop === "applied") assert.equal(await doubted(clock.nowMs, true), false);
      }
      const { store, clock, write } = setStage();
      await write("applied", "nickname");
      assert.equal(
        await isNameDoubted(store, KEY, { attribute: "email", askedAt: clock.nowMs }, { claims: true }),
        false,
      );
    });
  }
});

test("so many users are kept at a time, and none of more than a minute ago", () => {
  const { seen, clock } = setStage();
  for (let nth = 0; nth <= 10_000; nth += 1) seen.keep({ user: listed(`u${nth}`), lookedAt: clock.nowMs });
  const [oldest, second, newest] = ["u0", "u1", "u10000"].map((name) => seen.of({ username: name }, clock.nowMs));
  assert.deepEqual([oldest, second?.user.username, newest?.user.username], [undefined, "u1", "u10000"]);
  clock.advance(MINUTE_MS);
  seen.keep({ user: listed("ann"), lookedAt: clock.nowMs });
  assert.equal(seen.of({ username: "u1" }, clock.nowMs - MINUTE_MS), undefined);
});
