/**
 * What the store keeps of the content of feeds: the identities of runs, and the notes of what was cancelled and of what
 * was fetched last. Content is named by keys (keyring.ts), in what versions before format 3 have left too.
 */
import { z } from "zod";
import { soundDocument } from "./documents.ts";
import type { KeptText } from "./kept-texts.ts";
import type { Keyring } from "./keyring.ts";
import type { Store } from "./store.ts";

/** The first words of the notes' names. */
export const CANCELLED = "cancelled";
export const FETCHED = "fetched";

/** The content of a feed that somebody has cancelled last, and its run. */
export const cancelledNote = z.object({ content: z.string(), run: z.string() });

/** Before somebody begins a run: one that was cut is found by the name that its content has now. */
export async function nameRunsAnew({ runs }: Pick<Store, "runs">, keyring: Keyring): Promise<void> {
  for (const { id, identity } of await runs.list(Number.MAX_SAFE_INTEGER)) {
    const named = identity === "" ? identity : keyring.contentName(identity);
    if (named !== identity) await runs.rename(id, named);
  }
}

/** The note as it says the same by the keyring; blank where it cannot. Undefined where nothing is to be done. */
export function noteAnew(keyring: Keyring, { name, text }: KeptText): string | undefined {
  const [first = "", ...others] = name.split(" ");
  if (text === "") return undefined;
  if (first === FETCHED) return keyring.open([FETCHED, others.join(" ")], text) === undefined ? "" : undefined;
  if (first !== CANCELLED) return undefined;
  const note = soundDocument(cancelledNote, text);
  const content = note && keyring.contentName(note.content);
  return content === note?.content ? undefined : JSON.stringify({ ...note, content });
}
