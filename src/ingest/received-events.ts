/** What a genuine request brings: one event as it came, or each of those that its sender's form has in it. */
import type { EventsSetting, Scheme } from "../config/events.ts";
import { CLOUD_EVENT_TYPE, cloudEventsIn } from "./cloud-event.ts";
import { createIdReader } from "./event-id.ts";
import { readOutboundMessage } from "./outbound-message.ts";
import type { EventRequest, Verification } from "./verifier.ts";

/** A genuine event, to be kept as it is here. */
export interface ReceivedEvent {
  /** The event's own id, or what names it instead, such as bytes as they came; undefined where its body does. */
  readonly id: string | Uint8Array | undefined;
  /** When the sender signed it, in ms by the sender's clock. */
  readonly signedAtMs: number | undefined;
  readonly scheme: Scheme;
  readonly body: Buffer;
  readonly contentType: string | undefined;
}

/** What is genuine, and cannot be kept all the same. */
export type Unkept = "foreign" | "unreadable-message" | "too-long";

type Authentic = Extract<Verification, { kind: "authentic" }>;

export type ReadEvents = (
  request: EventRequest & { readonly body: Buffer },
  contentType: string | undefined,
  verified: Pick<Authentic, "id" | "signedAtMs">,
) => readonly ReceivedEvent[] | Unkept;

/** What such a feed takes for its events. What it gives never throws. */
export function createEventReader(setting: EventsSetting): ReadEvents {
  const { scheme, format, organization } = setting;
  if (scheme === "salesforce-outbound") return ({ body }) => notificationsIn(body, organization);
  const readId = createIdReader(setting);
  return (request, contentType, { id, signedAtMs }) => {
    if (format === "cloudevents") {
      const trustsHeaders = scheme === "bearer" || scheme === "none";
      const events = cloudEventsIn(request, contentType, trustsHeaders);
      if (events === "too-many") return "too-long";
      if (events !== undefined) {
        const of = { signedAtMs, scheme, contentType: CLOUD_EVENT_TYPE };
        // A type that is not signed is in the body as it is kept: what came under another one would be another event.
        const came = trustsHeaders ? undefined : request.body;
        // What is signed names one event, and not each of a batch.
        const other = events.length === 1 ? (readId(request) ?? id ?? came) : undefined;
        return events.map((event) => ({ ...of, ...event, id: event.id ?? other }));
      }
    }
    return [{ id: readId(request) ?? id, signedAtMs, scheme, body: request.body, contentType }];
  };
}

/** One a notification, without anything of the message around it: that may have a session in it. */
function notificationsIn(body: Buffer, organization: string | undefined): readonly ReceivedEvent[] | Unkept {
  const message = readOutboundMessage(body);
  if (message === undefined) return "unreadable-message";
  if (message.organization !== organization) return "foreign";
  return message.notifications.map(({ id, fields }) => {
    const json = JSON.stringify(fields);
    return {
      // The same notification that comes again may say what has changed since.
      id: `${id} ${json}`,
      signedAtMs: undefined,
      scheme: "salesforce-outbound",
      body: Buffer.from(json),
      contentType: "application/json",
    };
  });
}
