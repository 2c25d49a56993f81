/** A CloudEvent in the structured form of JSON, as its entry keeps it: where its records are, and what it says beside them. */
import { z } from "zod";
import { parseInstant } from "../../feeds/date.ts";
import { columnsBefore, type FieldsRecord } from "../../feeds/record.ts";
import type { CameEvent } from "../../store/sealed-event.ts";

export interface OpenedCloudEvent {
  /** What has the records, where `records` finds them. */
  readonly event: Pick<CameEvent, "body" | "contentType">;
  readonly records: string | undefined;
  /** Epoch ms; undefined where it does not say it, or without a zone. */
  readonly occurredMs: number | undefined;
  /** It says its `source` and `id`, by which it was told from others when it came. */
  readonly isNamed: boolean;
  /** Its attributes as columns of each record, as headers have them: `ce-subject`. */
  readonly columns: ReadonlyMap<string, string>;
}

const attributes = z.record(z.string(), z.unknown());

/** `records` are looked for in its data. Undefined where it is no such event. Never throws. */
export function openCloudEvent(
  { body, contentType }: Pick<CameEvent, "body" | "contentType">,
  records: string | undefined,
): OpenedCloudEvent | undefined {
  if (!/^application\/cloudevents\+json\s*(?:;|$)/i.test(contentType)) return undefined;
  const said = attributes.safeParse(parseJson(body));
  if (!said.success) return undefined;
  const { data, data_base64: packed, time, ...others } = said.data;
  const columns = new Map(
    Object.entries({ ...others, time }).flatMap(([name, value]) =>
      typeof value === "string" ? [[`ce-${name}`, value] as const] : [],
    ),
  );
  const isNamed = ["specversion", "source", "id"].every((name) => (columns.get(`ce-${name}`) ?? "") !== "");
  const occurredMs = typeof time === "string" ? parseInstant(time.trim()) : undefined;
  if (data === undefined && typeof packed === "string") {
    const { datacontenttype: type } = others;
    const event = { body: Buffer.from(packed, "base64"), contentType: typeof type === "string" ? type : "" };
    return { event, records, occurredMs, isNamed, columns };
  }
  // Through the whole text, in which numbers are as they are written.
  const within = records === undefined ? "data" : `data | ${records}`;
  return { event: { body, contentType }, records: within, occurredMs, isNamed, columns };
}

/** What the record has itself goes before. */
export function withColumns(record: FieldsRecord, columns: ReadonlyMap<string, string> | undefined): FieldsRecord {
  return columns === undefined ? record : { ...record, fields: columnsBefore(record.fields, columns) };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // It is told with its records. The message of the parser quotes the text.
    return undefined;
  }
}
