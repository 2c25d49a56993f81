import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { createCognitoClient } from "../src/cognito/client.ts";
import { FAILURE_KINDS, LETTER_KINDS, MAX_ATTEMPTS } from "../src/core/failure.ts";
import type { Unit } from "../src/core/unit.ts";
import type { Emulator } from "../src/emulator/emulator.ts";
import { openPoolsync } from "../src/index.ts";
import { createLog } from "../src/log.ts";
import { type Engine, openEngine } from "../src/queues/engine.ts";
import { openPool } from "../src/delivery/pool.ts";
import { createProducer } from "../src/delivery/producer.ts";
import { PRIORITY } from "../src/queues/wake-ups.ts";
import { AWS_ENVIRONMENT, exampleAws } from "./support/aws-environment.ts";
import { until } from "./support/condition.ts";
import { contact, text } from "./support/delivery-stage.ts";
import {
  address,
  assertCleanError,
  assertNoNeedle,
  phoneNumber,
  USER,
  username,
  VALUE,
  value,
} from "./support/needles.ts";
import { putMadeDirectory } from "./support/made-directory.ts";
import { HELD, poolOf, quoting, REFUSALS, REFUSED, startQuotingEmulator } from "./support/quoting-emulator.ts";
import { runFile } from "./support/process.ts";
import { dumpRedis } from "./support/redis-dump.ts";
import { testRedis } from "./support/redis.ts";

const unitsOf = (label: string, digit: number): Unit[] => [
  text("given_name", value(label)),
  contact("email", address(label), "ask"),
  contact("phone_number", phoneNumber(digit), "mark"),
];

/** Puts changes of one user for each failure of a pool. */
async function putAll(engine: Engine, emulator: Emulator, pool: string, labels: readonly string[]): Promise<void> {
  const log = createLog("silent");
  const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 1 });
  const opened = await openPool({ engine, cognito, pool, ratePerSecond: 100, listsPerSecond: 25, concurrency: 1, log });
  const run = await engine.store.runs.direct(pool);
  const producer = createProducer({ engine, profile: opened.profile, run: run.id, priority: PRIORITY.direct });
  const changes = labels.map((label, index) => ({ username: username(label), units: unitsOf(label, index) }));
  await producer.put(changes, { invalid: 0, rows: { read: changes.length, faulty: 0 } });
  for (const label of labels)
    if (label.startsWith("InternalError")) await failOften(engine, producer.userKey(username(label)));
  await opened.close();
  cognito.close();
}

