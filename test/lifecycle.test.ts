import assert from "node:assert/strict";
import { test } from "node:test";
import { listenForSignals, withOwned } from "../src/lifecycle.ts";

test("what was opened is closed in reverse order", async () => {
  const closed: string[] = [];
  const result = await withOwned(async (own) => {
    own("first", (name) => void closed.push(name));
    own("second", async (name) => void closed.push(name));
    return 7;
  });
  assert.equal(result, 7);
  assert.deepEqual(closed, ["second", "first"]);
});

test("the first error is kept, and everything is closed all the same", async () => {
  const closed: string[] = [];
  const using = withOwned(async (own) => {
    own("first", (name) => void closed.push(name));
    own("second", () => {
      throw new Error("closing failed");
    });
    throw new Error("using failed");
  });
  await assert.rejects(using, { message: "using failed" });
  assert.deepEqual(closed, ["first"]);
  await assert.rejects(
    withOwned(async (own) => own(1, () => Promise.reject(new Error("closing failed")))),
    { message: "closing failed" },
  );
});

test("the first signal drains, the second aborts, and the third has its usual effect", () => {
  const before = process.listenerCount("SIGTERM");
  const signals = listenForSignals();
  const { drain, abort } = signals;
  process.emit("SIGTERM");
  assert.deepEqual([drain.aborted, abort.aborted], [true, false]);
  process.emit("SIGTERM");
  assert.deepEqual([drain.aborted, abort.aborted], [true, true]);
  assert.equal(process.listenerCount("SIGTERM"), before);
  signals.release();
});
