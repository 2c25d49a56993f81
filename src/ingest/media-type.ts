import type { Scheme } from "../config/events.ts";

/** Packages, pictures and other things in which no JSON and no form can be. */
const NEVER_READ =
  /^(multipart|image|audio|video|font|model)\/|^[a-z]+\/(.*\+)?(xml|zip|gzip|pdf|x-protobuf|protobuf|avro|cbor|msgpack)$/;

const XML = /^(?:text|application)\/(?:.*\+)?xml$/;

/**
 * Whether there is a way to read a body of this `Content-Type` and `Content-Encoding`. Senders write all kinds of types
 * over JSON, or none, so only what cannot be read is refused. XML is of one scheme, and that has nothing else.
 */
export function canBeRead(type: string | undefined, encoding: string | undefined, scheme: Scheme): boolean {
  if (encoding !== undefined && !/^\s*(identity)?\s*$/i.test(encoding)) return false;
  const essence = (type ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (scheme === "salesforce-outbound") return XML.test(essence);
  return !NEVER_READ.test(essence);
}
