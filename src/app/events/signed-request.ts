/** What a sender adds to a body, so that a feed takes it for genuine: for whoever wants to try one. Pure, but for the hash. */
import { createHash, createHmac } from "node:crypto";
import type { EventsSetting, HmacSetting } from "../../config/events.ts";
import { hubSpotUrl, signedPieces } from "../../config/signed-text.ts";

export interface Signed {
  /** In small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** Belongs to the address, where the scheme has it there. */
  readonly token?: string;
}

/** What goes with a body besides its secret. */
export interface Signing {
  readonly body: Uint8Array;
  /** Epoch ms. */
  readonly nowMs: number;
  /** A fresh id, for schemes that want one. */
  readonly id: string;
}

/** By the feed's own setting. `secret` is the present one; blank for `none`. */
export function signedRequest(setting: EventsSetting, secret: string, { body, nowMs, id }: Signing): Signed {
  const seconds = String(Math.floor(nowMs / 1000));
  const hmac = (key: string | Buffer, encoding: "hex" | "base64", ...texts: readonly (string | Uint8Array)[]): string =>
    texts.reduce((hash, text) => hash.update(text), createHmac("sha256", key)).digest(encoding);
  switch (setting.scheme) {
    case "standard-webhooks": {
      const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
      const signature = `v1,${hmac(key, "base64", `${id}.${seconds}.`, body)}`;
      return { headers: { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signature } };
    }
    case "bamboohr": {
      const signature = hmac(secret, "hex", body, seconds);
      return { headers: { "x-bamboohr-timestamp": seconds, "x-bamboohr-signature": signature } };
    }
    case "hubspot":
      return { headers: hubSpotHeaders(setting, secret, { body, nowMs, id }) };
    case "salesforce-outbound":
      return { headers: {}, token: secret };
    case "hmac":
      if (setting.hmac === undefined) throw new Error("Expected the settings of the scheme hmac, got none");
      return { headers: hmacHeaders(setting.hmac, setting.idHeader, secret, { body, id, nowMs }) };
    case "bearer":
      return { headers: { authorization: `Bearer ${secret}` } };
    case "none":
      return { headers: {} };
  }
}

function hubSpotHeaders(
  { publicUrl = "", signatureVersion = "v3" }: EventsSetting,
  secret: string,
  { body, nowMs }: Signing,
): Signed["headers"] {
  if (signatureVersion === "v3") {
    const hash = createHmac("sha256", secret)
      .update(`POST${hubSpotUrl(publicUrl)}`)
      .update(body)
      .update(String(nowMs));
    return { "x-hubspot-request-timestamp": String(nowMs), "x-hubspot-signature-v3": hash.digest("base64") };
  }
  const before = signatureVersion === "v1" ? secret : `${secret}POST${publicUrl}`;
  const hash = createHash("sha256").update(before).update(body);
  return { "x-hubspot-signature-version": signatureVersion, "x-hubspot-signature": hash.digest("hex") };
}

function hmacHeaders(
  { header, prefix = "", part, algorithm, encoding, signed, timestampHeader, timestampPart }: HmacSetting,
  idHeader: string | undefined,
  secret: string,
  { body, nowMs, id }: Signing,
): Signed["headers"] {
  const timestamp = String(Math.floor(nowMs / 1000));
  const holes = { body, timestamp, id };
  const hash = createHmac(algorithm, secret);
  for (const piece of signedPieces(signed)) hash.update("hole" in piece ? holes[piece.hole] : piece.text);
  const signature = `${prefix}${hash.digest(encoding)}`;
  const time = timestampPart === undefined ? "" : `${timestampPart}=${timestamp},`;
  return {
    [header.toLowerCase()]: part === undefined ? signature : `${time}${part}=${signature}`,
    ...(timestampHeader === undefined ? {} : { [timestampHeader.toLowerCase()]: timestamp }),
    ...(idHeader === undefined ? {} : { [idHeader.toLowerCase()]: id }),
  };
}
