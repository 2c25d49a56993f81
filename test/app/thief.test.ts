/**
 * What a reader, and what a writer, of Redis can do: each row of the table in docs/operations.md, played with
 * POOLSYNC_KEY and without it. Where a row says the same of both, so does its test.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { passFeed } from "../../src/app/feeds/scheduled-feed.ts";
import { openClients } from "../../src/app/opening.ts";
import { readConfig } from "../../src/config/config.ts";
import { defined } from "../../src/core/defined.ts";
import { poolGate, runGate } from "../../src/core/gate.ts";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import type { Letter } from "../../src/core/letter.ts";
import { ordinalOf } from "../../src/core/version.ts";
import { executeReplay } from "../../src/delivery/replay.ts";
import { withScope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { openPlanFile, writePlanFile } from "../../src/plan/plan-file.ts";
import { openApprovedPlan, storePlan } from "../../src/plan/stored-plan.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { bodyOf, clear, type Keyring } from "../../src/store/keyring.ts";
import { sealBody } from "../../src/store/sealed-unit.ts";
import { BORN, FILE_ROWS } from "../suites/thief-files.ts";
import { JOB_ROWS } from "../suites/thief-jobs.ts";
import { KEY_ROWS } from "../suites/thief-keys.ts";
import { setApp } from "../support/app-stage.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { contact, stageOn, text, type Stage } from "../support/delivery-stage.ts";
import { section, table } from "../support/markdown-page.ts";
import { addUsers, awsVariables, POOL } from "../support/pool-stage.ts";
import { testRedis } from "../support/redis.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { guess, ownKeys, planOf, startThief, withBody, type Column, type Play } from "../support/thief.ts";

const UNIT = "nickname";
const NUMBER = "+390612345678";

/** Puts a value whose wake-up is lost: it waits until somebody is woken. */
const leave = (stage: Stage, username: string, value: string, sequence?: number): Promise<string> =>
  stage.put(username, [text(UNIT, value)], { unheard: true, ...(sequence !== undefined && { sequence }) });

async function deliver(stage: Stage, usernames: readonly string[]): Promise<void> {
  const due = usernames.map((username) => ({ user: stage.key(username), priority: 10 }));
  await stage.engine.wakeUps.wake(stage.id, due);
  await stage.deliver();
}

const written = (stage: Stage, username: string): unknown[] => stage.writes(username).map((write) => write[UNIT]);
const kindOf = (stage: Stage, { user, kind }: Letter, names: readonly string[]): string =>
  `${names.find((name) => stage.key(name) === user)} ${kind}`;
async function lettersOf(stage: Stage, names: readonly string[]): Promise<string[]> {
  return (await stage.letters()).map((letter) => kindOf(stage, letter, names)).toSorted();
}

/** The keyring by which the thief opens what waits of a user; none with POOLSYNC_KEY. */
async function keyringOf({ thief, key }: Column, stage: Stage, username: string): Promise<Keyring | undefined> {
  const at = ["username", stage.id, stage.key(username)] as const;
  const { username: sealed } = await thief.mailbox(stage.key(username));
  assert.equal(stage.engine.keyring.open(at, sealed), username);
  const keyrings = await thief.keyrings(await thief.dump());
  const found = keyrings.find((keyring) => keyring.open(at, sealed) === username);
  assert.equal(found === undefined, key !== undefined);
  return found;
}

const TARGET = { pool: "eu-west-1_Example", endpoint: "localhost", region: "eu-west-1", arn: "arn" };
const FACTS = { asOfMs: 5, guards: DEFAULT_GUARDS };

