/** A mutex: its holder is alone until it gives the mutex back. First come, first served. */
export type Mutex = () => Promise<() => void>;

export function createMutex(): Mutex {
  let last: Promise<void> = Promise.resolve();
  return async () => {
    const before = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    last = promise;
    await before;
    return resolve;
  };
}
