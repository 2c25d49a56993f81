/**
 * The pools that this process has met. A script must declare the keys of all due sets that it may touch, and the pool
 * of a user stands in the mailbox only.
 */
export interface KnownPools {
  readonly names: ReadonlySet<string>;
  add(pool: string): void;
}

export function createKnownPools(pools: readonly string[]): KnownPools {
  const names = new Set(pools);
  return { names, add: (pool) => void names.add(pool) };
}
