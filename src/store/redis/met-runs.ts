/** The runs that a process has begun, or has claimed something of: the latest of them, to tell which a store has forgotten. */
export interface MetRuns {
  readonly ids: ReadonlySet<string>;
  add(run: string): void;
}

const MOST = 100;

export function createMetRuns(): MetRuns {
  const ids = new Set<string>();
  return {
    ids,
    add(run) {
      // A set keeps the order in which its members came.
      ids.delete(run);
      ids.add(run);
      const [oldest] = ids;
      if (ids.size > MOST && oldest !== undefined) ids.delete(oldest);
    },
  };
}
