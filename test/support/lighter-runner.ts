/**
 * Loaded into each test process of a whole run. node:test follows every promise by an async hook, only to say in which
 * test an error arose that nobody caught: up to a quarter of the CPU of a test that computes. Here its hook follows what
 * is no promise, such as suites, tests, timers and sockets. An error that nobody caught still fails its file, which says
 * the error and where it was thrown; the file run alone names the test.
 */
import { createHook } from "node:async_hooks";

const untracked = createHook({ trackPromises: false });
const hooks = Object(Reflect.getPrototypeOf(untracked)) as { enable: () => unknown };
// A Node that marks its hooks in another way follows promises, as without this file.
const mark = Object.getOwnPropertySymbols(untracked).find((name) => Reflect.get(untracked, name) === true);
const { enable } = hooks;
hooks.enable = function enableUntracked(this: object) {
  if (mark !== undefined) Reflect.set(this, mark, true);
  return Reflect.apply(enable, this, []);
};

process.on("uncaughtExceptionMonitor", (error) => console.error(error));
process.on("unhandledRejection", (error) => {
  console.error(error);
  // Nobody else listens: it ends the process, as it would without this one.
  if (process.listenerCount("unhandledRejection") === 1) throw error;
});