/** Puts another value, in clear, in the place of a user's. */
async function alter(url: string, namespace: string, user: string, clear: string): Promise<void> {
  const redis = new Redis(url);
  const mailboxes = `{poolsync:${namespace}}:2:mailboxes`;
  const mailbox = await redis.hget(mailboxes, user);
  assert.ok(mailbox);
  await redis.hset(mailboxes, user, mailbox.replaceAll(/"body":"b:[^"]*"/g, `"body":"p:${clear}"`));
  redis.disconnect();
}

/** The next failure of the user's units is the last one. */
async function failOften({ store: { mailboxes } }: Engine, user: string): Promise<void> {
  for (let at = 1; at < MAX_ATTEMPTS; at += 1) {
    const claim = await mailboxes.claim(user, `token ${at}`, 60_000);
    assert.ok(claim.is === "claimed");
    const again = Object.entries(claim.units).map(([name, { version }]) => {
      return [name, { is: "retry", version, at: 0, counts: "attempt", fateUnknown: false }] as const;
    });
    await mailboxes.settle(user, `token ${at}`, Object.fromEntries(again), 60_000);
  }
}

async function failures(t: TestContext, key: Buffer | undefined): Promise<void> {
  const { url, namespace } = testRedis();
  const emulator = await startQuotingEmulator(t);
  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "", ...(key ? { key } : {}) });
  t.after(() => engine.close());
  const labels = [...REFUSED.map(([error]) => error), "http", "garbled", "reset", "hang", "nobody", "altered"];
  await putAll(engine, emulator, REFUSALS, labels);
  const altered = engine.keyring.userKey(REFUSALS, username("altered"));
  await alter(url, namespace, altered, key ? "sealed" : value("altered"));
  for (const error of HELD) await putAll(engine, emulator, poolOf(error), [error, `second.${error}`]);

  const env = {
    ...AWS_ENVIRONMENT,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    REDIS_URL: url,
    POOLSYNC_NAMESPACE: namespace,
    POOLSYNC_POOLS: [REFUSALS, ...HELD.map(poolOf)].join(","),
    POOLSYNC_LOG_LEVEL: "trace",
    POOLSYNC_REQUEST_TIMEOUT: "1",
    POOLSYNC_RATE: "200",
    ...(key ? { POOLSYNC_KEY: key.toString("base64") } : {}),
  };
  const worker = runFile("workers/deliver.ts", [], env);
  t.after(() => worker.kill("SIGKILL"));
  await until("each kind of dead letter but `gave-up` is there", async () => {
    const { dead } = await engine.store.runs.books();
    return dead > 20;
  });
  const midway = await dumpRedis(url, namespace);
  /** Those that nothing but time and their attempts would end. */
  const endless = ["UnexpectedLambdaException", "InvalidLambdaResponseException", "SomethingNewException"];
  await until("all others are settled", async () => {
    const { pending } = await engine.store.runs.books();
    return pending <= 3 * endless.length;
  });
  await worker.kill("SIGTERM");
  await worker.ended();
  assertNoNeedle(worker.stdout() + worker.stderr(), "a worker's output");

  const letters = [];
  for await (const letter of engine.store.letters.list({})) letters.push(letter);
  // Those of tokens are in a test of their own: without a key to seal them there are none.
  const kinds = LETTER_KINDS.filter((kind) => kind !== "token-expired");
  assert.deepEqual(new Set(letters.map(({ kind }) => kind)), new Set(kinds));
  const logged = [...worker.stderr().matchAll(/"kind":"([\w-]+)"/g)].map(([, kind]) => kind);
  const holds = Object.entries(FAILURE_KINDS).filter(([, { outcome }]) => outcome.startsWith("hold"));
  const said = holds.filter(([kind]) => logged.includes(kind)).length;
  assert.ok(said >= HELD.length - 1, `Expected each hold in the log, got ${logged.join(", ")}`);

  for (const [when, dump] of [
    ["midway", midway],
    ["at the end", await dumpRedis(url, namespace)],
  ] as const) {
    assert.ok(dump.size > 10);
    for (const [name, content] of dump) {
      assertNoNeedle(name, `a key of Redis ${when}`);
      // What was put there in clear is set aside as it is.
      if (!key && /\}:2:(?:mailboxes|letters)$/.test(name)) continue;
      assertNoNeedle(content, `${name} ${when}`);
    }
  }
  if (!key) assert.ok([...midway.values()].join("").includes(VALUE), "the dump shows what is there");

  const [letter] = letters;
  assert.ok(letter);
  const lines = [
    ["dead", "list"],
    ["dead", "list", "--letters"],
    ["dead", "list", "--letters", "--json"],
    ["dead", "show", letter.id],
    ["dead", "show", letter.id, "--json"],
    ["dead", "export", "--pool", REFUSALS],
    ["dead", "replay", "--dry-run", "--all"],
    ["status"],
    ["status", "--json", "--verify"],
    ["runs", "list", "--json"],
  ];
  const shown = runFile("test/support/command-lines.ts", [JSON.stringify(lines)], env);
  assert.equal(await shown.ended(), 0);
  assert.match(shown.stdout(), /alias-exists/);
  assertNoNeedle(shown.stdout() + shown.stderr(), "the command line", "show usernames");
  const nobody = runFile("test/support/command-lines.ts", [JSON.stringify([["status"], ["runs", "list"]])], env);
  assert.equal(await nobody.ended(), 0);
  assertNoNeedle(nobody.stdout() + nobody.stderr(), "status and runs");
}

const KEY = randomBytes(32);

