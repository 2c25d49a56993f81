/** What is true of the store on Redis only; what every store does is in test/suites. */
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { Redis } from "ioredis";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import type { Page } from "../../src/store/mailboxes.ts";
import type { Store } from "../../src/store/store.ts";
import { withoutPlace } from "../suites/mailbox-user.ts";
import { testRedis } from "../support/redis.ts";
import { cuttingProxy } from "./cutting-proxy.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";
import { clockedRedis, removeKeys } from "./redis-clock.ts";

function pageOf(users: readonly string[], more: Partial<Page> = {}): Page {
  const units = [
    { name: "given_name", digest: "digest", body: "p:{}" },
    { name: "email", digest: "digest", body: "p:{}" },
  ];
  const changes = users.map((user) => ({ user, username: `p:${user}`, units }));
  const rows = { read: users.length, faulty: 0 };
  return { pool: "pool", run: "run", priority: 10, invalid: 0, rows, changes, ...more };
}

async function beginRuns(store: Store, ...ids: readonly string[]): Promise<void> {
  for (const id of ids)
    await store.runs.begin({ id, source: "file", pool: "pool", feed: "feed", identity: "", asOf: 0 });
}

describe("an answer that is lost on its way", () => {
  const { url, namespace } = testRedis();
  let proxy: CuttingProxy;
  let store: Store;
  before(async () => {
    proxy = await cuttingProxy(url);
    store = await openRedisStore({ url: proxy.url, namespace });
  });
  after(async () => {
    await store.close();
    await proxy.close();
    await removeKeys({ url, namespace });
  });
  const cut = async <T>(step: () => Promise<T>): Promise<T> => {
    const cuts = proxy.cuts;
    proxy.cutNextAnswer();
    const answer = await step();
    assert.equal(proxy.cuts, cuts + 1);
    return answer;
  };

  test("does not put a page twice, carry out a step twice, or lose what it said", async () => {
    // The server knows the scripts afterwards: the answer that is cut is the step's own.
    await beginRuns(store, "warm", "run", "fed");
    await store.mailboxes.put(pageOf(["warm"], { run: "warm" }));
    await store.mailboxes.claim("nobody", "token", 1000);
    await store.mailboxes.settle("nobody", "token", {}, 1000);
    await store.mailboxes.replay([], 1);
    await store.letters.discard([""]);

    const cursor = { from: "", to: "1" };
    assert.deepEqual(withoutPlace(await cut(() => store.mailboxes.put(pageOf(["ann"])))), {
      accepted: true,
      cursor: "",
      ahead: 0,
      stale: [],
      waiting: ["ann"],
    });
    assert.deepEqual(withoutPlace(await cut(() => store.mailboxes.put(pageOf(["bob"], { run: "fed", cursor })))), {
      accepted: true,
      cursor: "1",
      ahead: 0,
      stale: [],
      waiting: ["bob"],
    });
    assert.equal((await store.runs.books("run")).received, 2);
    assert.equal((await store.runs.books("fed")).received, 2);

    const claimed = await cut(() => store.mailboxes.claim("ann", "token-1", 60_000));
    assert.equal(claimed.is, "claimed");
    const { given_name, email } = claimed.is === "claimed" ? claimed.units : {};
    assert.ok(given_name && email);
    const settled = await cut(() =>
      store.mailboxes.settle(
        "ann",
        "token-1",
        {
          given_name: { is: "applied", version: given_name.version },
          email: {
            is: "bury",
            version: email.version,
            letter: "letter-1",
            kind: "gave-up",
            reason: "Because",
            fateUnknown: false,
          },
        },
        60_000,
      ),
    );
    assert.deepEqual(
      { late: settled.late, letters: settled.letters.map(({ id }) => id) },
      { late: false, letters: ["letter-1"] },
    );
    const replayed = await cut(() => store.mailboxes.replay(["letter-1"], 1));
    assert.deepEqual(replayed, [{ user: "ann", priority: 1, letter: "letter-1", pool: "pool" }]);

    const again = await store.mailboxes.claim("ann", "token-2", 60_000);
    const { version } = (again.is === "claimed" ? again.units["email"] : undefined) ?? { version: "" };
    const bury = {
      is: "bury",
      version,
      letter: "letter-1",
      kind: "gave-up",
      reason: "Because",
      fateUnknown: false,
    } as const;
    await store.mailboxes.settle("ann", "token-2", { email: bury }, 60_000);
    assert.equal(await cut(() => store.letters.discard(["letter-1"])), 1);
    const { received, applied, discarded, pending, dead } = await store.runs.books("run");
    const expected = { received: 2, applied: 1, discarded: 1, pending: 0, dead: 0 };
    assert.deepEqual({ received, applied, discarded, pending, dead }, expected);

    const run = { id: "run-1", source: "file" as const, pool: "pool", feed: "feed", identity: "identity", asOf: 0 };
    assert.equal((await cut(() => store.runs.begin(run))).resumed, false);
    assert.equal((await store.runs.begin({ ...run, id: "run-2" })).run.id, "run-1");
  });

  test("does not lose a hold's probe", async () => {
    const clocked = await clockedRedis({ url: proxy.url, namespace: `${namespace}-probe` });
    try {
      await clocked.setClock(1_795_478_400_000);
      const held = await clocked.openStore();
      await held.holds.place("pool", "pool", "no-such-pool");
      assert.equal((await held.holds.ask("pool", "pool")).is, "held");
      await clocked.setClock(1_795_478_405_000);
      assert.equal((await cut(() => held.holds.ask("pool", "pool"))).is, "probe");
      assert.equal((await held.holds.ask("pool", "pool")).is, "held");
    } finally {
      await clocked.close();
    }
  });
});

