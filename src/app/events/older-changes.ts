/** Changes of events that came before, and are to be drained yet: they wait themselves, or another drainer has them. */
import type { Config } from "../../config/config.ts";
import { flagOf } from "../../core/unit.ts";
import type { Engine } from "../../queues/engine.ts";
import type { PagePart } from "./entry-pages.ts";
import type { ChangeTarget } from "./job-change.ts";
import type { OlderChange, OlderChanges } from "./passing-names.ts";
import { readEntry, settingOf } from "./read-entry.ts";
import { arrivalOf } from "./record-names.ts";

/** As much as is looked at for a page. Where more wait, those that may be about a name are waited for. */
const LOOKED_AT = { limit: 200, maxBytes: 2 * 2 ** 20 };

/** What was counted to this feed, is for this pool, came before this arrival, and is not part of this page. */
export async function olderChanges(
  { engine, config }: { readonly engine: Engine; readonly config: Pick<Config, "feeds" | "pools" | "poolSettings"> },
  { feed, target, page }: { readonly feed: string; readonly target: ChangeTarget; readonly page: readonly PagePart[] },
  before: number,
): Promise<OlderChanges> {
  const { entries, isCut } = await engine.store.inbox.older({ feed, before, ...LOOKED_AT });
  const inPage = new Set(page.flatMap(({ entry: { id }, records }) => records.map(({ line }) => `${line} ${id}`)));
  const changes = entries.flatMap((taken): readonly OlderChange[] => {
    const entry = readEntry(engine, config, taken, 0);
    // What cannot be read changes nothing.
    if (typeof entry === "string" || entry.target.pool !== target.pool) return [];
    const { id, named, records } = entry;
    return records.flatMap((record) => {
      if (record.is === "parked" || inPage.has(`${record.line} ${id}`)) return [];
      return [{ named, change: { ...record.change, arrival: arrivalOf(entry, record) } }];
    });
  });
  const says = target.feed === undefined ? undefined : settingOf(config, target.feed)?.events?.mapping.attributes;
  const mayHaveMore = (attribute: string): boolean =>
    isCut && says?.every(({ name }) => name !== attribute && name !== flagOf(attribute)) !== true;
  return { changes, mayHaveMore };
}