/** What is said of rows and files. The data directory is looked through where values are sealed in it. */
async function feeds(t: TestContext, key: Buffer | undefined): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-privacy-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const emulator = await startQuotingEmulator(t);
  const at = (name: string): string => join(directory, name);
  const good = username("http");
  const row = (label: string): string =>
    `${username(label)},${value(label)},${address(label)},${phoneNumber(1)},1999-01-01`;
  const head = "username,given_name,email,phone_number,birthdate";
  const write = (name: string, content: string | Buffer): Promise<void> => writeFile(at(name), content);
  await write(
    "rows.csv",
    [
      head,
      row("AliasExistsException"),
      row("UserNotFoundException"),
      row("nobody"),
      `${good},${value("long").repeat(300)},${VALUE},${phoneNumber(1)}x,${VALUE}`,
      `${good},${value("too few columns")}`,
      `${good},${value("too many")},a@example.com,${phoneNumber(1)},1999-01-01,${VALUE}`,
      `${USER} ${USER},${value("a blank in the username")},a@example.com,${phoneNumber(1)},1999-01-01`,
      `${good},"\u0007${VALUE}",a@example.com,${phoneNumber(1)},1999-01-01`,
    ].join("\n"),
  );
  await write("headless.csv", [row("a"), row("b")].join("\n"));
  await write("quote.csv", `${head}\n${row("a")}\n"${USER}"${VALUE},"${VALUE}`);
  await write("bytes.csv", Buffer.concat([Buffer.from(`${head}\n${USER},${VALUE}`), Buffer.from([0xff, 0xfe, 0xe9])]));
  await write("unknown.csv", `username,given_nam\n${USER},${VALUE}`);
  await write(
    "broken.ndjson",
    `{"username":"${good}","given_name":"${VALUE}"}\n{"username":"${USER}","given_name":${VALUE}}\n`,
  );
  await write(
    "shape.ndjson",
    `["${USER}","${VALUE}"]\n{"username":{"${USER}":"${VALUE}"},"given_name":["${VALUE}"]}\n`,
  );
  await write("broken.json", `[{"username":"${USER}","given_name":"${VALUE}"},{"username":${VALUE}`);
  await write("cut.csv.gz", Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]));
  await write(
    "poolsync.yaml",
    `pools: { staff: { id: ${REFUSALS} } }\nfeeds: { hr: { pool: staff, file: rows.csv, columns: { given_name: nothere } } }\n`,
  );
  const sync = (...words: string[]): string[] => ["sync", ...words, "--user-pool-id", REFUSALS, "--verified", "mark"];
  const report = (name: string): string[] => ["--report", at(name)];
  const bad = [
    "headless.csv",
    "quote.csv",
    "bytes.csv",
    "unknown.csv",
    "broken.ndjson",
    "shape.ndjson",
    "broken.json",
    "cut.csv.gz",
  ];
  const unreadable = [
    ...bad.flatMap((name) => [
      [...sync(at(name)), ...report(`${name}.txt`)],
      [...sync(at(name)), ...report(`${name}.txt`), "--json"],
    ]),
    ["sync", "--config", at("poolsync.yaml"), "--feed", "hr"],
  ];
  const lines = [
    [...sync(at("rows.csv")), ...report("rows.txt"), "--json"],
    [...sync(at("rows.csv")), ...report("again.txt")],
    ...(key ? [] : unreadable),
    ["dead", "list", "--json"],
  ];
  const { url, namespace } = testRedis();
  if (key) putMadeDirectory(at("data"));
  const env = {
    ...AWS_ENVIRONMENT,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_DATA_DIR: at("data"),
    POOLSYNC_LOG_LEVEL: "trace",
    ...(key ? { POOLSYNC_KEY: key.toString("base64") } : { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace }),
  };
  const command = runFile("test/support/command-lines.ts", [JSON.stringify(lines)], env);
  t.after(() => command.kill("SIGKILL"));
  assert.equal(await command.ended(), 0, command.stderr());
  const codes = [...command.stderr().matchAll(/^exit code (\d+)/gm)].map(([, code]) => Number(code));
  assert.equal(codes.length, lines.length);
  assert.deepEqual([codes[0], codes.at(-1)], [2, 0], command.stdout().slice(0, 3000));
  assertNoNeedle(command.stderr(), "what is logged and told");
  assertNoNeedle(command.stdout(), "what is printed", "show usernames");
  const reports = (await readdir(directory)).filter((name) => name.endsWith(".txt"));
  assert.ok(reports.includes("rows.txt"));
  for (const name of reports) assertNoNeedle(await readFile(at(name), "utf8"), `the report ${name}`);
  if (!key) return;
  for (const entry of await readdir(at("data"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    assertNoNeedle(await readFile(path, "latin1"), path);
  }
}

/**
 * Marked values and usernames go through every kind of failure, and are looked for where they must not be: in what
 * processes print and log, in errors, in jobs and keys, in reports.
 */
describe("nobody's data shows", { concurrency: true }, () => {
  let restore: (() => void) | undefined;
  before(() => {
    restore = exampleAws();
  });
  after(() => restore?.());

  test("in what workers log, in jobs and in keys, whatever Cognito says", (t) => failures(t, undefined));
  test("anywhere in Redis where values are sealed", (t) => failures(t, KEY));
  test("in what is said of files that cannot be read or mapped, and in reports", (t) => feeds(t, undefined));
  test("anywhere in the data directory where values are sealed", (t) => feeds(t, KEY));

  test("in what is said of settings that hold secrets", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-privacy-"));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const env = { ...AWS_ENVIRONMENT, POOLSYNC_DATA_DIR: directory, POOLSYNC_LOG_LEVEL: "trace" };
    const lines = [["status"], ["status", "--json"]];
    for (const secret of [
      { POOLSYNC_KEY: VALUE },
      { POOLSYNC_KEY: Buffer.from(VALUE).toString("base64") },
      { REDIS_URL: `redis://me:${VALUE}@127.0.0.1:1` },
      { REDIS_URL: `http://me:${VALUE}@127.0.0.1:1` },
      { REDIS_URL: `redis://me:${VALUE}@127.0.0.1:notaport` },
    ]) {
      const command = runFile("test/support/command-lines.ts", [JSON.stringify(lines)], { ...env, ...secret });
      await command.ended();
      assert.doesNotMatch(command.stderr(), /exit code 0/);
      assertNoNeedle(command.stdout() + command.stderr(), `what is said of ${Object.keys(secret).join()}`);
    }
  });

  test("in the errors of the library", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-privacy-"));
    const emulator = await startQuotingEmulator(t);
    emulator.pools.add({ id: "eu-west-1_Names", usernameAttributes: ["email"] });
    const options = {
      dataDir: join(directory, "data"),
      endpoint: emulator.url,
      region: "eu-west-1",
      logLevel: "silent",
    };
    putMadeDirectory(options.dataDir);
    const poolsync = await openPoolsync(options);
    t.after(() => poolsync.close());
    t.after(() => rm(directory, { recursive: true, force: true }));
    const name = username("http");
    const changes = [
      { pool: REFUSALS, username: `${USER} ${VALUE}`, attributes: { given_name: VALUE } },
      { pool: REFUSALS, username: USER.repeat(30), attributes: { given_name: VALUE } },
      { pool: REFUSALS, username: name, attributes: { email: VALUE } },
      { pool: REFUSALS, username: name, attributes: { email_verified: VALUE } },
      { pool: REFUSALS, username: name, attributes: { email: address("x"), email_verified: "true" } },
      { pool: REFUSALS, username: name, attributes: { given_name: VALUE }, version: { timeMs: -1, sequence: 0 } },
      { pool: "eu-west-1_Nowhere", username: name, attributes: { given_name: VALUE } },
      { pool: "eu-west-1_Names", username: name, attributes: { given_name: VALUE } },
    ];
    for (const change of changes) {
      await assert.rejects(poolsync.enqueue(change), (error) => {
        assertCleanError(error, `the error of ${change.pool}`);
        return true;
      });
    }
    const { invalid } = await poolsync.enqueue({
      pool: REFUSALS,
      username: name,
      attributes: { birthdate: VALUE, nothing: VALUE, email: VALUE, phone_number: VALUE },
      verified: "mark",
    });
    assert.equal(invalid.length, 4);
    assertNoNeedle(JSON.stringify(invalid), "what is said of invalid attributes");
    emulator.faults.add({ operation: "ListUsers", error: "AccessDeniedException", message: quoting("list") });
    const asked = { pool: "eu-west-1_Names", username: username("other"), attributes: { given_name: VALUE } };
    await assert.rejects(poolsync.enqueue(asked), (error) => {
      assertCleanError(error, "the error of a look-up");
      return true;
    });
  });
});
