import { randomBytes } from "node:crypto";
import { after, before } from "node:test";
import { openEngine } from "../../src/queues/engine.ts";
import { deliverySuite } from "../suites/delivery.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { testRedis } from "../support/redis.ts";

let restore: (() => void) | undefined;
before(() => {
  restore = exampleAws();
});
after(() => restore?.());

deliverySuite("delivery on Redis", async () => {
  const { url, namespace } = testRedis();
  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "", key: randomBytes(32) });
  return { engine, close: () => engine.close() };
});
