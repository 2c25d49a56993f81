/**
 * Change events of Salesforce (Change Data Capture), as Event Relay, AppFlow or anybody else hands them on in JSON: what
 * changed in which records, and never a record as a whole. Pure.
 */
import { columnsBefore, objectRecord, type FeedRecord, type FieldsRecord, type Written } from "./record.ts";
import { z } from "zod";

/** What such an event says. */
export type SalesforceChange =
  | {
      readonly is: "changes";
      /** One a record, with the changed fields as columns and the record's id as `Id`. None where a record is gone. */
      readonly records: readonly FeedRecord[];
      /** Epoch ms, and the order within a transaction. */
      readonly timeMs: number;
      readonly sequence: number;
      /** Of an update, which has the changed fields alone: it may have none of those that somebody wants. */
      readonly isPartial: boolean;
    }
  /** Something changed that the event does not say: whoever wants to know it reads the records. */
  | { readonly is: "gap"; readonly why: string }
  | { readonly is: "unreadable"; readonly why: string };

/** No transaction changes more records, and no object has more fields: what names more is not Salesforce's. */
const MOST_RECORDS = 10_000;
const MOST_FIELDS = 2_000;
/** No field is called longer. A long name above many short ones would be compared with each. */
const LONGEST_PATH = 255;

/** One fault for the list, however many of its entries are none. */
const names = z.custom<readonly string[]>(
  (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
);
/** Those who map fields one by one write numbers as text. */
const count = z.union([
  z.int().min(0),
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number),
]);
const headerForm = z.object({
  entityName: z.string(),
  recordIds: names,
  changeType: z.string(),
  changedFields: names.optional(),
  nulledFields: names.optional(),
  commitTimestamp: count,
  sequenceNumber: count.optional(),
});

/** Where the fields are: at the top, or below what an envelope has around them. */
const PLACES: readonly (readonly string[])[] = [
  [],
  ["payload"],
  ["data"],
  ["data", "payload"],
  ["detail"],
  ["detail", "payload"],
];
const BEGINNINGS = ["ChangeEventHeader", "payload", "data", "detail"];
/** What is told of an event is in our words alone. */
const GAPS: ReadonlySet<string> = new Set(["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW"]);
/** Of a transaction with too many changes: they are not told one by one. */
const NO_RECORD = "000000000000000AAA";

/** Undefined where the record is no change event. */
export function salesforceChange(record: FieldsRecord): SalesforceChange | undefined {
  const { line, fields, nested, written } = record;
  if (nested === undefined || !BEGINNINGS.some((key) => nested.has(key))) return undefined;
  const whole: unknown = { ...Object.fromEntries(fields), ...Object.fromEntries(nested) };
  for (const place of PLACES) {
    const holder = place.reduce(valueOf, whole);
    const header = valueOf(holder, "ChangeEventHeader");
    if (header === undefined || typeof holder !== "object" || holder === null) continue;
    return changeOf(line, header, Object.entries(holder), (path) => written?.([...place, ...path]));
  }
  return undefined;
}

function changeOf(
  line: number,
  given: unknown,
  fields: readonly (readonly [string, unknown])[],
  written: Written,
): SalesforceChange {
  const header = headerForm.safeParse(given);
  if (!header.success) {
    return { is: "unreadable", why: "its `ChangeEventHeader` has not the form of Salesforce's" };
  }
  const { recordIds, changeType, changedFields, nulledFields, commitTimestamp, sequenceNumber = 0 } = header.data;
  if (recordIds.length > MOST_RECORDS || [changedFields, nulledFields].some((list = []) => list.length > MOST_FIELDS)) {
    return { is: "unreadable", why: "it names more records or fields than Salesforce does" };
  }
  if (changeType.startsWith("GAP_")) {
    const kind = GAPS.has(changeType) ? `\`${changeType}\`` : "gap of another kind";
    return { is: "gap", why: `it is a ${kind}, which has no values` };
  }
  if (recordIds.some((id) => id === NO_RECORD || id.includes("*"))) {
    return { is: "gap", why: "it is of records that it does not name" };
  }
  const isUpdate = changeType === "UPDATE";
  if (isUpdate && nulledFields?.some(isBitmap)) {
    return { is: "unreadable", why: "its `nulledFields` are a bitmap: have the sender decode it" };
  }
  const body = fields.filter(([name]) => name !== "ChangeEventHeader");
  const cleared = new Set(nulledFields ?? changedFields);
  const said = isUpdate ? saidOf(body, (path) => isNamed(cleared, path)) : Object.fromEntries(body);
  if (isUpdate) clear(said, new Set(nulledFields));
  // All of them say the same: fields times records would be much more than the event has.
  const same = objectRecord(line, { ...said, Id: "" }, written);
  const records = changeType === "DELETE" ? [] : recordIds;
  return {
    is: "changes",
    records: records.map((id) =>
      same.kind === "fault" ? same : { ...same, fields: columnsBefore(new Map([["Id", id]]), same.fields) },
    ),
    timeMs: commitTimestamp,
    sequence: sequenceNumber,
    isPartial: isUpdate,
  };
}

/** A list of bits instead of names, as Avro has it: `0x1A`, `3-0x04`. */
function isBitmap(name: string): boolean {
  return /^(?:\d+-)?0x[0-9a-f]*$/i.test(name);
}

/** `Name.FirstName` lies within `Name`. */
function isNamed(among: ReadonlySet<string>, path: string): boolean {
  return path.length <= LONGEST_PATH && (among.has(path) || among.has(path.split(".", 1)[0] ?? ""));
}

/** Some write null for each field that did not change: only those count that were cleared. */
function saidOf(
  entries: readonly (readonly [string, unknown])[],
  isCleared: (path: string) => boolean,
  above = "",
): Record<string, unknown> {
  return Object.fromEntries(
    entries.flatMap(([name, value]): [string, unknown][] => {
      const path = `${above}${name}`;
      if (value === null) return isCleared(path) ? [[name, value]] : [];
      // An address or a name is made of fields. Nothing lies deeper.
      if (above !== "" || typeof value !== "object" || Array.isArray(value)) return [[name, value]];
      return [[name, saidOf(Object.entries(value), isCleared, `${path}.`)]];
    }),
  );
}

/** A field that was cleared may be named alone. */
function clear(said: Record<string, unknown>, paths: ReadonlySet<string>): void {
  const parts = new Map<string, [string, null][]>();
  for (const path of paths) {
    const [name = "", part] = path.split(".", 2);
    // It would be something else than a field of this name.
    if (name === "__proto__") continue;
    const known = parts.get(name) ?? [];
    if (part !== undefined) parts.set(name, known).get(name)?.push([part, null]);
    else if (!Object.hasOwn(said, name)) said[name] = null;
  }
  for (const [name, cleared] of parts) {
    const there = Object.hasOwn(said, name) ? said[name] : {};
    if (typeof there === "object" && there !== null) said[name] = { ...Object.fromEntries(cleared), ...there };
  }
}

function valueOf(holder: unknown, key: string): unknown {
  return typeof holder === "object" && holder !== null && Object.hasOwn(holder, key)
    ? Reflect.get(holder, key)
    : undefined;
}
