/** What version b92f1e6 has left in a namespace is there in the format of today: all of it, and nothing else. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { z } from "zod";
import { FORMAT } from "../../src/store/redis/format.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import {
  keyedRedisFigures,
  loadRedisFixture,
  oldMailboxKeys,
  oldScripts,
  readRedisFixture,
  redisFigures,
  type OldScript,
} from "../support/format-1.ts";
import { assertUpgraded, closedGates, sourceOf, withNewNames } from "../support/format-1-upgraded.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

/** What a process of that version finds in the place of each key that has another name now. */
const TEXT = /^"taken over by a newer version of poolsync: stop this process/;
const RENAMED = [
  "mailboxes",
  "ledger",
  "books",
  "runs",
  "run-index",
  "identities",
  "cursors",
  "letters",
  "letter-times",
  "pools",
  "arrivals",
  "holds",
];
const document = z.record(z.string(), z.unknown());
const hash = z.record(z.string(), z.string());
const run = z.looseObject({ id: z.string(), pool: z.string() });

/** A namespace as that version has left it, which is opened once. */
async function upgraded(t: TestContext, keyed: boolean) {
  const at = testRedis();
  const redis = new Redis(at.url);
  t.after(async () => {
    redis.disconnect();
    await removeKeys(at);
  });
  await loadRedisFixture(redis, at.namespace, { keyed });
  const store = await openRedisStore(at);
  t.after(() => store.close());
  const prefix = `{poolsync:${at.namespace}}:`;
  return {
    at,
    redis,
    store,
    prefix,
    /** By the key's name in the namespace. */
    dump: async (): Promise<ReadonlyMap<string, string>> => {
      const all = await dumpRedis(at.url, at.namespace);
      return new Map([...all].map(([key, content]) => [key.slice(prefix.length), content]));
    },
  };
}

for (const keyed of [false, true]) {
  describe(`a namespace of format 1, ${keyed ? "encrypted" : "in clear"}`, () => {
    const figures = keyed ? keyedRedisFigures : redisFigures;
    const { keys } = readRedisFixture({ keyed });

    test("says through every port what it said before", async (t) => {
      const { store } = await upgraded(t, keyed);
      await assertUpgraded(store, figures);
    });

    test("has every key that it had, under its new name, and but for gates no other", async (t) => {
      const { dump } = await upgraded(t, keyed);
      const found = await dump();
      const expected = new Map<string, unknown>();
      const pools = figures.targets.map(({ pool }) => `due:${pool}`);
      const renamed = new Set([...RENAMED, ...pools]);
      for (const { key, type, value } of keys) {
        const name = renamed.has(key) ? `2:${key}` : key;
        if (type !== "hash") expected.set(name, value);
        else if (key === "mailboxes")
          expected.set(
            name,
            mapped(value, (text) => withNewNames(parsed(document, text))),
          );
        else if (key === "runs")
          expected.set(
            name,
            mapped(value, (text) => withSource(parsed(run, text))),
          );
        else expected.set(name, key === "memory" ? { ...value, format: FORMAT, epoch: "1" } : value);
      }
      const gates = Object.fromEntries(closedGates(figures));
      if (Object.keys(gates).length > 0) expected.set("2:gates", gates);

      for (const key of renamed) assert.match(found.get(key) ?? "", TEXT, key);
      // Those that are about to end may end meanwhile.
      const fleeting = new Set(keys.filter(({ ttlMs = Infinity }) => ttlMs < 60_000).map(({ key }) => key));
      const names = (all: Iterable<string>) => [...all].filter((name) => !fleeting.has(name) && !renamed.has(name));
      assert.deepEqual(names(found.keys()).toSorted(), names(expected.keys()).toSorted());
      for (const name of names(expected.keys())) {
        const isParsed = ["2:mailboxes", "2:runs", "2:gates"].includes(name);
        const content: unknown = JSON.parse(found.get(name) ?? "null", withoutIdentity);
        const shown = isParsed ? mapped(hash.parse(content), (text) => parsed(document, text)) : content;
        assert.deepEqual(shown, expected.get(name), name);
      }
    });

    test("fails every script of that version, and stays as it is", async (t) => {
      const { redis, prefix, dump, at } = await upgraded(t, keyed);
      const before = await dump();
      for (const [name, own, args] of oldCalls(at.namespace)) {
        const call = redis.eval(oldScripts[name], own.length, ...own, ...args);
        await assert.rejects(call, /WRONGTYPE/, `${name} ${args.join(" ")}`);
      }
      const after = await dump();
      // A process of that version may take the lease of a sweep, which tells no other process anything.
      const isLease = (key: string): boolean => key.startsWith("sweep:");
      assert.deepEqual([...after.keys()].filter(isLease), ["sweep:eu-west-1_Staff"]);
      assert.deepEqual(
        new Map([...after].filter(([key]) => !isLease(key))),
        new Map([...before].filter(([key]) => !isLease(key) && after.has(key))),
      );
      // What it looks at when it starts: whatever is there stays, and it is of another format.
      assert.equal(await redis.hsetnx(`${prefix}memory`, "format", "1"), 0);
      assert.equal(await redis.hget(createKeys(at.namespace).memory, "format"), FORMAT);
    });
  });
}

