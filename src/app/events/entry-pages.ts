/** Entries in pages: as much as is put in one step. */
import type { EventRecord } from "./read-event.ts";
import type { ReadEntry } from "./read-entry.ts";

/** A put holds a Redis up for as long as it has something to do: as much as a page of a file. */
const PAGE_RECORDS = 500;

/** Its records in parts that a page takes: one that is empty where it has none. */
function partsOf({ records }: ReadEntry): readonly (readonly EventRecord[])[] {
  const count = Math.max(1, Math.ceil(records.length / PAGE_RECORDS));
  return Array.from({ length: count }, (_, part) => records.slice(part * PAGE_RECORDS, (part + 1) * PAGE_RECORDS));
}

/** What of an entry comes with a page. */
export interface PagePart {
  readonly entry: ReadEntry;
  readonly records: readonly EventRecord[];
  /** What comes with it last. */
  readonly isLast: boolean;
  /** The records that come with later pages, by their numbers. */
  readonly later: readonly number[];
}

/** Entries in their order, in pages; one of more parts has pages of its own, but for the last. */
export function* pagesOf(entries: readonly ReadEntry[]): Generator<readonly PagePart[]> {
  let page: PagePart[] = [];
  let size = 0;
  for (const entry of entries) {
    const parts = partsOf(entry);
    for (const [index, records] of parts.entries()) {
      const isLast = index === parts.length - 1;
      if (page.length > 0 && size + records.length > PAGE_RECORDS) {
        yield page;
        [page, size] = [[], 0];
      }
      const later = entry.records.slice(index * PAGE_RECORDS + records.length).map(({ line }) => line);
      page.push({ entry, records, isLast, later });
      size += records.length;
      if (isLast) continue;
      yield page;
      [page, size] = [[], 0];
    }
  }
  if (page.length > 0) yield page;
}
