/**
 * How a process ends. What was opened is closed in reverse order, whatever happens, and the first error is kept. The
 * first signal drains: no new work is taken, and what is under way is finished. The second aborts.
 */

/** Names what was opened, and how it is closed; gives it back. */
export type Own = <T>(thing: T, close: (thing: T) => Promise<void> | void) => T;

/**
 * Runs `use`, and closes what it owned in reverse order. An error of `use` goes before one of closing, and every
 * close is tried.
 */
export async function withOwned<R>(use: (own: Own) => Promise<R>): Promise<R> {
  const closers: (() => Promise<void> | void)[] = [];
  let result: { readonly value: R } | undefined;
  let first: { readonly error: unknown } | undefined;
  try {
    const value = await use((thing, close) => {
      closers.push(() => close(thing));
      return thing;
    });
    result = { value };
  } catch (error) {
    first = { error };
  }
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      first ??= { error };
    }
  }
  if (result === undefined || first !== undefined) throw first?.error;
  return result.value;
}

/** What interrupts a command or a worker. */
export interface Interrupts {
  /** Aborts with the first signal. */
  readonly drain: AbortSignal;
  /** Aborts with the second. */
  readonly abort: AbortSignal;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Listens for the signals that end a process. After the second they have their usual effect again, so that a third
 * ends a process that hangs. `release` stops listening.
 */
export function listenForSignals(): Interrupts & { release(): void } {
  const drain = new AbortController();
  const abort = new AbortController();
  const release = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  };
  function onSignal(): void {
    if (!drain.signal.aborted) {
      drain.abort();
      return;
    }
    release();
    abort.abort();
  }
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { drain: drain.signal, abort: abort.signal, release };
}

/** Resolves when a signal aborts, at once where it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
