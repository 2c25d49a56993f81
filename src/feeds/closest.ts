import { columnKey } from "../core/text.ts";

/** How many letters must be changed, added or left out to make one word the other. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** One spelling of a name: `Given Name`, `given-name` and `given_name` are the same. */
export function normalName(name: string): string {
  return columnKey(name).replace(/[\s_.-]+/g, "_");
}

/** A swapped pair of letters is two slips; a short word is near to everything. */
function mostSlips(length: number): number {
  return length < 4 ? Math.floor(length / 3) : Math.max(2, Math.floor(length / 3));
}

/** Up to `limit` of the names that the word most likely means, the closest first; none where all are far off. */
export function closest(word: string, names: readonly string[], limit = 3): string[] {
  const wanted = normalName(word).slice(0, 64);
  const measured = names.map((name) => {
    const bare = normalName(name.replace(/^(?:custom|dev):/, ""));
    const distance = Math.min(editDistance(wanted, bare), editDistance(wanted, normalName(name)));
    return { name, bare, distance };
  });
  const misspelt = measured.filter(({ bare, distance }) => distance <= mostSlips(Math.min(bare.length, wanted.length)));
  // `Work Email` means `email` although it is five letters away from it, but that says less than a slip of the pen.
  const within = measured.filter(
    ({ bare }) => Math.min(bare.length, wanted.length) >= 4 && (wanted.includes(bare) || bare.includes(wanted)),
  );
  return (misspelt.length > 0 ? misspelt : within)
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map(({ name }) => name);
}
