/** What an event says: its records, mapped. Pure: it asks nobody. */
import { z } from "zod";
import type { EventsSetting, Scheme } from "../../config/events.ts";
import type { Change, InvalidUnit } from "../../core/change.ts";
import { cellOf } from "../../feeds/cell.ts";
import { parseInstant } from "../../feeds/date.ts";
import { jsonRecords } from "../../feeds/json-records.ts";
import { asSpelled } from "../../feeds/column-spelling.ts";
import { createColumnCollector } from "../../feeds/columns.ts";
import { columnsOf, mappedColumns, mapRecord, type Mapping } from "../../feeds/mapping.ts";
import { textRecord, type FeedRecord, type FieldsRecord } from "../../feeds/record.ts";
import { defined } from "../../core/defined.ts";
import type { CameEvent } from "../../store/sealed-event.ts";
import { openCloudEvent, withColumns } from "./cloud-event.ts";
import { senderRecords, type SenderRecord } from "./sender-records.ts";
import { openEnvelopes } from "./envelopes.ts";
import { QUEUE_SCHEME } from "./queue-message.ts";

/**
 * Why something cannot become a change as things are: it cannot be read, or is not what was sealed (`unreadable`); it has
 * nothing of what the feed maps (`no-column`); there is no such feed (`no-feed`); nobody, or several, in the pool are called
 * so; its version lies more than a day ahead; its sender says that something changed, and not what (`gap`).
 */
export type ParkedReason = "unreadable" | "no-column" | "no-feed" | "nobody" | "several" | "ahead" | "gap";

/** What somebody has to see to comes first; `nobody` may mend itself. */
const BY_NEED: readonly ParkedReason[] = ["unreadable", "no-column", "no-feed", "gap", "several", "ahead", "nobody"];

/** The one that is told of several records that are left; undefined where there are none. */
export function toldOf(left: readonly { readonly reason: ParkedReason }[]): ParkedReason | undefined {
  return BY_NEED.find((reason) => left.some((one) => one.reason === reason));
}

/** `line` is the number of the record in its event, from 1. */
export type EventRecord =
  | { readonly is: "change"; readonly line: number; readonly change: Change; readonly invalid: readonly InvalidUnit[] }
  | {
      readonly is: "parked";
      readonly line: number;
      readonly reason: ParkedReason;
      /** In words, without anything of the record: what it has not, or has in another form. */
      readonly why?: string;
    };

const STANDARD: Scheme = "standard-webhooks";
const utf8 = new TextDecoder("utf-8", { fatal: true });
/** Known by its body alone, a value that comes back would pass for a repeat, and be lost without a word. */
const NAMELESS = "it has no `source` and `id` of a CloudEvent, and no `time`, and the feed maps no `version`";

/**
 * What is left of it: of an event of which something was put that is found as it was then, whatever `records` says by now.
 * `timeMs` (epoch ms) is when it was signed, or came: the version of what says none.
 */
export function readEvent(
  event: CameEvent,
  { records, mapping, format, portal }: Pick<EventsSetting, "records" | "mapping" | "format" | "portal">,
  timeMs: number,
): ParkedReason | readonly EventRecord[] {
  const { left } = event;
  const by = left === undefined ? records : left.by || undefined;
  const envelope = format === "cloudevents" ? openCloudEvent(event, by) : undefined;
  const found =
    envelope === undefined ? recordsOf(event, by) : recordsOf({ ...event, ...envelope.event }, envelope.records);
  if (typeof found === "string") return found;
  const lines = left && new Set(left.records);
  const isLeft = (line: number): boolean => lines?.has(line) !== false;
  const read: EventRecord[] = [];
  const occurredMs = envelope?.occurredMs ?? occurredAt(event);
  const isTold = format !== "cloudevents" || event.scheme !== "bearer" || envelope?.isNamed === true;
  const isNameless = !isTold && occurredMs === undefined && mapping.versionColumn === undefined;
  const asOfMs = (mapping.versionColumn === undefined ? occurredMs : undefined) ?? timeMs;
  for (const one of senderRecords(event, { records: by, portal }, found)) {
    if (one.is !== "record") {
      if (isLeft(one.line)) read.push({ ...one, is: "parked", reason: one.is });
      continue;
    }
    const { record } = one;
    if (!isLeft(record.line)) continue;
    if (record.kind === "fault") read.push({ is: "parked", line: record.line, reason: "unreadable" });
    else if (isNameless && one.version === undefined) {
      read.push({ is: "parked", line: record.line, reason: "unreadable", why: NAMELESS });
    } else read.push(...mapped(mapping, withColumns(record, envelope?.columns), asOfMs, one));
  }
  return read;
}

