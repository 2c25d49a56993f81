import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { redisConnection } from "../../src/store/redis/connection.ts";
import { checkServer, saysNoAof } from "../../src/store/redis/server-check.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { StoreError } from "../../src/store/store-error.ts";

const nodes = (...hosts: readonly string[]) => hosts.map((host, index) => ({ host, port: 7001 + index }));

describe("a Redis URL", () => {
  const forms: Readonly<Record<string, ReturnType<typeof redisConnection>>> = {
    "redis://cache": { kind: "single", options: { host: "cache", port: 6379, db: 0 }, place: "cache:6379" },
    "redis://cache:7001/": { kind: "single", options: { host: "cache", port: 7001, db: 0 }, place: "cache:7001" },
    "redis://[::1]:7001/3": { kind: "single", options: { host: "::1", port: 7001, db: 3 }, place: "[::1]:7001" },
    "rediss://ann:p%40ss%3A@cache": {
      kind: "single",
      options: { host: "cache", port: 6379, db: 0, username: "ann", password: "p@ss:", tls: {} },
      place: "cache:6379",
    },
    "redis://:secret@cache": {
      kind: "single",
      options: { host: "cache", port: 6379, db: 0, password: "secret" },
      place: "cache:6379",
    },
    "redis+sentinel://:secret@a:7001,b:7002/main/2": {
      kind: "single",
      options: { sentinels: nodes("a", "b"), name: "main", db: 2, password: "secret" },
      place: "a:7001, b:7002",
    },
    "redis+cluster://a:7001,b:7002": {
      kind: "cluster",
      nodes: nodes("a", "b"),
      redisOptions: {},
      place: "a:7001, b:7002",
    },
    "rediss+cluster://a:7001": { kind: "cluster", nodes: nodes("a"), redisOptions: { tls: {} }, place: "a:7001" },
  };
  for (const [url, connection] of Object.entries(forms)) {
    test(`like ${url} is read`, () => assert.deepEqual(redisConnection(url), connection));
  }

  const misspelt = [
    "http://:s3cret@cache",
    "redis://:s3cret@",
    "redis://:s3cret@cache:99999",
    "redis://:s3cret@cache/name",
    "redis://:s3cret@cache?db=2",
    "redis://:s3cret%@cache",
    "redis://:s3cret@a,b",
    "redis+sentinel://:s3cret@a:7001",
    "redis+cluster://:s3cret@a:7001/2",
  ];
  for (const url of misspelt) {
    test(`like ${url} is refused without repeating the password`, () => {
      assert.throws(
        () => redisConnection(url),
        (error) => error instanceof StoreError && error.kind === "misconfigured" && !error.message.includes("s3cret"),
      );
    });
  }
});

describe("a Redis server", () => {
  const info = (version: string, policy: string) =>
    `# Server\r\nredis_version:${version}\r\n# Memory\r\nmaxmemory_policy:${policy}\r\n`;
  const kindOf = (text: string) => {
    try {
      checkServer(text, "cache:6379");
      return "fit";
    } catch (error) {
      return error instanceof StoreError ? error.kind : error;
    }
  };

  test("of version 6.2 or newer is fit", () => {
    const versions = ["6.2.0", "7.0.15", "8.0.3", "10.0.0"];
    assert.deepEqual(
      versions.map((version) => kindOf(info(version, "noeviction"))),
      versions.map(() => "fit"),
    );
  });
  test("of an older version is refused", () => {
    for (const version of ["6.0.16", "5.0.7"]) assert.equal(kindOf(info(version, "noeviction")), "too-old");
  });
  test("that evicts is refused, whatever its limit", () => {
    for (const policy of ["allkeys-lru", "volatile-ttl"]) assert.equal(kindOf(info("7.2.0", policy)), "evicting");
  });
  test("that says so keeps no append-only file, and one that says nothing is not suspected", () => {
    const said = ["aof_enabled:0\r\nx:1\r\n", "aof_enabled:1\r\n", "redis_version:7.2.0\r\n", ""];
    assert.deepEqual(said.map(saysNoAof), [true, false, false, false]);
  });
  test("that does not say its policy is fit", () => assert.equal(kindOf("redis_version:7.2.0\r\n"), "fit"));
});

test("a namespace that would break out of its keys is refused", () => {
  for (const namespace of ["", "a}b", "a b", "{a}", "x".repeat(65)]) {
    assert.throws(
      () => createKeys(namespace),
      (error) => error instanceof StoreError && error.kind === "misconfigured",
    );
  }
});
