/**
 * An outbound message of Salesforce: SOAP with up to 100 notifications, each of an object as it is when it is sent. What
 * is read of it are the organization, the notifications' ids and the objects' fields. A session id, which some messages
 * have, is passed over where it stands, and so kept and told nowhere.
 */
import { SaxesParser } from "saxes";

export interface OutboundMessage {
  /** The first 15 signs of its id: the others are made of them. */
  readonly organization: string;
  readonly notifications: readonly OutboundNotification[];
}

export interface OutboundNotification {
  readonly id: string;
  /** What the object is, by the API names of its fields; null where one is said to be empty. */
  readonly fields: Readonly<Record<string, string | null>>;
}

const SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
const OUTBOUND = "http://soap.sforce.com/2005/09/outbound";
const OBJECTS: ReadonlySet<string> = new Set([
  "urn:sobject.enterprise.soap.sforce.com",
  "urn:sobject.partner.soap.sforce.com",
]);
const SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance";
const MOST_NOTIFICATIONS = 100;
const ID = /^[A-Za-z0-9]{15,18}$/;
/** Where texts are that are read. Anything else is passed over. */
const WAY = ["Envelope", "Body", "notifications"];
const ORGANIZATION = [...WAY, "OrganizationId"].join(" ");
const NOTIFICATION = [...WAY, "Notification"].join(" ");
const OBJECT = `${NOTIFICATION} sObject`;
/** Of a field of an object. */
const FIELD_DEPTH = WAY.length + 3;
/** No message goes deeper than an address of an object. */
const MOST_DEPTH = 16;

/** Undefined for anything that is no such message, or not whole. Never throws. */
export function readOutboundMessage(body: Uint8Array): OutboundMessage | undefined {
  try {
    return parsed(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // The parser's message quotes the text, which has people's data and perhaps a session.
    return undefined;
  }
}

/** Throws for what is no XML, has a DOCTYPE, or has not the form of such a message. */
function parsed(xml: string): OutboundMessage | undefined {
  const parser = new SaxesParser({ xmlns: true });
  const path: string[] = [];
  const notifications: { id: string; fields: Map<string, string | null> }[] = [];
  let organization = "";
  let text = "";
  parser.on("error", (error) => {
    throw error;
  });
  // Whoever can declare entities can make the text as long as they like.
  parser.on("doctype", () => {
    throw new TypeError("Expected XML without a DOCTYPE");
  });
  parser.on("opentag", ({ local, uri, attributes }) => {
    if (path.length === MOST_DEPTH) throw new TypeError("Expected elements that are not as deep");
    const parent = path.at(-1) ?? "";
    path.push(isKnown(uri, path.length) ? local : `{${uri}}${local}`);
    text = "";
    const at = path.join(" ");
    if (at === NOTIFICATION) {
      if (notifications.length === MOST_NOTIFICATIONS) throw new TypeError("Expected 100 notifications at most");
      notifications.push({ id: "", fields: new Map() });
    } else if (at.startsWith(`${OBJECT} `)) {
      const isNil = Object.values(attributes).some(
        (one) => one.uri === SCHEMA_INSTANCE && one.local === "nil" && /^(?:true|1)$/.test(one.value),
      );
      const fields = notifications.at(-1)?.fields;
      // A field with elements of its own is no text.
      if (path.length > FIELD_DEPTH) fields?.delete(parent);
      else if (path.at(-1) === local) fields?.set(local, isNil ? null : "");
    }
  });
  const onText = (piece: string): void => void (text += piece);
  parser.on("text", onText);
  parser.on("cdata", onText);
  parser.on("closetag", ({ local }) => {
    const at = path.join(" ");
    const notification = notifications.at(-1);
    if (at === ORGANIZATION) organization = text.trim();
    else if (at === `${NOTIFICATION} Id` && notification) notification.id = text.trim();
    else if (at.startsWith(`${OBJECT} `) && path.length === FIELD_DEPTH) {
      const isThere = path.at(-1) === local && typeof notification?.fields.get(local) === "string";
      if (isThere) notification?.fields.set(local, text);
    }
    path.pop();
    text = "";
  });
  parser.write(xml).close();
  const isWhole = ID.test(organization) && notifications.length > 0 && notifications.every(({ id }) => ID.test(id));
  if (!isWhole) return undefined;
  return {
    organization: organization.slice(0, 15),
    notifications: notifications.map(({ id, fields }) => ({ id, fields: Object.fromEntries(fields) })),
  };
}

/** Whether elements of this namespace are looked for at this depth. */
function isKnown(uri: string, depth: number): boolean {
  if (depth < 2) return uri === SOAP;
  return depth < WAY.length + 2 ? uri === OUTBOUND : OBJECTS.has(uri);
}

/** What Salesforce is answered: it sends again whatever is not acknowledged in these words. */
export function acknowledgement(isKept: boolean): string {
  return `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="${OUTBOUND}"><Ack>${isKept}</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>`;
}
