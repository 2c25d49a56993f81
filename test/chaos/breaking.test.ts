/** Documents are broken in both stores, met by whoever reads, and found again on the shelf. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openEngine, type Engine } from "../../src/queues/engine.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { randomFrom } from "../support/random.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "../store/redis-clock.ts";
import { createBreaking } from "./breaking.ts";
import { judgeBroken } from "./broken.ts";
import { lookAtBroken } from "./broken-left.ts";
import { createModel } from "./model.ts";
import { BROKEN_KINDS, embeddedDocuments, redisDocuments, type RawDocuments } from "./raw-documents.ts";
import { POOL } from "./service.ts";
import { auditBooks } from "./verdict.ts";

const PEOPLE = Array.from({ length: 6 }, (_, index) => `ann${index}`);
const NO_WRITES = { writes: async () => [] };

/** Of everybody something waits, was applied and is a dead letter; a run is put, a feed is paused. */
async function fill({ store, keyring }: Engine): Promise<void> {
  const run = { id: "run", source: "file", pool: POOL, feed: "feed-1.csv", identity: "", asOf: Date.now() } as const;
  await store.runs.begin(run);
  const put = async (user: string, name: string): Promise<void> => {
    const changes = [{ user, username: "n:ann", units: [{ name, digest: "", body: "n:text" }] }];
    const page = { pool: POOL, run: run.id, priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 } };
    assert.ok((await store.mailboxes.put(page)).accepted);
  };
  for (const username of PEOPLE) {
    const user = keyring.userKey(POOL, username);
    await put(user, "given_name");
    await put(user, "family_name");
    const claim = await store.mailboxes.claim(user, user, 60_000);
    assert.ok(claim.is === "claimed");
    const version = (unit: string): string => claim.units[unit]?.version ?? "";
    await store.mailboxes.settle(
      user,
      user,
      {
        given_name: { is: "applied", version: version("given_name") },
        family_name: {
          is: "bury",
          version: version("family_name"),
          letter: `letter-${username}`,
          kind: "gave-up",
          reason: "exhausted",
          fateUnknown: false,
        },
      },
      60_000,
    );
    await put(user, "nickname");
    await store.exceptions.note([{ about: user, unit: "", kind: "invalid", run: run.id, reason: "too-long" }]);
    await store.setLink(POOL, user, "n:ann");
  }
  await store.gates.pause("feed:other", { by: "somebody", reason: "a test" });
}

async function breaksAll(t: TestContext, engine: Engine, documents: RawDocuments): Promise<void> {
  const seed = Number(process.env["POOLSYNC_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  await fill(engine);
  const model = createModel();
  const breaking = createBreaking({ model, random: randomFrom(seed), people: PEOPLE });
  const all = (): ReadonlySet<string> => new Set(breaking.all.map(({ kind }) => kind));
  for (let round = 0; round < 60 && all().size < BROKEN_KINDS.length; round += 1)
    await breaking.some(documents, engine);
  assert.equal(all().size, BROKEN_KINDS.length, "each kind was broken");

  const audit = await auditBooks(engine, NO_WRITES, breaking.all);
  assert.deepEqual(
    audit.wrong.filter((line) => !line.startsWith("applied")),
    [],
  );
  const facts = await lookAtBroken(engine, documents, breaking.all, 0);
  assert.deepEqual(judgeBroken(model, facts).broken, []);
  const after = await auditBooks(engine, NO_WRITES, breaking.all);
  assert.deepEqual(
    after.wrong.filter((line) => !line.startsWith("applied")),
    [],
  );
}

test("in Redis documents of each kind break, and cost themselves", async (t) => {
  const { url, namespace } = testRedis();
  t.after(() => removeKeys({ url, namespace }));
  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "" });
  t.after(() => engine.close());
  const port = Number(new URL(url).port || 6379);
  await breaksAll(
    t,
    engine,
    redisDocuments(namespace, async () => port),
  );
});

test("in the embedded store documents of each kind break, and cost themselves", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-broken-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  putMadeDirectory(dataDir);
  const engine = await openEngine({ namespace: "broken", dataDir });
  t.after(() => engine.close());
  await breaksAll(t, engine, embeddedDocuments(engine.store));
});
