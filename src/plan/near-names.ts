/** Names of the pool that rows may have meant that name nobody. It keeps few of them, however large the pool. */
import { nearKey, nearness, NEARNESS } from "../core/near-name.ts";

export interface NearNames {
  /** A row has this name. */
  add(name: string): void;
  /** A user has this name, and no row. */
  note(name: string): void;
  /** What there is to say of a name that nobody has; undefined where nothing is near. */
  hint(name: string): string | undefined;
}

/** Bits, by which most of what no row has anything of is left out; 2 MB. */
const BITS = 2 ** 24;
const MOST_NOTED = 10_000;

export function createNearNames(): NearNames {
  const bits = new Uint8Array(BITS / 8);
  const noted = new Map<string, string>();
  return {
    add(name) {
      const bit = hashOf(nearKey(name));
      bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7));
    },
    note(name) {
      if (noted.size === MOST_NOTED) return;
      const key = nearKey(name);
      const bit = hashOf(key);
      if (((bits[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0) noted.set(key, name);
    },
    hint(name) {
      const other = noted.get(nearKey(name));
      const how = other === undefined ? undefined : nearness(name, other);
      return how && NEARNESS[how];
    },
  };
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01_00_01_93);
  return (hash >>> 0) % BITS;
}
