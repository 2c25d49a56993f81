/** The records of an event whose sender has a form of its own, as records with columns. Pure. */
import type { EventsSetting } from "../../config/events.ts";
import { hubSpotRecords } from "../../feeds/hubspot-records.ts";
import type { FeedRecord, FieldsRecord } from "../../feeds/record.ts";
import { salesforceChange } from "../../feeds/salesforce-change.ts";
import type { CameEvent } from "../../store/sealed-event.ts";

/** One in its order, with the version that its sender gives it, or why it is none. */
export type SenderRecord =
  | {
      readonly is: "record";
      readonly record: FeedRecord;
      readonly version?: { readonly timeMs: number; readonly sequence: number };
      /** It has what changed alone, and says nothing where that is nothing that is mapped. */
      readonly isPartial?: boolean;
    }
  | { readonly is: "gap" | "no-column" | "unreadable"; readonly line: number; readonly why: string };

/** `found` is what the body has; `records` of the setting is a way that somebody chose through it. */
export function* senderRecords(
  { scheme }: Pick<CameEvent, "scheme">,
  { records, portal }: Pick<EventsSetting, "records" | "portal">,
  found: Iterable<FeedRecord>,
): Generator<SenderRecord, void> {
  if (scheme === "hubspot") return yield* ofHubSpot(found, portal);
  // An event of several records has more of them than it has lines.
  let line = 0;
  for (const record of found) {
    const change = record.kind === "record" && records === undefined ? salesforceChange(record) : undefined;
    if (change === undefined) yield { is: "record", record: { ...record, line: (line += 1) } };
    else if (change.is !== "changes") yield { ...change, line: (line += 1) };
    else {
      const { timeMs, sequence, isPartial } = change;
      for (const one of change.records) {
        yield { is: "record", record: { ...one, line: (line += 1) }, version: { timeMs, sequence }, isPartial };
      }
    }
  }
}

function* ofHubSpot(found: Iterable<FeedRecord>, portal: number | undefined): Generator<SenderRecord, void> {
  const events: FieldsRecord[] = [];
  for (const record of found) {
    if (record.kind === "record") events.push(record);
    else yield { is: "record", record };
  }
  const { records, others } = hubSpotRecords(events, portal);
  for (const record of records) yield { is: "record", record };
  for (const other of others) yield { is: "no-column", ...other };
}
