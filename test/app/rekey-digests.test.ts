/** After a leak a namespace has new keys, and goes on with all that it had: nothing in it is named by the former ones. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { Readable } from "node:stream";
import { Redis } from "ioredis";
import { openConfiguredEngine } from "../../src/app/opening.ts";
import { makeKeysAnew, openToRekey, replaceKeys } from "../../src/app/rekey-digests.ts";
import { readConfig } from "../../src/config/config.ts";
import { cancelledBefore, noteCancelled } from "../../src/app/runs/cancelled-content.ts";
import { reportedReads } from "../../src/delivery/reported-reads.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { createLog } from "../../src/log.ts";
import { accountName, openAccount } from "../../src/store/sealed-account.ts";
import { eventId, openEvent, sealEvent } from "../../src/store/sealed-event.ts";
import { openLetter } from "../../src/store/sealed-unit.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { FIXTURE_KEY, fixturePools, keyedRedisFigures, loadRedisFixture, redisFigures } from "../support/format-1.ts";
import { testRedis } from "../support/redis.ts";
import { withScope } from "../../src/lifecycle.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { REPLAY_QUEUE, sendOrder, type ReplayOrder } from "../../src/queues/replay-orders.ts";
import type { EmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import type { Store } from "../../src/store/store.ts";
import { setApp, type App, type AppOptions } from "../support/app-stage.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, awsVariables, POOL } from "../support/pool-stage.ts";
import { dumpRedis } from "../support/redis-dump.ts";

const STORES: readonly (readonly [string, Pick<AppOptions, "putData">])[] = [
  ["Redis", {}],
  ["the embedded engine", { putData: putMadeDirectory }],
];
const WAITS = "run-that-waits";
const CONTENT = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
const CANCELLED = { id: "run-cancelled", source: "file", pool: POOL, feed: "crm", asOf: 0 } as const;
const never = new AbortController().signal;

/** A namespace with something of everything. */
async function setStage(t: TestContext, options: AppOptions) {
  const app = await setApp(t, {
    ...options,
    pool: { schema: [{ name: "team" }], aliasAttributes: ["email"] },
    config: `keepBefore: true
rate: 500
feeds: { teams: { pool: ${POOL}, username: t, match: "custom:team", attributes: { name: n }, events: { scheme: none } } }
`,
    environment: { POOLSYNC_KEY: Buffer.alloc(32, 5).toString("base64") },
  });
  addUsers(app.pool, 7);
  app.pool.addUser({ username: "indexed", attributes: { "custom:team": "blue" } });
  const rows = [
    "u0,New,new0@example.com,",
    "u1,New,u1@example.com,",
    "u2,New,,",
    `u6,New,,${"x".repeat(3000)}`,
    "nobody,New,,",
  ];
  const file = await app.file(["username,given_name,email,nickname", ...rows].join("\n"), "staff.csv");
  const { run: written } = await app.sync(file, { verified: "mark" });
  // Whoever scans the pool notes who has which team.
  await app.drift(file, { verified: "mark" });
  await app.queue("u3", { given_name: "Letter" });
  app.pool.removeUser("u3");
  await app.queue("u4", { email: "u5@example.com" }, { verified: "mark" });
  await app.deliver();
  await app.pause({}, { by: "ann", reason: "a test" });
  await app.queue("u4", { given_name: "Later" });
  await app.queue("new0@example.com", { "custom:team": "red" });
  const engine = await app.open();
  const { store, keyring } = engine;
  const begun = { id: WAITS, source: "file", pool: POOL, feed: "hr", identity: WAITS, asOf: 0 } as const;
  await store.runs.begin(begun);
  await store.runs.transition(WAITS, ["reading"], "needs-approval");
  const cancelled = { ...CANCELLED, identity: keyring.contentName(CONTENT) };
  const { run } = await store.runs.begin(cancelled);
  await store.runs.transition(run.id, ["reading"], "cancelled");
  await noteCancelled(store, run);
  await store.setValue("fetched crm", keyring.seal(["fetched", "crm"], "an ETag that is the MD5 of a file"));
  const expiresAt = Date.now() + 60_000;
  await store.plans.keep({ run: WAITS, expiresAt }, Readable.from([keyring.seal(["plan chunk", WAITS, "0"], "plan")]));
  await store.reservations.take(POOL, "alias", keyring.userKey(POOL, "u0"), 60_000);
  for (const text of ["parked", "waiting"]) {
    const id = eventId(keyring, { feed: "hr", scheme: "none" }, text);
    const event = { feed: "hr", scheme: "hmac", contentType: "text/plain", body: Buffer.from(text) };
    await store.inbox.add([{ id, feed: "hr", body: sealEvent(keyring, id, event) }], { entries: 9, bytes: 9_999 });
    if (text === "parked") {
      await store.inbox.take("token", { leaseMs: 60_000, limit: 1, maxBytes: 9_999 });
      await store.inbox.park({ token: "token", ids: [id] }, "nobody");
    }
  }
  await sendOrder(engine, { user: keyring.userKey(POOL, "u4"), until: Date.now() });
  return { ...app, written };
}

