/** After this many rows a walk over a scratch lets the event loop run: it is one piece of work without an await. */
export const ROWS_PER_YIELD = 1000;

/** Lets timers, signals and sockets be served before the caller goes on. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
