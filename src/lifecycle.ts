/**
 * How a process ends. What was opened is closed in reverse order, whatever happens, and the first error is kept. The
 * first signal drains: no new work is taken, and what is under way is finished. The second aborts.
 */

/** Closes what was opened in it, in reverse order. */
export interface Scope {
  /** Names what was opened, and how it is closed; gives it back. */
  defer<T>(thing: T, close: (thing: T) => Promise<void> | void): T;
}

/** A scope that is closed by hand. */
export interface OpenScope extends Scope {
  /** Closes in reverse order. Every close is tried; rejects with the first error. */
  close(): Promise<void>;
}

export function openScope(): OpenScope {
  const closers: (() => Promise<void> | void)[] = [];
  return {
    defer(thing, close) {
      closers.push(() => close(thing));
      return thing;
    },
    async close() {
      let first: { readonly error: unknown } | undefined;
      for (const close of closers.splice(0).toReversed()) {
        try {
          await close();
        } catch (error) {
          first ??= { error };
        }
      }
      if (first !== undefined) throw first.error;
    },
  };
}

/** Runs `use`, and closes what it deferred. An error of `use` goes before one of closing. */
export async function withScope<R>(use: (scope: Scope) => Promise<R>): Promise<R> {
  const scope = openScope();
  let value: R;
  try {
    value = await use(scope);
  } catch (error) {
    // What went wrong first is what is told.
    await scope.close().catch(() => undefined);
    throw error;
  }
  await scope.close();
  return value;
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

/**
 * Ends the process with exit code 1 where it has not closed `withinMs` after the first signal: closing waits for a
 * Redis that is lost or silent. What the store was not told is then as after a kill, which loses nothing. To be
 * deferred first. `onOverdue` is told just before.
 */
export function endInTime(interrupts: Interrupts, withinMs: number, scope: Scope, onOverdue: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  const onDrain = (): void => {
    timer = setTimeout(() => {
      onOverdue();
      process.exit(1);
    }, withinMs);
  };
  scope.defer(interrupts.drain, (drain) => {
    drain.removeEventListener("abort", onDrain);
    clearTimeout(timer);
  });
  if (interrupts.drain.aborted) onDrain();
  else interrupts.drain.addEventListener("abort", onDrain, { once: true });
}

/** Resolves when a signal aborts, at once where it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Rejects with the reason of the signal once it aborts. A promise that several callers wait for goes on where one of them stops waiting. */
export async function unlessAborted<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const onAbort = (): void => ended.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([awaited, ended.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
