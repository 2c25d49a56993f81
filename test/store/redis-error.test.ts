import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openQueues } from "../../src/queues/bullmq.ts";
import { codeOf, redisFault } from "../../src/store/redis/redis-error.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

test("a Redis that has too few replicas says so in words that one can act on", { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-refusing-"));
  const processes = openRedisProcesses(directory);
  t.after(async () => {
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  const server = await processes.start("redis", await freePort(), ["maxmemory-policy noeviction"]);
  const store = await openRedisStore({ url: `redis://127.0.0.1:${server.port}`, namespace: "refusing" });
  t.after(() => store.close());
  await server.ask((client) => client.config("SET", "min-replicas-to-write", "1"));
  await assert.rejects(
    store.runs.begin({ id: "run", source: "file", pool: "pool", feed: "feed", identity: "", asOf: 1 }),
    (error) => error instanceof StoreError && error.kind === "no-replicas",
  );
});

test(
  "a Redis that is full says so of what BullMQ asks it, and of what is read in a transaction",
  { skip },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-refusing-"));
    const processes = openRedisProcesses(directory);
    const server = await processes.start("redis", await freePort(), ["maxmemory-policy noeviction"]);
    const url = `redis://127.0.0.1:${server.port}`;
    const store = await openRedisStore({ url, namespace: "refusing" });
    const queues = await openQueues({ kind: "redis", url, namespace: "refusing" });
    t.after(async () => {
      await queues.close();
      await store.close();
      await processes.close();
      await rm(directory, { recursive: true, force: true });
    });
    const queue = queues.queue<{ readonly n: number }>("work");
    await queue.addBulk([{ name: "work", data: { n: 1 } }]);
    await server.ask((client) => client.config("SET", "maxmemory", "1"));
    const full = { name: "StoreError", kind: "full" };
    await assert.rejects(queue.add("work", { n: 2 }), full);
    await assert.rejects(queue.addBulk([{ name: "work", data: { n: 2 } }]), full);
    await assert.rejects(store.mailboxes.read("ann"), full);
    await server.ask((client) => client.config("SET", "maxmemory", "0"));
    await queue.add("work", { n: 3 });
    assert.equal(await queue.count(), 2);
  },
);

test("any other error stays as it is, without the command that has somebody's data", () => {
  const error = Object.assign(new Error("NOSCRIPT"), { command: { args: ["a secret"] } });
  assert.equal(redisFault(error), error);
  assert.equal("command" in error, false);
});

test("a refusal is known by its code, wherever the server's version puts it", () => {
  const script = "ERR Error running script (call to f_6b50b9da58074dfaf65a6b31d689db4608694b08)";
  const codes: readonly (readonly [text: string, code: string | undefined])[] = [
    ["READONLY You can't write against a read only replica.", "READONLY"],
    ["READONLY You can't write against a read only replica. script: 6b50, on @user_script:29.", "READONLY"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "OOM"],
    ["ERR OOM command not allowed when used memory > 'maxmemory'.", "OOM"],
    [`${script}: @user_script:29: @user_script: 29: -NOREPLICAS Not enough good replicas to write.`, "NOREPLICAS"],
    [`${script}: @user_script:9: user_script:9: attempt to index a nil value`, "ERR"],
    ["ERR user_script:9: Expected value but found OOM", "ERR"],
    ["Connection is closed.", undefined],
  ];
  for (const [text, code] of codes) assert.equal(codeOf(new Error(text)), code, text);
});

const SCRIPT =
  "ERR Error running script (call to f_6b50b9da58074dfaf65a6b31d689db4608694b08): @user_script:29: @user_script: 29: -";
for (const [said, kind, step] of [
  ["OOM command not allowed when used memory > 'maxmemory'.", "full", "give it more memory"],
  ["NOREPLICAS Not enough good replicas to write.", "no-replicas", "bring the replicas back"],
  [
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "not-saving",
    "Its log has why",
  ],
  ["LOADING Redis is loading the dataset in memory", "not-ready", "look at its log"],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "not-ready", "look at its log"],
  [
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "not-ready",
    "look at its log",
  ],
  ["UNKILLABLE Sorry the script already executed write commands against the dataset.", "not-ready", "look at its log"],
  ["READONLY You can't write against a read only replica.", "not-ready", "look at its log"],
  [
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "not-ready",
    "look at its log",
  ],
  ["CLUSTERDOWN The cluster is down", "not-ready", "look at its log"],
  ["TRYAGAIN Multiple keys request during rehashing of slot", "not-ready", "look at its log"],
  ["EXECABORT Transaction discarded because of previous errors.", "not-ready", "look at its log"],
  ["NOAUTH Authentication required.", "unreachable", "check the user and password"],
  ["WRONGPASS invalid username-password pair or user is disabled.", "unreachable", "check the user and password"],
  [
    "NOPERM this user has no permissions to access one of the keys used as arguments",
    "unreachable",
    "check the user and password",
  ],
  ["MOVED 3999 127.0.0.1:6381", "misconfigured", "redis+cluster://"],
  ["ASK 3999 127.0.0.1:6381", "misconfigured", "redis+cluster://"],
  ["WRONGTYPE Operation against a key holding the wrong kind of value", "damaged", "POOLSYNC_NAMESPACE"],
] as const) {
  test(`what a server answers is told with the next step: ${said.split(" ")[0]}`, () => {
    for (const text of [said, `${said} script: 6b50, on @user_script:29.`, SCRIPT + said]) {
      const fault = redisFault(Object.assign(new Error(text), { command: { args: ["a secret"] } }));
      assert.ok(fault instanceof StoreError, text);
      assert.equal(fault.kind, kind);
      assert.ok(fault.message.includes(step), fault.message);
      assert.ok(fault.cause instanceof Error && !("command" in fault.cause));
    }
  });
}

test("a transaction that is discarded is told as what its commands were refused with", () => {
  const previous = Object.assign(new Error("OOM command not allowed"), { command: { args: ["a secret"] } });
  const error = Object.assign(new Error("EXECABORT Transaction discarded."), { previousErrors: [previous] });
  const fault = redisFault(error);
  assert.ok(fault instanceof StoreError);
  assert.equal(fault.kind, "full");
  assert.equal("command" in previous, false);
});

test("the format that the fence met stands in the sentence, where it is one", () => {
  for (const [said, shown] of [
    ["2", "format 2,"],
    ["2026.1-beta", "format 2026.1-beta,"],
    ["\u001b[31m", "format unknown,"],
    ["x".repeat(100), "format unknown,"],
    ["", "format unknown,"],
  ] as const) {
    const fault = redisFault(new Error(`FOREIGNFORMAT ${said}`));
    assert.ok(fault instanceof StoreError);
    assert.equal(fault.kind, "foreign-format");
    assert.ok(fault.message.includes(shown), fault.message);
  }
});
