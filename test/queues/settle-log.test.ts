/** What the log says of settles: units and versions, and no values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { logSettles } from "../../src/delivery/settle-log.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import { openMemoryStore } from "../support/memory-store.ts";

const USER = "ann's key";
const LEASE_MS = 1_000;

/** Ann's name and nickname were put and claimed; what is settled is logged. */
async function claimed() {
  const { store, clock } = openMemoryStore();
  await store.runs.begin({ id: "run", source: "file", pool: "pool", feed: "feed", identity: "", asOf: 0 });
  const units = ["given_name", "nickname"].map((name) => ({ name, digest: "digest", body: "body" }));
  const changes = [{ user: USER, username: "ann", units }];
  const rows = { read: 1, faulty: 0 };
  await store.mailboxes.put({ pool: "pool", run: "run", priority: 1, changes, invalid: 0, rows });
  const claim = await store.mailboxes.claim(USER, "token", LEASE_MS);
  assert.ok(claim.is === "claimed");
  const { given_name: name, nickname } = claim.units;
  assert.ok(name && nickname);
  const lines: string[] = [];
  const log = pino({ level: "debug", base: null, timestamp: false }, { write: (line) => void lines.push(line) });
  return { store, clock, name, nickname, log, lines };
}

const unresolved = (version: string): Settlement => ({
  is: "retry",
  version,
  at: 0,
  counts: "fault",
  fateUnknown: true,
});

test("a claim is told with what it gives, and whose that is", async () => {
  const { store, clock, name, nickname, log, lines } = await claimed();
  clock.advance(LEASE_MS + 1);
  const from = Date.now();
  await logSettles(store.mailboxes, "pool", log).claim(USER, "another", LEASE_MS);
  const line = z.object({ askedAt: z.number(), units: z.unknown(), msg: z.string() }).parse(JSON.parse(lines.join()));
  assert.ok(line.askedAt >= from && line.askedAt <= Date.now());
  const units = {
    given_name: { version: name.version, run: "run" },
    nickname: { version: nickname.version, run: "run" },
  };
  assert.deepEqual([line.units, line.msg], [units, "units claimed"]);
});

test("a settle is told with what became of each unit", async () => {
  const { store, name, nickname, log, lines } = await claimed();
  const { settle } = logSettles(store.mailboxes, "pool", log);
  const applied = { is: "applied", version: name.version } as const;
  await settle(USER, "token", { given_name: applied, nickname: unresolved(nickname.version) }, LEASE_MS);
  const units = { given_name: applied, nickname: { is: "retry", version: nickname.version, fateUnknown: true } };
  const line = { level: 20, pool: "pool", user: USER, units, msg: "units settled" };
  assert.deepEqual(
    lines.map((each) => JSON.parse(each) as unknown),
    [line],
  );
});

test("a late settle is told with the versions that may have been written", async () => {
  const { store, clock, name, nickname, log, lines } = await claimed();
  clock.advance(LEASE_MS + 1);
  await store.mailboxes.claim(USER, "another", LEASE_MS);
  const { settle } = logSettles(store.mailboxes, "pool", log);
  const put = { is: "retry", version: nickname.version, at: 0, counts: "nothing", fateUnknown: false } as const;
  const response = await settle(USER, "token", { given_name: unresolved(name.version), nickname: put }, LEASE_MS);
  assert.equal(response.late, true);
  const written = { given_name: name.version };
  const line = { level: 40, pool: "pool", user: USER, doubted: [], written, msg: "settle came too late" };
  assert.deepEqual(
    lines.map((each) => JSON.parse(each) as unknown),
    [line],
  );
});

test("a settle that the store did not answer is told, and fails", async () => {
  const { store, name, log, lines } = await claimed();
  const broken = { ...store.mailboxes, settle: () => Promise.reject(new Error("the store is gone")) };
  const { settle } = logSettles(broken, "pool", log);
  await assert.rejects(settle(USER, "token", { given_name: { is: "applied", version: name.version } }, LEASE_MS));
  assert.match(lines.join(), /"units":\{"given_name":\{"is":"applied".*"msg":"settle failed"/);
});
