/** Repeatable choices from a seed (mulberry32), for tests that print it. */
export function randomFrom(seed: number) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    /** From 0 up to, not including, 1. */
    next,
    below: (limit: number) => Math.floor(next() * limit),
    chance: (share: number) => next() < share,
    pick<T>(list: readonly [T, ...(readonly T[])]): T {
      return list[Math.floor(next() * list.length)] ?? list[0];
    },
    some: <T>(list: readonly T[], share: number) => list.filter(() => next() < share),
  };
}

export type Random = ReturnType<typeof randomFrom>;
