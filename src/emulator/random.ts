/** A repeatable source of numbers in [0, 1). */
export type Random = () => number;

/** Mulberry32: small, fast, and the same row of numbers for the same seed. Not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function hexWord(random: Random): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
}

/** A version 4 UUID made from the given source, so that a seeded emulator hands out the same ids every time. */
export function randomUuid(random: Random): string {
  const hex = hexWord(random) + hexWord(random) + hexWord(random) + hexWord(random);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