function recordsOf(
  { scheme, body, contentType }: CameEvent,
  records: string | undefined,
): ParkedReason | Iterable<FeedRecord> {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    return "unreadable";
  }
  const { text: json, within } = scheme === QUEUE_SCHEME ? openEnvelopes(text) : { text, within: [] };
  const found = jsonRecords(json, records, within);
  if (found.is === "found") return found.records;
  if (found.is !== "not-json") return "no-column";
  // Senders write all kinds of types over JSON, and nobody writes this one over anything but a form.
  if (!/^\s*application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType)) return "unreadable";
  if (records !== undefined) return "no-column";
  const fields = [...new URLSearchParams(text)];
  const [names, cells] = [fields.map(([name]) => name), fields.map(([, cell]) => cell)];
  return [textRecord(1, names, cells)];
}

const envelope = z.object({ timestamp: z.union([z.string(), z.number()]) });

/**
 * When an event occurred, epoch ms, as Standard Webhooks has it in the body, and a queue's messages in their envelopes: a
 * sender that sends again signs anew, with another time, and says the same here. Undefined where the body does not say it,
 * or without a zone.
 */
function occurredAt({ scheme, body }: CameEvent): number | undefined {
  if (scheme !== STANDARD && scheme !== QUEUE_SCHEME) return undefined;
  try {
    if (scheme === QUEUE_SCHEME) return openEnvelopes(utf8.decode(body)).timeMs;
    const said = envelope.safeParse(JSON.parse(utf8.decode(body)));
    return said.success ? parseInstant(String(said.data.timestamp).trim()) : undefined;
  } catch {
    // A form, which the rules recommend nothing for.
    return undefined;
  }
}

/** Each sender spells its keys as it likes; a key that is spelled as it is mapped is the one that is meant. */
function asRecordSpells(mapping: Mapping, record: FieldsRecord): Mapping {
  if ([...mappedColumns(mapping)].every((column) => cellOf(column, record).kind !== "absent")) return mapping;
  const columns = createColumnCollector();
  columns.add(record);
  return asSpelled(mapping, columns).mapping;
}

/** None where it is part of a record, and has nothing of what is mapped. */
function mapped(
  configured: Mapping,
  record: FieldsRecord,
  asOfMs: number,
  { version, isPartial = false }: Extract<SenderRecord, { is: "record" }>,
): readonly EventRecord[] {
  const { line } = record;
  const given = asRecordSpells(configured, record);
  const isAbsent = (column: string): boolean => cellOf(column, record).kind === "absent";
  const { versionColumn: column, attributes, usernameColumn } = given;
  // An event that says its own version may not have the column of the feed's file.
  const versionColumn = version !== undefined && column !== undefined && isAbsent(column) ? undefined : column;
  const mapping = versionColumn === column ? given : defined({ ...given, versionColumn });
  const isOfNothing = (): boolean => attributes.every((one) => columnsOf(one).every(isAbsent));
  if (isPartial && isOfNothing()) return [];
  // Of equal times arrival decides: that of the event, and then the place within it.
  const { timeMs, sequence } = version ?? { timeMs: asOfMs, sequence: 0 };
  const result = mapRecord(mapping, record, { asOfMs: timeMs, row: sequence });
  if (result.kind === "change") {
    const { change, invalid } = result;
    if (change.units.length === 0 && invalid.length === 0 && isOfNothing()) {
      const columns = attributes.flatMap(columnsOf).map((name) => `\`${name}\``);
      return [{ is: "parked", line, reason: "no-column", why: `it has none of ${columns.join(", ")}` }];
    }
    return [{ is: "change", line, change, invalid }];
  }
  const missed = [usernameColumn, ...(versionColumn === undefined ? [] : [versionColumn])].filter(isAbsent);
  if (missed.length === 0) return [{ is: "parked", line, reason: "unreadable", why: result.detail }];
  const columns = missed.map((name) => `\`${name}\``);
  return [{ is: "parked", line, reason: "no-column", why: `it has no ${columns.join(" and no ")}` }];
}
