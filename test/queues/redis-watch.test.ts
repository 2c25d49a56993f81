import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createLog } from "../../src/log.ts";
import { createRedisWatch } from "../../src/queues/redis-watch.ts";

/** A watch whose looks are answered when the test says so, and what it told. */
function watched(t: TestContext) {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const told: string[] = [];
  const looks: { answer: () => void; fail: () => void }[] = [];
  const watch = createRedisWatch("127.0.0.1:6379", createLog("silent"), (sentence) => told.push(sentence));
  const end = watch.begin(() => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    looks.push({ answer: resolve, fail: () => reject(new Error("LOADING")) });
    return promise;
  });
  const pass = async (ms: number): Promise<void> => {
    // A timer that starts another one is passed in steps.
    for (let left = ms; left > 0; left -= 100) t.mock.timers.tick(Math.min(100, left));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { watch, told, looks, end, pass };
}

test("a Redis that answers, be it with an error, is never said to be silent", async (t) => {
  const { watch, told, looks, pass } = watched(t);
  for (let round = 0; round < 10; round += 1) {
    await pass(2_000);
    if (round % 2 === 0) looks.at(-1)?.answer();
    else looks.at(-1)?.fail();
    await pass(1);
  }
  assert.equal(looks.length, 10);
  assert.deepEqual(told, []);
  assert.equal(watch.isConnected(), true);
});

test("a Redis that does not answer is said to be silent once, and to be back once, by one look", async (t) => {
  const { watch, told, looks, pass } = watched(t);
  await pass(60_000);
  assert.equal(looks.length, 1);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /does not answer/);
  assert.equal(watch.isConnected(), false);
  // Its connection is given up meanwhile: that is the same trouble.
  watch.report("lost");
  watch.report("back");
  assert.equal(watch.isConnected(), false);
  looks[0]?.answer();
  await pass(1);
  assert.equal(watch.isConnected(), true);
  assert.equal(told.length, 2);
});

test("a connection that is lost is not said to be silent as well", async (t) => {
  const { watch, told, looks, pass } = watched(t);
  await pass(2_000);
  watch.report("lost");
  await pass(60_000);
  assert.equal(told.length, 1);
  watch.report("back");
  looks[0]?.answer();
  await pass(1);
  assert.equal(told.length, 2);
  assert.equal(watch.isConnected(), true);
});

test("a connection that is back and does not answer is said to be silent", async (t) => {
  const { watch, told, looks, pass } = watched(t);
  await pass(2_000);
  await pass(1_000);
  watch.report("lost");
  await pass(5_000);
  watch.report("back");
  assert.equal(watch.isConnected(), true);
  // The look that the loss left without an answer is the one that is waited for.
  await pass(3_900);
  assert.equal(watch.isConnected(), true);
  await pass(300);
  assert.equal(watch.isConnected(), false);
  assert.equal(looks.length, 1);
  assert.match(told.at(-1) ?? "", /does not answer/);
  looks[0]?.answer();
  await pass(1);
  assert.equal(watch.isConnected(), true);
});

test("a look that is answered on the new connection leaves no deadline behind", async (t) => {
  const { watch, looks, pass } = watched(t);
  await pass(2_000);
  watch.report("lost");
  await pass(1_000);
  watch.report("back");
  looks[0]?.answer();
  await pass(1);
  // A second look, answered late but in time.
  await pass(2_000);
  await pass(3_000);
  looks[1]?.answer();
  await pass(1);
  assert.equal(watch.isConnected(), true);
  assert.equal(looks.length, 2);
});

test("whoever stops watching hears nothing more", async (t) => {
  const { told, looks, end, pass } = watched(t);
  await pass(2_000);
  end();
  await pass(60_000);
  looks[0]?.fail();
  await pass(1);
  assert.equal(looks.length, 1);
  assert.deepEqual(told, []);
});
