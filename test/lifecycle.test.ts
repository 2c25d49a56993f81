import assert from "node:assert/strict";
import { test } from "node:test";
import { listenForSignals, withScope } from "../src/lifecycle.ts";

test("what was opened is closed in reverse order", async () => {
  const closed: string[] = [];
  const result = await withScope(async (scope) => {
    scope.defer("first", (name) => void closed.push(name));
    scope.defer("second", async (name) => void closed.push(name));
    return 7;
  });
  assert.equal(result, 7);
  assert.deepEqual(closed, ["second", "first"]);
});

test("the first error is kept, and everything is closed all the same", async () => {
  const closed: string[] = [];
  const using = withScope(async (scope) => {
    scope.defer("first", (name) => void closed.push(name));
    scope.defer("second", () => {
      throw new Error("closing failed");
    });
    throw new Error("using failed");
  });
  await assert.rejects(using, { message: "using failed" });
  assert.deepEqual(closed, ["first"]);
  await assert.rejects(
    withScope(async (scope) => scope.defer(1, () => Promise.reject(new Error("closing failed")))),
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
