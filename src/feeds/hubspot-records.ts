/**
 * What HubSpot sends: a list of events, each with one property of one object. Those of a contact and a moment are one
 * record, with the properties as columns. Pure.
 */
import type { FieldsRecord } from "./record.ts";

/** What is HubSpot's own of an event, and the same for all of a group. Names of properties have no capital letters. */
const COLUMNS = ["objectId", "occurredAt", "portalId", "subscriptionType"];

/** Of a contact, as apps of the older and of the newer platform call it. */
function isOfContact({ fields }: FieldsRecord): boolean {
  const type = fields.get("subscriptionType") ?? "";
  return type.startsWith("contact.") || (type.startsWith("object.") && fields.get("objectTypeId") === "0-1");
}

/**
 * Such records in the order of their first events, each with the number of that one; and the numbers of events that are
 * of nobody: companies and deals may have the id of a contact, and so may a contact of another account than `portal`.
 */
export function hubSpotRecords(
  events: Iterable<FieldsRecord>,
  portal?: number,
): {
  readonly records: readonly FieldsRecord[];
  readonly others: readonly { readonly line: number; readonly why: string }[];
} {
  const groups = new Map<string, { readonly line: number; readonly fields: Map<string, string | null> }>();
  const others: { readonly line: number; readonly why: string }[] = [];
  for (const event of events) {
    const { line, fields } = event;
    const isForeign = portal !== undefined && fields.get("portalId") !== String(portal);
    if (isForeign || !isOfContact(event)) {
      others.push({ line, why: isForeign ? "it is of another portal than the feed's" : "it is of no contact" });
      continue;
    }
    const key = JSON.stringify(["portalId", "objectId", "occurredAt"].map((column) => fields.get(column)));
    const group = groups.get(key) ?? { line, fields: new Map() };
    groups.set(key, group);
    for (const column of COLUMNS) {
      const value = fields.get(column);
      if (value !== undefined) group.fields.set(column, value);
    }
    const name = fields.get("propertyName");
    const value = fields.get("propertyValue");
    // A value that HubSpot keeps to itself is not there, and not blank.
    if (typeof name === "string" && value !== undefined && !COLUMNS.includes(name)) group.fields.set(name, value);
  }
  return { records: [...groups.values()].map((group) => ({ kind: "record", ...group })), others };
}
