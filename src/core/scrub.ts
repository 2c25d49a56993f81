/**
 * Cognito's own words without the values that somebody sent: it echoes them. Longer values go first, so that none is
 * left in part.
 */
export function scrub(message: string, values: readonly string[]): string {
  const longestFirst = [...new Set(values)].filter((value) => value !== "").toSorted((a, b) => b.length - a.length);
  let scrubbed = message.replaceAll(TOKEN, "***");
  for (const value of longestFirst) {
    const form = value.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    // Within a word a short value is chance: `a` is in nearly every message.
    scrubbed = scrubbed.replaceAll(new RegExp(`(?<![\\p{L}\\p{N}])${form}(?![\\p{L}\\p{N}])`, "gu"), "***");
    if (value.length >= LONG) scrubbed = scrubbed.replaceAll(value, "***");
  }
  return scrubbed;
}

const LONG = 6;
/** Whoever's it is. */
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g;
