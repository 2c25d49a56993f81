/** A store that version b92f1e6 has left, at work: what was on its way arrives, and what waited for a person still waits. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { approveRun } from "../../src/app/runs/approve-run.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { imbalance } from "../../src/core/books.ts";
import type { Letter } from "../../src/core/letter.ts";
import { executeReplay } from "../../src/delivery/replay.ts";
import { openPool } from "../../src/delivery/pool.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { openScope, type Scope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { openApprovedPlan } from "../../src/plan/stored-plan.ts";
import { openWayBack } from "../../src/plan/way-back.ts";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { callOptionsOf, valueOf, type Keyring } from "../../src/store/keyring.ts";
import { openLetter } from "../../src/store/sealed-unit.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import {
  embeddedFigures,
  FIXTURE_KEY,
  fixturePools,
  keyedEmbeddedFigures,
  keyedRedisFigures,
  loadEmbeddedFixture,
  loadRedisFixture,
  readEmbeddedFixture,
  readRedisFixture,
  redisFigures,
} from "../support/format-1.ts";
import type { Figures, OldUnit } from "../support/format-1-figures.ts";
import { testRedis } from "../support/redis.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const log = createLog("silent");
/** Beyond the locks of jobs and the leases of claims whose workers are dead, which all have ended. */
const WITHIN_MS = 60_000;

interface Kind {
  readonly name: string;
  readonly keyed: boolean;
  readonly figures: Figures;
  readonly madeAtMs: number;
  readonly load: (scope: Scope, endpoint: string) => Promise<Parameters<typeof openEngine>[0]>;
}

const KINDS: readonly Kind[] = [false, true].flatMap((keyed) => {
  const key = keyed ? { key: FIXTURE_KEY } : {};
  const how = keyed ? "encrypted" : "in clear";
  return [
    {
      name: `a namespace in Redis, ${how}`,
      keyed,
      figures: keyed ? keyedRedisFigures : redisFigures,
      madeAtMs: readRedisFixture({ keyed }).madeAtMs,
      async load(_scope: Scope, endpoint: string) {
        const { url, namespace } = testRedis();
        const redis = new Redis(url);
        await loadRedisFixture(redis, namespace, { keyed, endpoint });
        redis.disconnect();
        return { redisUrl: url, namespace, dataDir: "", ...key };
      },
    },
    {
      name: `a data directory, ${how}`,
      keyed,
      figures: keyed ? keyedEmbeddedFigures : embeddedFigures,
      madeAtMs: readEmbeddedFixture({ keyed }).madeAtMs,
      async load(scope: Scope, endpoint: string) {
        const directory = scope.defer(await temporaryDirectory(), (made) => made.remove());
        const dataDir = join(directory.path, "data");
        await loadEmbeddedFixture(dataDir, { keyed, endpoint });
        return { namespace: "old", dataDir, ...key };
      },
    },
  ];
});

let restore: (() => void) | undefined;
before(() => {
  restore = exampleAws();
});
after(() => restore?.());

/** The engine on a store that nobody has opened since, and the pools as they were before the first call. */
async function setStage(t: TestContext, { load, figures }: Kind) {
  const scope = openScope();
  t.after(() => scope.close());
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0 });
  scope.defer(emulator, (started) => started.close());
  for (const { pool, users } of fixturePools) {
    const made = emulator.pools.add(pool);
    for (const user of users) made.addUser(user);
  }
  const engine = await openEngine(await load(scope, new URL(emulator.url).host));
  scope.defer(engine, (opened) => opened.close());
  const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 5 });
  scope.defer(cognito, (client) => client.close());
  const open = async (id: string) => {
    const pool = await openPool({
      engine,
      cognito,
      pool: id,
      ratePerSecond: 1000,
      listsPerSecond: 25,
      concurrency: 5,
      log,
    });
    return scope.defer(pool, (opened) => opened.close());
  };
  const { store } = engine;
  return {
    engine,
    store,
    open,
    deliver: async (): Promise<void> => {
      for (const { pool } of figures.targets) {
        const delivery = await (await open(pool)).deliver();
        scope.defer(delivery, (running) => running.stop(0));
      }
    },
    settled: () => until("nothing is pending", async () => (await store.runs.books()).pending === 0, WITHIN_MS),
    letters: async (): Promise<readonly Letter[]> => {
      const letters: Letter[] = [];
      for await (const letter of store.letters.list({})) letters.push(letter);
      return letters;
    },
    assertBalanced: async (): Promise<void> => {
      const recount = await store.mailboxes.recount();
      for (const { id } of await store.runs.list(1000)) {
        const books = await store.runs.books(id);
        assert.equal(imbalance(books), 0, `${id} ${JSON.stringify(books)}`);
        const { pending, dead } = recount.get(id) ?? { pending: 0, dead: 0 };
        assert.deepEqual([books.pending, books.dead], [pending, dead], id);
      }
    },
    /** What the pool has in an attribute, blank where it has nothing. */
    attribute: (pool: string, username: string, name: string): string =>
      emulator.pools.get(pool)?.user(username)?.attributes[name] ?? "",
  };
}

