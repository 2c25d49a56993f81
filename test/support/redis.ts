import { randomBytes } from "node:crypto";

/** A Redis that tests may use, and a namespace in it that no other test has. */
export interface TestRedis {
  readonly url: string;
  /** To be a part of every key that the test writes: `npm test` removes by it what is left in a Redis of yours. */
  readonly namespace: string;
}

/** The Redis of this run. Each call gives a namespace of its own, so that tests may run beside each other. */
export function testRedis(): TestRedis {
  const url = process.env["POOLSYNC_TEST_REDIS_URL"];
  if (url === undefined || url === "") {
    throw new Error(
      "Expected `POOLSYNC_TEST_REDIS_URL` to name a Redis: run `npm test -- <part of a file's name>`, which provides " +
        "one, or set it, such as `redis://127.0.0.1:6379`.",
    );
  }
  const run = process.env["POOLSYNC_TEST_RUN"] ?? "alone";
  return { url, namespace: `test-${run}-${randomBytes(4).toString("hex")}` };
}