/** Everything in the store, BullMQ's part included, as text. */
async function dump({ place }: Pick<App, "place">, { store }: Engine): Promise<string> {
  if (place.redisUrl !== undefined) return JSON.stringify([...(await dumpRedis(place.redisUrl, place.namespace))]);
  const { database } = store as EmbeddedStore;
  const tables = await database.query<{ name: string }>(
    "SELECT schemaname || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname IN ('poolsync', 'bullmq')",
    [],
  );
  const texts = [];
  for (const { name } of tables) {
    texts.push(name, JSON.stringify(await database.query(`SELECT row_to_json(one)::text FROM ${name} AS one`, [])));
  }
  return texts.join("\n");
}

/** Whatever in a dump was named or sealed by the keys: users, letters, digests, texts; and the keys. */
function namesIn(text: string): ReadonlySet<string> {
  const plain = text.replaceAll("\\", "");
  const found = [
    /\b[0-9a-f]{32}\b/g,
    /(?<="digest":")[\w-]{22}/g,
    /(?<="account":"\d{15}\.)[\w-]{22}/g,
    /b:[\w+/=]{24,}/g,
    /\b\d\.[\w-]{43}/g,
    /(?<="(?:data|digest)":")[\w+/=]{40,}/g,
  ].flatMap((pattern) => plain.match(pattern) ?? []);
  return new Set(found);
}

const STEPS: ReadonlySet<unknown> = new Set([
  "exchange",
  "raiseEpoch",
  "begin",
  "move",
  "end",
  "rename",
  "replace",
  "transition",
  "drop",
  "obliterate",
  "updateData",
]);

class Cut extends Error {}

/** The same, but that a process dies at its step of this number: before it was done, or after. */
function dyingAt<T extends object>(thing: T, count: { left: number }): T {
  return new Proxy(thing, {
    get(target, name) {
      const there: unknown = Reflect.get(target, name);
      if (typeof there === "object" && there !== null) return dyingAt(there, count);
      if (typeof there !== "function") return there;
      const act = there.bind(target) as (...args: unknown[]) => unknown;
      if (name === "queue") return (...args: unknown[]) => dyingAt(act(...args) as object, count);
      if (!STEPS.has(name)) return act;
      return async (...args: unknown[]) => {
        if ((count.left -= 1) === 0) throw new Cut("cut");
        const answer = await act(...args);
        if ((count.left -= 1) === 0) throw new Cut("cut");
        return answer;
      };
    },
  });
}

const TEAMS = { pool: POOL, attribute: "custom:team" };

/** Whom the account index has for a team, under the keys of an engine. */
async function subIn({ store, keyring }: Engine): Promise<string | undefined> {
  const name = accountName(keyring, TEAMS, "blue");
  const { found } = await store.accounts.find(TEAMS, name);
  return found.is === "one" ? openAccount(keyring, TEAMS, name, found.body) : undefined;
}

const kept = (store: Store) => Array.fromAsync(store.letters.list({}));

for (const [name, options] of STORES) {
  describe(`new keys after a leak, on ${name}`, () => {
    test("leave nothing that the former ones name or open, wherever they were cut, and lose nothing", async (t) => {
      const stage = await setStage(t, options);
      const former = await stage.open();
      const books = await former.store.runs.books();
      const letters = await kept(former.store);
      const names = namesIn(await dump(stage, former));
      assert.ok(names.size > 30);
      assert.equal(await subIn(former), stage.pool.user("indexed")?.sub);
      assert.equal(letters.filter(({ owner }) => owner !== undefined).length, 1);
      await stage.shut();

      let cuts = 0;
      const opened = await stage.read();
      const made = await withScope(async (scope) => {
        const { engine, pools } = await openToRekey(opened, { withoutPools: [], flags: {}, scope, signal: never });
        const rekeying = { pools, wrapping: opened.config, signal: never };
        const interrupted = { ...rekeying, signal: AbortSignal.abort() };
        await assert.rejects(replaceKeys(engine, interrupted), { kind: "interrupted", message: /rekey --digests/ });
        for (let step = 1; ; step += 1) {
          const count = { left: step };
          try {
            return await replaceKeys(
              { ...engine, store: dyingAt(engine.store, count), queues: dyingAt(engine.queues, count) },
              rekeying,
            );
          } catch (error) {
            assert.ok(error instanceof Error && (error instanceof Cut || error.cause instanceof Cut), String(error));
            cuts += 1;
            if (cuts === 3 && !options.putData) {
              await assert.rejects(stage.open(), { kind: "rekeying", message: /rekey --digests/ });
              await stage.shut();
            }
          }
        }
      });
      assert.ok(cuts > 20);
      assert.equal(made.resumed, true);

      const engine = await stage.open();
      const { store, keyring } = engine;
      const left = await dump(stage, engine);
      assert.deepEqual(
        [...names].filter((one) => left.includes(one)),
        [],
      );
      assert.equal(await subIn(engine), stage.pool.user("indexed")?.sub, "as the same scan saw it");
      assert.deepEqual(await store.runs.books(), books);
      const counts = [...(await store.mailboxes.recount()).values()];
      assert.deepEqual(
        [counts.reduce((sum, { pending }) => sum + pending, 0), counts.reduce((sum, { dead }) => sum + dead, 0)],
        [books.pending, books.dead],
      );
      const about = ({ unit, kind, version, run, buriedAt }: (typeof letters)[number]) => ({
        unit,
        kind,
        version,
        run,
        buriedAt,
      });
      assert.deepEqual((await kept(store)).map(about), letters.map(about));
      assert.deepEqual(
        (await kept(store)).flatMap(({ owner }) => owner ?? []),
        [keyring.userKey(POOL, "u5")],
      );
      assert.equal((await store.runs.get(WAITS))?.state, "expired");
      const crm = { ...CANCELLED, identity: keyring.contentName(CONTENT) };
      assert.equal(await cancelledBefore(engine, [], crm), CANCELLED.id);
      assert.equal(await store.getValue("fetched crm"), "");
      const [parked] = await Array.fromAsync(store.inbox.parked({}));
      await store.inbox.replay([parked?.id ?? ""]);
      const { entries } = await store.inbox.take("token", { leaseMs: 60_000, limit: 9, maxBytes: 99_999 });
      const events = entries.map((entry) => Buffer.from(openEvent(keyring, entry)?.body ?? "").toString());
      assert.deepEqual([events, made.damaged], [["parked", "waiting"], 0]);
      const [order] = await engine.queues.queue<ReplayOrder>(REPLAY_QUEUE).getJobs();
      assert.equal(order?.data.user, keyring.userKey(POOL, "u4"));
      await order?.remove();
      assert.equal(await engine.queues.queue("dead-user-not-found").count(), 1);
      assert.equal((await store.exceptions.about(keyring.userKey(POOL, "u6"))).length, 1);

      const writes = stage.emulator.log.writes.length;
      assert.equal(await stage.resume({}), 2);
      await stage.deliver();
      assert.equal(stage.pool.user("u4")?.attributes["given_name"], "Later");
      assert.equal(stage.pool.user("u0")?.attributes["custom:team"], "red");
      assert.equal(stage.emulator.log.writes.length, writes + 2);

      stage.pool.addUser({ username: "u3", attributes: { given_name: "Old" } });
      await stage.replay({ kind: "user-not-found" });
      assert.equal(stage.pool.user("u3")?.attributes["given_name"], "Letter");

      const older = await stage.file("username,given_name\nu1,Older\n", "older.csv");
      const { books: stale } = await stage.sync(older, { asOf: "2020-01-01T00:00:00Z" });
      assert.equal(stale.stale, 1);

      await stage.undo(stage.written);
      const back = ["u0", "u1", "u2"].map((user) => stage.pool.user(user)?.attributes);
      assert.deepEqual(
        back.map((user) => user?.["given_name"]),
        ["Old", "Old", "Old"],
      );
      assert.equal(back[0]?.["email"], "u0@example.com");
    });
  });
}

for (const keyed of [false, true]) {
  test(`new keys of a namespace that an older version left, ${keyed ? "encrypted" : "in clear"}`, async (t) => {
    const emulator = await startEmulator({ quotas: "unmetered" });
    t.after(() => emulator.close());
    for (const { pool, users } of fixturePools) {
      const made = emulator.pools.add(pool);
      for (const user of users) made.addUser(user);
    }
    t.after(exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url }));
    const { url, namespace } = testRedis();
    const redis = new Redis(url);
    await loadRedisFixture(redis, namespace, { keyed, endpoint: new URL(emulator.url).host });
    redis.disconnect();
    const key = keyed ? { POOLSYNC_KEY: FIXTURE_KEY.toString("base64") } : {};
    const where = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace, HOME: "/nonexistent" };
    const config = await readConfig({}, { ...awsVariables(), ...where, ...key });
    const { letters } = keyed ? keyedRedisFigures : redisFigures;
    const log = createLog("silent");

    const made = await makeKeysAnew({ config, log, reads: reportedReads(log) }, { withoutPools: [] }, never);
    assert.deepEqual([made.letters, made.damaged, made.wrapped], [letters.length, 0, keyed]);
    await withScope(async (scope) => {
      const { store, keyring } = await openConfiguredEngine(config, scope, { log });
      assert.ok(keyring.isSealed);
      const opened = (await kept(store)).filter((letter) => openLetter(keyring, letter) !== undefined);
      assert.equal(opened.length, letters.length);
      const counted = [...(await store.mailboxes.recount()).values()].reduce((sum, { pending }) => sum + pending, 0);
      assert.equal(counted, (await store.runs.books()).pending);
    });
    for (const [name, held] of await dumpRedis(url, namespace)) assert.doesNotMatch(name + held, /"[ps]:/);
  });
}
