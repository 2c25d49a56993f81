/** What was there before runs, from the keys that it was named and sealed by to new ones: see store/new-names.ts. */
import { randomBytes } from "node:crypto";
import type { ListedUser } from "../core/comparison.ts";
import type { KeptText } from "../store/kept-texts.ts";
import type { Anew, KeyChange } from "../store/new-names.ts";
import { beforeImagePlace } from "../store/sealed-unit.ts";
import { stateName, stateOf } from "./unit-state.ts";
import { entryForm } from "./way-back.ts";

/** `pools`: the run is of one of these. */
export function imageAnew({ from, to }: KeyChange, pools: readonly string[], run: string, image: KeptText): Anew {
  const [user, unit] = split(image.name);
  const text = from.open(beforeImagePlace(run, image.name), image.text);
  const { username } = entryOf(text) ?? {};
  const pool = username === undefined ? undefined : pools.find((id) => from.userKey(id, username) === user);
  if (text !== undefined && username !== undefined && pool !== undefined) {
    const name = `${to.userKey(pool, username)} ${unit}`;
    return { name, text: to.seal(beforeImagePlace(run, name), text) };
  }
  if (image.text === "" || to.open(beforeImagePlace(run, image.name), image.text) !== undefined) return "new";
  return { name: `${randomBytes(16).toString("hex")} ${unit}`, text: "" };
}

/** The unit of an image. */
export function unitOf({ name }: Pick<KeptText, "name">): string {
  return split(name)[1];
}

/**
 * What was kept of a user whose value is as the run has left it, so that it can be put back: what the run left is in it by
 * a digest alone, and the value must be seen to make another. Undefined where the value is another by now: then nothing
 * is put back, whatever its digest. `image` was brought to the new keys already.
 */
export function imageOfSeen(
  { from, to }: KeyChange,
  run: string,
  image: KeptText,
  user: ListedUser,
): string | undefined {
  const place = beforeImagePlace(run, image.name);
  const text = to.open(place, image.text);
  const entry = entryOf(text);
  if (entry === undefined) return undefined;
  const state = stateOf(entry.name, user);
  if (entry.after !== stateName(from, entry.name, state)) return undefined;
  return to.seal(place, JSON.stringify({ ...entry, after: stateName(to, entry.name, state) }));
}

function entryOf(text: string | undefined) {
  try {
    return text === undefined ? undefined : entryForm.safeParse(JSON.parse(text)).data;
  } catch {
    // It was kept in clear once, and altered since. The error may quote it.
    return undefined;
  }
}

/** A user and a unit. */
function split(name: string): readonly [string, string] {
  const at = name.indexOf(" ");
  return [name.slice(0, at), name.slice(at + 1)];
}