const ROWS: Readonly<Record<string, Play>> = {
  "tries birthdates, phone numbers and usernames on every digest": async (t, { key, open, thief }) => {
    const stage = await open(t, ["ann"]);
    await stage.put("ann", [text("birthdate", BORN), contact("phone_number", NUMBER, "mark")]);
    await stage.deliver();
    await stage.settled();
    const { keyring, store } = stage.engine;
    const link = keyring.linkDigest(stage.id, "phone_number", NUMBER);
    await store.setLink(stage.id, link, keyring.seal(["link", stage.id, link], "{}"));
    const dump = await thief.dump();
    const tried = {
      pool: stage.id,
      usernames: ["amy", "ann", "anna"],
      birthdates: Array.from({ length: 31 }, (_, day) => `1994-07-${String(day + 1).padStart(2, "0")}`),
      numbers: Array.from({ length: 10 }, (_, last) => `${NUMBER.slice(0, -1)}${last}`),
    };
    const all = ["ann", BORN, NUMBER, `${NUMBER} linked`].toSorted();
    assert.deepEqual([...guess(dump, [keyring], tried)].toSorted(), all, "the digests are there");
    const found = guess(dump, await thief.keyrings(dump), tried);
    assert.deepEqual([...found].toSorted(), key ? [] : all);
  },

  ...FILE_ROWS,

  "opens what waits, and what is in letters": async (t, column) => {
    const stage = await column.open(t, []);
    await stage.put("nobody", [text(UNIT, "of nobody")]);
    await stage.deliver();
    await stage.settled();
    await leave(stage, "ann", "of ann");
    const keyring = await keyringOf(column, stage, "ann");
    const [letter] = await stage.letters();
    assert.ok(letter);
    const at = ["body", stage.id, stage.key("nobody"), UNIT] as const;
    assert.match(String(stage.engine.keyring.open(at, letter.body)), /of nobody/);
    if (keyring) assert.match(String(keyring.open(at, letter.body)), /of nobody/);
  },

  "compares the digests of values that were written": async (t, { open, thief }) => {
    const stage = await open(t, ["ann", "bob", "cat"]);
    for (const username of ["ann", "bob"]) await stage.put(username, [text("birthdate", BORN)]);
    await stage.put("cat", [text("birthdate", "1994-07-14")]);
    await stage.deliver();
    await stage.settled();
    const ledgers = await Promise.all(
      ["ann", "bob", "cat"].map((username) => thief.redis.hget(thief.keys.ledger, stage.key(username))),
    );
    const [ann, bob, cat] = ledgers.map((ledger) => /"digest":"([\w-]{22})"/.exec(ledger ?? "")?.[1]);
    assert.ok(ann !== undefined && cat !== undefined);
    assert.ok(ann === bob && ann !== cat);
  },

  "signs a plan, as a file or in the place of one that waits": async (t, { key, open, thief }) => {
    const stage = await open(t, []);
    const directory = await temporaryDirectory();
    t.after(() => directory.remove());
    const { keyring, store } = stage.engine;
    const now = Date.now();
    const run = { id: stage.run, pool: stage.id, feed: "hr", asOf: 5 };
    const target = { ...TARGET, pool: stage.id };
    await storePlan(store.plans, planOf("ann"), { target, keyring }, { ...FACTS, now, run: run.id });
    const taken: unknown[] = [];
    for (const forger of await thief.keyrings(await thief.dump())) {
      const path = join(directory.path, "forged.psplan");
      await writePlanFile(planOf("mallory"), { target, keyring: forger }, { ...FACTS, path, now });
      const file = await openPlanFile(path, { keyring, now, directory: directory.path }).catch(() => undefined);
      if (file) taken.push(...(await Array.fromAsync(file.records())));
      await file?.close();
      await storePlan(store.plans, planOf("mallory"), { target, keyring: forger }, { ...FACTS, now, run: run.id });
      const kept = await openApprovedPlan({ plans: store.plans, keyring }, run, directory.path).catch(() => undefined);
      if (kept) taken.push(...(await Array.fromAsync(kept.records())));
      await kept?.close();
    }
    const usernames = taken.map((record) => /"username":"(\w+)"/.exec(JSON.stringify(record))?.[1]);
    assert.deepEqual(usernames, key ? [] : ["mallory", "mallory"]);
    await store.plans.drop(run.id);
  },

  "puts a value that is sealed for another user, for another attribute or with another time in the place of one":
    async (t, { open, thief }) => {
      const people = ["ann", "bob", "cat", "dan"];
      const stage = await open(t, people);
      const [ann = "", bob = "", , dan = ""] = await Promise.all(
        people.map((name) => leave(stage, name, `of ${name}`)),
      );
      const cat = await stage.put("cat", [text("name", "Cat")], { unheard: true });
      const [ofBob, ofCat, ofDan] = await Promise.all([bob, cat, dan].map((user) => thief.mailbox(user)));
      await leave(stage, "dan", "newer");
      await thief.alterMailbox(ann, (mailbox) => withBody(mailbox, UNIT, ofBob?.pending[UNIT]?.body ?? ""));
      await thief.alterMailbox(cat, (mailbox) => withBody(mailbox, UNIT, ofCat?.pending["name"]?.body ?? ""));
      await thief.alterMailbox(dan, (mailbox) => withBody(mailbox, UNIT, ofDan?.pending[UNIT]?.body ?? ""));
      await deliver(stage, people);
      await stage.settled();
      assert.deepEqual(await lettersOf(stage, people), ["ann altered", "cat altered", "dan altered"]);
      assert.deepEqual(written(stage, "bob"), ["of bob"]);
      assert.deepEqual(stage.writes("cat"), [{ name: "Cat" }]);
      assert.equal(stage.writes().length, 2);
    },

  "puts a value in clear in the place of one": async (t, { open, thief }) => {
    const stage = await open(t, ["ann"]);
    const ann = await leave(stage, "ann", "of ann");
    const body = clear(bodyOf({ kind: "text", text: "forged" }));
    await thief.alterMailbox(ann, (mailbox) => withBody(mailbox, UNIT, body));
    await deliver(stage, ["ann"]);
    await stage.settled();
    assert.deepEqual(await lettersOf(stage, ["ann"]), ["ann altered"]);
    assert.deepEqual(stage.writes(), []);
  },

  "seals a value of one's own in the place of one": async (t, column) => {
    const { key, thief } = column;
    const stage = await column.open(t, ["ann"]);
    const user = await leave(stage, "ann", "of ann");
    const { pending } = await thief.mailbox(user);
    const ordinal = ordinalOf(pending[UNIT]?.version ?? "");
    const found = await keyringOf(column, stage, "ann");
    const forger = found ?? (await thief.keyring(ownKeys()));
    const at = { pool: stage.id, user, unit: UNIT };
    const body = sealBody(forger, at, ordinal, bodyOf({ kind: "text", text: "forged" }));
    await thief.alterMailbox(user, (mailbox) => withBody(mailbox, UNIT, body));
    await deliver(stage, ["ann"]);
    await stage.settled();
    assert.deepEqual(await lettersOf(stage, ["ann"]), key ? ["ann altered"] : []);
    assert.deepEqual(written(stage, "ann"), key ? [] : ["forged"]);
  },

  "puts another user's username, or all that waits of another user, in the place of a user's": async (
    t,
    { open, thief },
  ) => {
    const people = ["ann", "bob", "cat"];
    const stage = await open(t, people);
    const [ann = "", bob = "", cat = ""] = await Promise.all(people.map((name) => leave(stage, name, `of ${name}`)));
    const ofBob = await thief.mailbox(bob);
    await thief.alterMailbox(ann, (mailbox) => ({ ...mailbox, username: ofBob.username }));
    await thief.alterMailbox(cat, () => ofBob);
    await deliver(stage, people);
    await stage.settled();
    assert.deepEqual(await lettersOf(stage, people), ["ann altered", "cat altered"]);
    assert.deepEqual(stage.writes(), [{ [UNIT]: "of bob" }]);
  },

  "puts another user's value, username or letter in the place of a letter's, which is replayed": async (
    t,
    { open, thief },
  ) => {
    const people = ["ann", "bob", "cat", "dan"];
    const stage = await open(t, []);
    for (const name of people) await stage.put(name, [text(UNIT, `of ${name}`)]);
    await stage.deliver();
    await stage.settled();
    const ids = new Map((await stage.letters()).map(({ id, user }) => [user, id]));
    const [ann = "", bob = "", cat = "", dan = ""] = people.map((name) => ids.get(stage.key(name)) ?? "");
    const ofBob = await thief.letter(bob);
    await thief.alterLetter(ann, (letter) => ({ ...letter, body: ofBob.body }));
    await thief.alterLetter(cat, (letter) => ({ ...letter, username: ofBob.username }));
    // Whoever meets it sees that it has another id than its place.
    await thief.alterLetter(dan, () => ofBob);
    for (const username of people) stage.users.addUser({ username });
    await executeReplay(stage.engine, { pool: stage.id, until: Date.now() + 60_000 });
    await until("bob's is written", () => stage.writes().length > 0);
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ [UNIT]: "of bob" }]);
    assert.deepEqual(written(stage, "bob"), ["of bob"]);
    const aside = (await stage.engine.store.damaged.list()).filter(({ place }) => place === dan);
    assert.deepEqual(
      aside.map(({ kind }) => kind),
      ["letter"],
    );
  },

  "puts an earlier copy of what waits of a user back, and takes the ledger's memory of it away": async (
    t,
    { open, thief },
  ) => {
    const stage = await open(t, ["ann"]);
    const ann = await leave(stage, "ann", "older");
    const earlier = await thief.mailbox(ann);
    await deliver(stage, ["ann"]);
    await stage.settled();
    await stage.put("ann", [text(UNIT, "newer")]);
    await until("the newer is written", () => stage.writes().length === 2);
    await stage.settled();
    const wakeUp = [{ user: ann, priority: 10 }];
    const { redis, keys } = thief;
    const document = JSON.stringify(earlier);
    const putBack = () => redis.multi().hset(keys.mailboxes, ann, document).zadd(keys.due(stage.id), 0, ann).exec();
    await putBack();
    await stage.engine.wakeUps.wake(stage.id, wakeUp);
    await until("the older is stale", async () => (await stage.books()).stale === 1);
    assert.deepEqual(written(stage, "ann"), ["older", "newer"]);

    await redis.hdel(keys.ledger, ann);
    await putBack();
    await stage.engine.wakeUps.wake(stage.id, wakeUp);
    await until("the older is written", () => stage.writes().length === 3);
    assert.deepEqual(written(stage, "ann"), ["older", "newer", "older"]);
    await until("both are booked", async () => (await stage.books()).pending === -2);
    assert.equal((await stage.engine.store.mailboxes.recount()).get(stage.run)?.pending ?? 0, 0);
  },

  "puts an earlier value of the same attribute and the very same time back": async (t, { open, thief }) => {
    const stage = await open(t, ["ann"]);
    const ann = await leave(stage, "ann", "first", 7);
    const { pending } = await thief.mailbox(ann);
    await leave(stage, "ann", "second", 7);
    await thief.alterMailbox(ann, (mailbox) => withBody(mailbox, UNIT, pending[UNIT]?.body ?? ""));
    await deliver(stage, ["ann"]);
    await stage.settled();
    assert.deepEqual(written(stage, "ann"), ["first"]);
  },

  "takes a pause or a cancellation away": async (t, { open, thief }) => {
    const stage = await open(t, ["ann"]);
    const { store } = stage.engine;
    await leave(stage, "ann", "cancelled");
    assert.ok(await store.runs.transition(stage.run, ["reading"], "cancelled"));
    await store.gates.pause(poolGate(stage.id), { by: "anna", reason: "a wrong export" });
    for (const gate of [poolGate(stage.id), runGate(stage.run)]) {
      assert.equal(await thief.redis.hdel(thief.keys.gates, gate), 1);
    }
    await deliver(stage, ["ann"]);
    await stage.settled();
    assert.deepEqual(written(stage, "ann"), ["cancelled"]);
  },

  "approves a run that waits": async (t, { key }) => {
    const environment = key ? { POOLSYNC_KEY: key.toString("base64") } : {};
    const app = await setApp(t, { environment });
    addUsers(app.pool, 2);
    const file = await app.file("username,given_name\nu0,Planned\nu1,Planned\n", "hr.csv");
    await app.configure(`
pools: { staff: { id: ${POOL} } }
feeds: { hr: { file: "${file}", pool: staff, username: username, attributes: { given_name: given_name }, guards: { from: 1, least: 1 } } }
`);
    const engine = await app.open();
    const { runs, gates } = engine.store;
    const place = { config: app.at("poolsync.yaml"), dataDir: app.dataDir };
    const config = await readConfig(place, { ...awsVariables(), ...app.environment });
    const [setting, log] = [config.feeds["hr"], createLog("silent")];
    assert.ok(setting);
    const pass = (run?: string): Promise<void> =>
      withScope(async (scope) => {
        const deps = { config, log, engine, clients: await openClients(config, scope) };
        return passFeed(deps, { name: "hr", setting }, defined({ feed: "hr", run }), new AbortController().signal);
      });
    await pass();
    const [run] = await runs.list(1);
    assert.ok(run?.state === "needs-approval");

    const thief = startThief(app.environment["REDIS_URL"] ?? "", app.environment["POOLSYNC_NAMESPACE"] ?? "");
    t.after(() => thief.close());
    const { redis, keys } = thief;
    const document = (await redis.hget(keys.runs, run.id)) ?? "";
    await redis.hset(keys.runs, run.id, document.replace('"needs-approval"', '"reading"'));
    await redis.hdel(keys.gates, runGate(run.id));
    assert.deepEqual(await gates.list(), []);
    const passing = pass(run.id);
    await until("the plan is put", async () => (await runs.books(run.id)).pending === 2);
    await app.deliver();
    await passing;
    const writes = app.emulator.log.writes.map(({ username, attributes }) => `${username} ${attributes["given_name"]}`);
    assert.deepEqual(writes.toSorted(), ["u0 Planned", "u1 Planned"]);
  },

  "deletes what waits, or gives it a later time": async (t, { open, thief }) => {
    const stage = await open(t, ["ann", "bob"]);
    const [ann, bob] = [await leave(stage, "ann", "deleted"), await leave(stage, "bob", "delayed")];
    await thief.redis.hdel(thief.keys.mailboxes, ann);
    await thief.alterMailbox(bob, (mailbox) => {
      const unit = mailbox.pending[UNIT];
      assert.ok(unit);
      return { ...mailbox, pending: { [UNIT]: { ...unit, notBefore: Date.now() + 3_600_000 } } };
    });
    const { mailboxes } = stage.engine.store;
    assert.equal((await mailboxes.claim(ann, "token", 60_000)).is, "idle");
    assert.equal((await mailboxes.claim(bob, "token", 60_000)).is, "later");
    // `status --verify` shows what is missing.
    assert.equal((await stage.books()).pending, 2);
    assert.equal((await mailboxes.recount()).get(stage.run)?.pending, 1);
  },

  ...JOB_ROWS,
  ...KEY_ROWS,
};

let restore: (() => void) | undefined;
before(() => {
  restore = exampleAws();
});
after(() => restore?.());

for (const [column, key] of [
  ["with POOLSYNC_KEY", randomBytes(32)],
  ["without it", undefined],
] as const) {
  describe(`somebody with Redis at hand, ${column}`, () => {
    const { url, namespace } = testRedis();
    const thief = startThief(url, namespace);
    after(() => thief.close());
    const open = stageOn(async () => {
      const engine = await openEngine({ redisUrl: url, namespace, dataDir: "", key });
      return { engine, close: () => engine.close() };
    });
    for (const [row, play] of Object.entries(ROWS)) test(row, (t) => play(t, { key, open, thief }));
  });
}

test("each row of the table of what somebody can do is played, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
  const rows = table(section(page, "What a thief can do"), "who reads or writes Redis, and");
  assert.deepEqual(
    rows.map((row) => row["who reads or writes Redis, and"]),
    Object.keys(ROWS),
  );
});
