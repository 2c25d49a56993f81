import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { openEngine } from "../../src/queues/engine.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { fleetGateSuite } from "../suites/delivery-gates.ts";
import { deliverySuite } from "../suites/delivery.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { stageOn, text } from "../support/delivery-stage.ts";
import { testRedis } from "../support/redis.ts";

let restore: (() => void) | undefined;
before(() => {
  restore = exampleAws();
});
after(() => restore?.());

const { url, namespace } = testRedis();
const key = randomBytes(32);

async function engineOnRedis() {
  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "", key });
  return { engine, close: () => engine.close() };
}

deliverySuite("delivery on Redis", engineOnRedis);

describe("a fleet on Redis", () => fleetGateSuite(stageOn(engineOnRedis)));

describe("a damaged mailbox on Redis", () => {
  const open = stageOn(engineOnRedis);

  test("keeps none of the users who share a job with it", async (t) => {
    const page = Array.from({ length: 60 }, (_, nth) => `user${nth}`);
    const stage = await open(t, page);
    await stage.putPage(page, [text("nickname", "nick")]);
    const redis = new Redis(url);
    t.after(() => redis.disconnect());
    const mailboxes = createKeys(namespace).mailboxes;
    const user = stage.key("user1");
    const whole = (await redis.hget(mailboxes, user)) ?? "";
    await redis.hset(mailboxes, user, whole.slice(0, -1));
    await stage.deliver();
    await until("all the others are written", () => stage.calls() === page.length - 1);
    await until("what was in it is booked", async () => {
      await stage.engine.store.damaged.reckon();
      return (await stage.books()).pending === 0;
    });
    assert.equal((await stage.books()).damaged, 1);
    assert.deepEqual(stage.writes("user1"), []);
  });
});
