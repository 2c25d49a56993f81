/** The content of each feed that somebody has cancelled last: its schedule does not put that again by itself. */
import type { Engine } from "../../queues/engine.ts";
import { CANCELLED, cancelledNote } from "../../store/content-names.ts";
import { soundDocument } from "../../store/documents.ts";
import type { Run } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { contentOf } from "./approvals.ts";

const nameOf = ({ pool, feed }: Pick<Run, "pool" | "feed">): string => `${CANCELLED} ${pool} ${feed}`;

export async function noteCancelled(store: Pick<Store, "setValue">, run: Run): Promise<void> {
  if (run.source !== "file" || run.identity === "") return;
  await store.setValue(nameOf(run), JSON.stringify({ content: contentOf(run.identity), run: run.id }));
}

/** A run of the feed whose content is left alone, because it was cancelled; undefined where none is. */
export async function leftAlone(
  engine: Pick<Engine, "store" | "keyring">,
  latest: readonly Run[],
  feed: string,
): Promise<string | undefined> {
  const { store, keyring } = engine;
  for (const { pool } of await store.targets()) {
    const noted = soundDocument(cancelledNote, (await store.getValue(nameOf({ pool, feed }))) ?? "null");
    const identity = noted && keyring.contentName(noted.content);
    const run = identity && (await cancelledBefore(engine, latest, { pool, feed, identity }));
    if (run) return run;
  }
  return undefined;
}

/** The run of this content that was cancelled; undefined where there is none, or a later one was carried out by hand. */
export async function cancelledBefore(
  { store, keyring }: Pick<Engine, "store" | "keyring">,
  latest: readonly Run[],
  { pool, feed, identity }: Pick<Run, "pool" | "feed" | "identity">,
): Promise<string | undefined> {
  const noted = soundDocument(cancelledNote, (await store.getValue(nameOf({ pool, feed }))) ?? "null");
  if (noted === undefined || keyring.contentName(noted.content) !== identity) return undefined;
  const last = latest.find((run) => run.pool === pool && run.feed === feed && contentOf(run.identity) === identity);
  return last === undefined || last.state === "cancelled" ? noted.run : undefined;
}
