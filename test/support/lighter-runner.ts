/**
 * Loaded into each test process of a whole run. node:test follows every promise by an async hook, only to say in which
 * test an error arose that nobody caught: a tenth of the CPU of the whole run. Without it such an error still fails its
 * file, which says the error and where it was thrown; the file run alone names the test.
 */
import { createHook } from "node:async_hooks";

const hooks = Reflect.getPrototypeOf(createHook({})) ?? {};
Reflect.defineProperty(hooks, "enable", { value: () => undefined });

process.on("uncaughtExceptionMonitor", (error) => console.error(error));
process.on("unhandledRejection", (error) => {
  console.error(error);
  // Nobody else listens: it ends the process, as it would without this one.
  if (process.listenerCount("unhandledRejection") === 1) throw error;
});