/** What a worker, a producer and a sweep of that version send, with what they know of the namespace. */
function oldCalls(namespace: string): (readonly [OldScript, readonly string[], readonly (string | number)[]])[] {
  const [pool, user, direct] = ["eu-west-1_Staff", "0".repeat(32), "direct:eu-west-1_Staff"];
  const mailbox = (token: string): string[] => oldMailboxKeys(namespace, token);
  const withDue = (token: string): string[] => oldMailboxKeys(namespace, token, [pool]);
  const keys = (...names: readonly string[]): string[] => names.map((name) => `{poolsync:${namespace}}:${name}`);
  const [known = ""] = Object.keys(redisFigures.mailboxes);
  const letter = redisFigures.letters[0]?.id ?? "";
  const change = [{ user, username: "p:u40", units: [{ name: "nickname", digest: "d", body: 'p:{"text":"N"}' }] }];
  const put = [...mailbox("a"), ...keys("arrivals", "cursors", "runs", `due:${pool}`)];
  const applied = JSON.stringify([{ name: "nickname", is: "applied", version: "1" }]);
  const buried = { name: "nickname", is: "bury", version: "1", letter: "l", kind: "gave-up", reason: "network" };
  const runKeys = keys("runs", "run-index", "identities");
  return [
    ["put", put, [pool, direct, 1, 0, 1, 0, JSON.stringify(change)]],
    ["put", put, [pool, direct, 10, 0, 1, 0, JSON.stringify(change), "", "1"]],
    ["put", put, [pool, direct, 10, 1, 1, 1, "[]"]],
    ["claim-and-settle", withDue("b"), [0, user, "token", 60_000, ""]],
    ["claim-and-settle", withDue("c"), [0, known, "token", 60_000, "", user, "other", 60_000, ""]],
    ["claim-and-settle", withDue("d"), [0, known, "token", 60_000, applied]],
    ["claim-and-settle", withDue("e"), [1, known, "token", 60_000, JSON.stringify([buried])]],
    ["replay", withDue("f"), [JSON.stringify([letter]), 10]],
    ["discard", mailbox("g"), [JSON.stringify([letter])]],
    ["advance", keys("runs", "identities"), [direct, "cancelled"]],
    ["advance", keys("runs", "identities"), [direct, "finished", "reading"]],
    ["begin-run", runKeys, ["r-new", pool, "feed", "", ""]],
    ["begin-run", runKeys, ["r-new", pool, "feed", "identity", 1]],
    ["sweep", keys(`sweep:${pool}`, `due:${pool}`, "mailboxes"), ["holder", 60_000, 0, 10]],
    ["hold-place", keys("holds"), [pool, "pool", "pool-not-found", 5000]],
  ];
}

function parsed<T>(shape: z.ZodType<T>, text: string): T {
  return shape.parse(JSON.parse(text));
}

function mapped<T>(texts: Readonly<Record<string, string>>, read: (text: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, read(text)]));
}

function withSource(document: z.infer<typeof run>): object {
  return { ...document, source: sourceOf(document) };
}

/** It is random. */
function withoutIdentity(name: string, value: unknown): unknown {
  return name === "identity" ? undefined : value;
}