describe("a store on Redis", () => {
  const { url, namespace } = testRedis();
  after(() => removeKeys({ url, namespace }));

  test("goes on after the server has forgotten the scripts", async () => {
    const store = await openRedisStore({ url, namespace });
    const redis = new Redis(url);
    try {
      await beginRuns(store, "run");
      await store.mailboxes.put(pageOf(["ann"]));
      await redis.script("FLUSH");
      await store.mailboxes.put(pageOf(["ann"]));
      assert.equal((await store.runs.books("run")).received, 4);
    } finally {
      await redis.quit();
      await store.close();
    }
  });

  test("sweeps who has waited longest first, and keeps their place when more arrives", async () => {
    const clocked = await clockedRedis({ url, namespace: `${namespace}-sweep` });
    try {
      const store = await clocked.openStore();
      await clocked.setClock(1_795_478_400_000);
      await beginRuns(store, "run");
      for (const [index, user] of ["zoe", "ann", "bob", "zoe"].entries()) {
        await clocked.setClock(1_795_478_400_000 + index);
        await store.mailboxes.put(pageOf([user]));
      }
      const due = await store.mailboxes.sweep("pool", { holder: "me", leaseMs: 1000, offset: 0, limit: 10 });
      assert.deepEqual(
        due.map(({ user }) => user),
        ["zoe", "ann", "bob"],
      );
    } finally {
      await clocked.close();
    }
  });

  test("learns the pools that another process has put to", async () => {
    const [early, late] = [await openRedisStore({ url, namespace }), await openRedisStore({ url, namespace })];
    try {
      await beginRuns(late, "run");
      await late.mailboxes.put(pageOf(["cem"], { pool: "pool-of-late" }));
      const claimed = await early.mailboxes.claim("cem", "token", 1000);
      assert.equal(claimed.is === "claimed" && claimed.pool, "pool-of-late");
      assert.equal(await early.mailboxes.dueCount("pool-of-late"), 1);
    } finally {
      await early.close();
      await late.close();
    }
  });

  test("lists letters in pages, though those that were read are discarded meanwhile", async () => {
    const store = await openRedisStore({ url, namespace });
    try {
      const users = Array.from({ length: 450 }, (_, index) => `user-${index}`);
      await beginRuns(store, "run");
      await store.mailboxes.put(pageOf(users, { pool: "pool-of-letters" }));
      for (const user of users) {
        const claimed = await store.mailboxes.claim(user, "token", 60_000);
        const units = claimed.is === "claimed" ? Object.entries(claimed.units) : [];
        const buried = units.map(
          ([name, { version }]) =>
            [
              name,
              {
                is: "bury",
                version,
                letter: `${user}.${name}`,
                kind: "gave-up",
                reason: "Because",
                fateUnknown: false,
              },
            ] as const,
        );
        await store.mailboxes.settle(user, "token", Object.fromEntries(buried), 1000);
      }
      let count = 0;
      for await (const { id } of store.letters.list({ pool: "pool-of-letters", unit: "email" })) {
        count += await store.letters.discard([id]);
      }
      assert.equal(count, users.length);
    } finally {
      await store.close();
    }
  });

  test("refuses a namespace of another format", async () => {
    const redis = new Redis(url);
    const foreign = `${namespace}-foreign`;
    try {
      await redis.hset(createKeys(foreign).memory, "format", "4");
      await assert.rejects(
        openRedisStore({ url, namespace: foreign }),
        (error) => error instanceof StoreError && error.kind === "foreign-format",
      );
    } finally {
      await redis.del(createKeys(foreign).memory);
      await redis.quit();
    }
  });

  test("shows no value in the error about a damaged document", async () => {
    const store = await openRedisStore({ url, namespace });
    const redis = new Redis(url);
    const { mailboxes } = createKeys(namespace);
    try {
      for (const text of ['{"secret-value', '{"pool":"secret-value"}']) {
        await redis.hset(mailboxes, "dee", text);
        for (const step of [() => store.mailboxes.read("dee"), () => store.mailboxes.claim("dee", "token", 1000)]) {
          await assert.rejects(step, (error) => !String(Error.isError(error) && error.stack).includes("secret-value"));
        }
      }
    } finally {
      await redis.hdel(mailboxes, "dee");
      await redis.quit();
      await store.close();
    }
  });

  test("that nobody answers for is given up at once, without the password", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    server.close();
    await once(server, "close");
    assert.ok(address !== null && typeof address === "object");
    await assert.rejects(openRedisStore({ url: `redis://:s3cret@127.0.0.1:${address.port}`, namespace }), (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.kind, "unreachable");
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${address.port}.*ECONNREFUSED`));
      assert.ok(!error.message.includes("s3cret"));
      return true;
    });
  });
});
