/** What `poolsync.yaml` says of senders with a form of their own: HubSpot, Salesforce, and those that send CloudEvents. */
import { z } from "zod";
import { form, type Entries } from "./config-form.ts";
import { defined } from "../core/defined.ts";

export const SIGNATURE_VERSIONS = ["v3", "v2", "v1"] as const;
export const FORMATS = ["cloudevents"] as const;

export interface SenderSetting {
  /** Of `hubspot`: the address that it calls, as it was given to it. It is signed, and a proxy calls another one. */
  readonly publicUrl?: string | undefined;
  /** Of `hubspot`: the signature that is looked at, whatever others come with it. */
  readonly signatureVersion?: (typeof SIGNATURE_VERSIONS)[number] | undefined;
  /** Of `hubspot`: the number of the account whose events are taken; absent where those of all are. */
  readonly portal?: number | undefined;
  /** Of `salesforce-outbound`: the first 15 signs of its id, which say it all. */
  readonly organization?: string | undefined;
  /** What is in a body, where that is no plain JSON. */
  readonly format?: (typeof FORMATS)[number] | undefined;
}

/** Senders whose bodies have columns that we know. */
const VERSION_COLUMNS: Readonly<Record<string, string>> = {
  hubspot: "occurredAt",
  "salesforce-outbound": "SystemModstamp",
};

const URL_FORM = "the address that HubSpot calls, such as https://hooks.example.com/events/crm";
const PORTAL_FORM = "the number of a HubSpot account, such as 62515";
const ORGANIZATION_FORM = "the id of a Salesforce organization: 15 or 18 letters and digits, beginning with 00D";

export const senderForms = {
  publicUrl: z
    .string({ error: form(URL_FORM) })
    .regex(/^https?:\/\/[!-~]+$/, { error: form(URL_FORM) })
    .optional(),
  signatureVersion: z.enum(SIGNATURE_VERSIONS, { error: form(`one of ${SIGNATURE_VERSIONS.join(", ")}`) }).optional(),
  portal: z
    .int({ error: form(PORTAL_FORM) })
    .min(1, { error: form(PORTAL_FORM) })
    .optional(),
  organization: z
    .string({ error: form(ORGANIZATION_FORM) })
    .regex(/^00D[A-Za-z0-9]{12}(?:[A-Z0-5]{3})?$/, { error: form(ORGANIZATION_FORM) })
    .optional(),
  format: z.enum(FORMATS, { error: form(`one of ${FORMATS.join(", ")}`) }).optional(),
};

interface SaidOfSender extends SenderSetting {
  readonly scheme: string;
}

/** Only what is there. */
export function senderOf(said: SaidOfSender): SenderSetting {
  const { scheme, publicUrl, signatureVersion, portal, organization, format } = said;
  return defined({
    publicUrl,
    portal,
    signatureVersion: scheme === "hubspot" ? (signatureVersion ?? "v3") : undefined,
    organization: organization?.slice(0, 15),
    format,
  });
}

/** Where such a sender's own version is; else the column of the feed. */
export function versionColumnOf(scheme: string, feedColumn: string | undefined): string | undefined {
  return scheme === "hubspot" ? VERSION_COLUMNS[scheme] : (feedColumn ?? VERSION_COLUMNS[scheme]);
}

type FaultAt = readonly [key: string, message: string];

/** Which of these keys are for which scheme. */
const HOMES = {
  publicUrl: "hubspot",
  signatureVersion: "hubspot",
  portal: "hubspot",
  organization: "salesforce-outbound",
} as const;

/** What is wrong with keys of senders, in what the file says. */
export function senderFaults(events: Entries): FaultAt[] {
  const { scheme, publicUrl, signatureVersion = "v3", organization, format, id, idHeader, records } = events;
  const faults: FaultAt[] = Object.entries(HOMES).flatMap(([key, home]): FaultAt[] =>
    events[key] === undefined || scheme === home
      ? []
      : [[`events.${key}`, `Expected no \`${key}\` beside \`scheme: ${String(scheme)}\`: it is for \`${home}\``]],
  );
  if (scheme === "hubspot") {
    if (signatureVersion !== "v1" && publicUrl === undefined) {
      faults.push(["events.publicUrl", `Expected ${URL_FORM}, got nothing: it is a part of what HubSpot signs`]);
    }
    if (signatureVersion !== "v3" && events["tolerance"] !== undefined) {
      faults.push([
        "events.tolerance",
        "Expected `signatureVersion: v3` beside `tolerance`: older ones have no time of signing",
      ]);
    }
  }
  if (scheme === "salesforce-outbound") {
    if (organization === undefined) faults.push(["events.organization", `Expected ${ORGANIZATION_FORM}, got nothing`]);
    if (records !== undefined) {
      faults.push([
        "events.records",
        "Expected no `records` beside `scheme: salesforce-outbound`: each object is a record",
      ]);
    }
  }
  if (format === undefined) return faults;
  if (hasOwnForm(scheme)) {
    faults.push(["events.format", `Expected no \`format\` beside \`scheme: ${scheme}\`: it has a form of its own`]);
  } else if (id !== undefined || (idHeader !== undefined && scheme !== "hmac")) {
    const key = id === undefined ? "idHeader" : "id";
    faults.push([
      `events.${key}`,
      `Expected no \`${key}\` beside \`format: cloudevents\`: these have ids of their own`,
    ]);
  }
  return faults;
}

/** Schemes of one sender alone, whose bodies and ids are its own. */
export function hasOwnForm(scheme: unknown): scheme is "bamboohr" | "hubspot" | "salesforce-outbound" {
  return scheme === "bamboohr" || scheme === "hubspot" || scheme === "salesforce-outbound";
}