interface Wanted {
  readonly pool: string;
  readonly username: string;
  readonly name: string;
  readonly body: string;
  readonly run: string;
}

/** The newest value of each unit that was on its way. */
function onTheirWay({ mailboxes }: Figures, keyring: Keyring): readonly Wanted[] {
  return Object.values(mailboxes).flatMap(({ pool, username, pending, claim }) => {
    const newest = new Map<string, OldUnit>(Object.entries(claim?.units ?? {}));
    for (const [name, unit] of Object.entries(pending)) {
      if ((newest.get(name)?.version ?? "") < unit.version) newest.set(name, unit);
    }
    return Array.from(newest, ([name, { body, run }]) => ({
      pool,
      username: keyring.openFormer(username) ?? "",
      name,
      body: keyring.openFormer(body) ?? "",
      run,
    }));
  });
}

function textOf(body: string): string {
  const value = valueOf(body);
  if (value.kind === "clear") return "";
  return value.kind === "text" ? value.text : String(value.verified);
}

const cancelledOf = ({ runs }: Figures): ReadonlySet<string> =>
  new Set(runs.filter(({ state }) => state === "cancelled").map(({ id }) => id));

for (const kind of KINDS) {
  describe(`of format 1, ${kind.name}`, () => {
    const { figures, keyed, madeAtMs } = kind;

    test("delivers what was on its way, discards what was cancelled, puts its letters again, and leaves nothing in clear", async (t) => {
      const { engine, store, deliver, settled, letters, assertBalanced, attribute } = await setStage(t, kind);
      const { texts } = store;
      assert.equal(engine.keyring.isSealed, false);
      const cancelled = cancelledOf(figures);
      const unsent = onTheirWay(figures, engine.keyring).filter(({ run }) => cancelled.has(run));
      const there = unsent.map(({ pool, username, name }) => attribute(pool, username, name));
      await deliver();
      await settled();
      for (const { pool, username, name, body, run } of onTheirWay(figures, engine.keyring)) {
        if (cancelled.has(run) || callOptionsOf(body).token !== undefined) continue;
        assert.equal(attribute(pool, username, name), textOf(body), `${pool} ${username} ${name}`);
      }
      assert.deepEqual(
        unsent.map(({ pool, username, name }) => attribute(pool, username, name)),
        there,
      );
      for (const { id, state, pending, books } of figures.runs) {
        const now = await store.runs.books(id);
        if (state === "cancelled") assert.equal(now.discarded, (books["discarded"] ?? 0) + pending);
        else assert.equal(now.discarded, books["discarded"] ?? 0);
      }
      assert.deepEqual(await store.holds.list(), []);
      for (const user of Object.keys(figures.mailboxes)) {
        const { mailbox } = await store.mailboxes.read(user);
        assert.deepEqual([mailbox?.claim, mailbox?.pending ?? {}], [undefined, {}]);
      }
      // A token of that time may have expired: then its change is a letter.
      const expired = onTheirWay(figures, engine.keyring).filter(
        ({ pool, username, name, body }) =>
          callOptionsOf(body).token !== undefined && attribute(pool, username, name) !== textOf(body),
      );
      const buried = await letters();
      assert.equal(buried.length, figures.letters.length + expired.length);
      await assertBalanced();

      await until("all is sealed", () => engine.keyring.isSealed, WITHIN_MS);
      for (const { identity } of await store.runs.list(1000)) assert.match(identity, /^$|^(\w+ )?1\.[\w-]{43}$/);
      let plans = 0;
      for (const shelf of await texts.shelves()) {
        for (let cursor: string | undefined = ""; cursor !== undefined;) {
          const page: Awaited<ReturnType<typeof texts.page>> = await texts.page(shelf, cursor);
          cursor = page.next;
          for (const { name, text } of page.found) {
            assert.doesNotMatch(text, /"(?:body|username)":"(?!b:)/, `${shelf.kind} ${name}`);
            if (!["mailboxes", "letters", "notes"].includes(shelf.kind)) assert.match(text, /^b:/, shelf.kind);
            if (shelf.kind === "plan") plans += 1;
          }
        }
      }
      assert.equal(plans > 0, figures.plans.length > 0);
      for (const letter of await letters()) assert.ok(openLetter(engine.keyring, letter), letter.kind);
      assert.ok((await letters()).every(({ kind: is }) => is !== "altered"));
      for (const { run } of figures.plans) {
        const waiting = await store.runs.get(run);
        assert.ok(waiting);
        const directory = await temporaryDirectory();
        t.after(() => directory.remove());
        const plan = await openApprovedPlan({ plans: store.plans, keyring: engine.keyring }, waiting, directory.path);
        assert.ok(plan);
        assert.ok((await Array.fromAsync(plan.records())).length > 0);
        await plan.close();
      }

      const gaveUp = buried.filter((letter) => letter.kind === "gave-up");
      const order = { kind: "gave-up", until: (await store.now()) + 1 };
      assert.equal((await executeReplay(engine, order)).letters, gaveUp.length);
      await settled();
      for (const letter of gaveUp) {
        const opened = openLetter(engine.keyring, letter);
        assert.ok(opened);
        assert.equal(attribute(letter.pool, opened.username, letter.unit), textOf(opened.body), letter.unit);
      }
      const left = await letters();
      assert.equal(left.length, buried.length - gaveUp.length);
      assert.equal(await store.letters.discard(left.map(({ id }) => id)), left.length);
      assert.equal((await store.runs.books()).dead, 0);
      await assertBalanced();
    });

    for (const { run } of figures.plans) {
      test("has a plan that somebody approves", async (t) => {
        // It waits for some days.
        t.mock.timers.enable({ apis: ["Date"], now: madeAtMs });
        const { engine, store } = await setStage(t, kind);
        const waiting = await store.runs.get(run);
        assert.ok(waiting);
        const directory = await temporaryDirectory();
        t.after(() => directory.remove());
        const from = { plans: store.plans, keyring: engine.keyring };
        const plan = await openApprovedPlan(from, waiting, directory.path);
        assert.ok(plan);
        const usernames: string[] = [];
        for await (const record of plan.records()) {
          assert.ok(record.kind === "change");
          usernames.push(record.change.username);
        }
        await plan.close();
        assert.ok(usernames.length > 0);
        assert.deepEqual((await store.gates.list()).filter(({ state }) => state === "waiting").length, 1);
        const approved = await approveRun(engine, log, run);
        assert.equal(approved.plan, plan.header.id);
        assert.equal((await store.runs.get(run))?.state, "reading");
        assert.deepEqual(
          (await store.gates.list()).filter(({ state }) => state === "waiting"),
          [],
        );
      });
    }

    if (keyed) {
      test("opens with its key alone, and has the way back of its runs", async (t) => {
        t.mock.timers.enable({ apis: ["Date"], now: madeAtMs });
        const { engine, store, open } = await setStage(t, kind);
        for (const [run, images] of Object.entries(figures.beforeImages)) {
          const known = await store.runs.get(run);
          assert.ok(known);
          const { profile } = await open(known.pool);
          const times = { timeMs: madeAtMs, begunAt: known.startedAt };
          const back = await openWayBack(store, { keyring: engine.keyring, profile }, run, times);
          assert.ok(back);
          let records = 0;
          for await (const record of back.records()) records += record.line > 0 ? 1 : 0;
          assert.equal(records, images);
        }
      });
    }
  });
}

test("an encrypted namespace of format 1 is not opened without its key", async (t) => {
  const kind = KINDS.find(({ keyed }) => keyed);
  assert.ok(kind);
  const scope = openScope();
  t.after(() => scope.close());
  const { key: _key, ...settings } = await kind.load(scope, "127.0.0.1:1");
  await assert.rejects(
    openEngine(settings).then((engine: Engine) => engine.close()),
    { kind: "wrong-key" },
  );
});
