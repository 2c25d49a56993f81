/**
 * What `poolsync.yaml` says of a feed's events: how a request is told from a forged one, and how its records become
 * changes where that is not as in the feed's file.
 */
import { z } from "zod";
import { entriesOf, form, map, text, type Entries } from "./config-form.ts";
import { expressionFault } from "./expression.ts";
import { attributesForm, attributesOf, matchForm, usernameForm, usernameOf, versionForm } from "./mapping-form.ts";
import { span, variableForm } from "./schedule.ts";
import {
  hasOwnForm,
  senderFaults,
  senderForms,
  senderOf,
  versionColumnOf,
  type SenderSetting,
} from "./sender-setting.ts";
import { signedFault } from "./signed-text.ts";
import { queueFaults, sqsForms, type SqsSetting } from "./sqs.ts";
import { defined } from "../core/defined.ts";
import { LEAST_BETWEEN_SCANS_MS } from "../core/account-scan.ts";
import { indexedMatch } from "../core/identifier.ts";
import { SPAN_FORM } from "../core/span.ts";
import type { Mapping } from "../feeds/mapping.ts";

export const SCHEMES = [
  "standard-webhooks",
  "bamboohr",
  "hubspot",
  "salesforce-outbound",
  "hmac",
  "bearer",
  "none",
] as const;
export type Scheme = (typeof SCHEMES)[number];
export const ALGORITHMS = ["sha256", "sha512", "sha1"] as const;
export const ENCODINGS = ["hex", "base64", "base64url"] as const;

/** How a sender signs that has no scheme of its own here. */
export interface HmacSetting {
  /** The header with the signature; its value is `prefix` and the signature, or `part=signature` among others. */
  readonly header: string;
  readonly prefix?: string | undefined;
  readonly part?: string | undefined;
  readonly algorithm: (typeof ALGORITHMS)[number];
  readonly encoding: (typeof ENCODINGS)[number];
  /** What is signed: a text with `{body}`, and `{timestamp}` and `{id}` where there are such. */
  readonly signed: string;
  /** Where the time of signing is: a header, or a part of the signature's. */
  readonly timestampHeader?: string | undefined;
  readonly timestampPart?: string | undefined;
}

export interface EventsSetting extends SenderSetting {
  readonly scheme: Scheme;
  /** Variables of the environment that hold the secret, the present one first; none for `none`. */
  readonly secret: readonly string[];
  /** For `hmac` only. */
  readonly hmac?: HmacSetting | undefined;
  /** How far the time of signing may be from the store's, to either side. */
  readonly toleranceMs: number;
  /** A longer body is refused. */
  readonly maxBytes: number;
  /** Where the event's own id is: a JMESPath expression for its body, or a header. */
  readonly id?: string | undefined;
  readonly idHeader?: string | undefined;
  /** A JMESPath expression for the records in a body. */
  readonly records?: string | undefined;
  /**
   * How old the last scan of the pool may grow that says whom a `match` means; absent where nobody scans it for that alone,
   * unless somebody is looked for.
   */
  readonly rescanMs?: number | undefined;
  /** The feed's, with what `events` says for itself in its place. */
  readonly mapping: Mapping;
}

/** What a queue has nothing of. */
const OF_WEBHOOKS = {
  scheme: undefined,
  secret: undefined,
  hmac: undefined,
  toleranceMs: undefined,
  idHeader: undefined,
  format: undefined,
  portal: undefined,
  organization: undefined,
  publicUrl: undefined,
  signatureVersion: undefined,
};
/** Events that are polled from a queue. */
export type QueueSetting = Omit<EventsSetting, keyof typeof OF_WEBHOOKS> & {
  readonly [Key in keyof typeof OF_WEBHOOKS]?: undefined;
} & { readonly sqs: SqsSetting };

const DEFAULT_TOLERANCE_MS = 5 * 60_000;
const LONGEST_TOLERANCE_MS = 86_400_000;
const MAX_MEGABYTES = 64;
const DEFAULT_RESCAN_MS = 3_600_000;
const LONGEST_RESCAN_MS = 30 * 86_400_000;
const LEAST_SNAPSHOT_AGE_MS = 1000;
const LONGEST_SNAPSHOT_AGE_MS = 30 * 86_400_000;

const schemeForm = z.enum(SCHEMES, { error: form(`one of ${SCHEMES.join(", ")}`) });
const HEADER_FORM = "the name of a header such as X-Signature";
const header = z.string({ error: form(HEADER_FORM) }).regex(/^[A-Za-z0-9-]{1,64}$/, { error: form(HEADER_FORM) });
const PART_FORM = "the key of a part such as v1";
const part = z.string({ error: form(PART_FORM) }).regex(/^[A-Za-z0-9_-]{1,32}$/, { error: form(PART_FORM) });
const SECRET_FORM =
  "the name of a variable of the environment, or a list of two: the present secret's, and the other's";
// What was given is in no message: it may be the secret.
const noSecret = { error: `Expected ${SECRET_FORM}, and not the secret itself` };
const secretForm = z.union(
  [variableForm.transform((name) => [name]), z.array(variableForm).min(1, noSecret).max(2, noSecret)],
  noSecret,
);
const megabytes = `a whole number of megabytes from 1 to ${MAX_MEGABYTES}`;

export const eventsForm = map("a map with `scheme` and `secret`, or with `sqs`", {
  ...sqsForms,
  scheme: schemeForm.optional(),
  secret: secretForm.optional(),
  tolerance: span(`${SPAN_FORM}, of a day at most`, (ms) => ms <= LONGEST_TOLERANCE_MS).optional(),
  maxMegabytes: z
    .int({ error: form(megabytes) })
    .min(1, { error: form(megabytes) })
    .max(MAX_MEGABYTES, { error: form(megabytes) })
    .optional(),
  id: text("a JMESPath expression such as data.id").optional(),
  idHeader: header.optional(),
  header: header.optional(),
  part: part.optional(),
  prefix: text("a text such as sha256=").optional(),
  algorithm: z.enum(ALGORITHMS, { error: form(`one of ${ALGORITHMS.join(", ")}`) }).optional(),
  encoding: z.enum(ENCODINGS, { error: form(`one of ${ENCODINGS.join(", ")}`) }).optional(),
  signed: text("a text such as {timestamp}.{body}").optional(),
  timestampHeader: header.optional(),
  timestampPart: part.optional(),
  ...senderForms,
  records: text("a JMESPath expression such as employees[*]").optional(),
  username: usernameForm.optional(),
  match: matchForm.optional(),
  rescan: span(
    `${SPAN_FORM}, from 10m to 30d`,
    (ms) => ms >= LEAST_BETWEEN_SCANS_MS && ms <= LONGEST_RESCAN_MS,
  ).optional(),
  attributes: attributesForm.optional(),
  version: versionForm.optional(),
});

export const snapshotAgeForm = span(
  `${SPAN_FORM}, of 30 days at most`,
  (ms) => ms >= LEAST_SNAPSHOT_AGE_MS && ms <= LONGEST_SNAPSHOT_AGE_MS,
);

/** The setting that the form says, without {@link eventsFaults}. `hasFile`: somebody scans the pool for the feed's file. */
export function eventsOf(
  said: z.output<typeof eventsForm>,
  feed: Mapping,
  facts: { readonly hasFile: boolean },
): EventsSetting | QueueSetting {
  const { sqs: url, region, profile, endpoint } = said;
  const setting = webhookOf(said, feed, facts);
  return url === undefined ? setting : { ...setting, ...OF_WEBHOOKS, sqs: { url, region, profile, endpoint } };
}

function webhookOf(
  said: z.output<typeof eventsForm>,
  feed: Mapping,
  { hasFile }: { readonly hasFile: boolean },
): EventsSetting {
  const { scheme = "none", secret, tolerance, maxMegabytes, id, idHeader, records } = said;
  const { username, match, attributes, version } = said;
  const who = username === undefined ? undefined : usernameOf(username);
  // A column that says what it holds is not looked for in the attribute that the file's column holds.
  const matched = match ?? (who?.identifier === undefined ? feed.match : undefined);
  const isScanned = indexedMatch({ match: matched }) !== undefined && !hasFile;
  return {
    scheme,
    secret: secret ?? [],
    hmac: scheme === "hmac" ? hmacOf(said) : undefined,
    toleranceMs: tolerance ?? DEFAULT_TOLERANCE_MS,
    maxBytes: (maxMegabytes ?? 1) * 2 ** 20,
    id,
    idHeader,
    records,
    rescanMs: said.rescan ?? (isScanned ? DEFAULT_RESCAN_MS : undefined),
    ...senderOf({ ...said, scheme }),
    mapping: defined({
      ...feed,
      usernameColumn: who?.usernameColumn ?? feed.usernameColumn,
      identifier: who === undefined ? feed.identifier : who.identifier,
      match: matched,
      attributes: attributes === undefined ? feed.attributes : attributesOf(attributes),
      versionColumn: version ?? versionColumnOf(scheme, feed.versionColumn),
      // An event says more than a feed wants to know: its own kind, and who sent it.
      ignored: [],
      unknown: "ignore" as const,
    }),
  };
}

function hmacOf(said: z.output<typeof eventsForm>): HmacSetting {
  const { header: named = "", part, prefix, algorithm, encoding, signed, timestampHeader, timestampPart } = said;
  return {
    header: named,
    part,
    prefix,
    algorithm: algorithm ?? "sha256",
    encoding: encoding ?? "hex",
    signed: signed ?? "{body}",
    timestampHeader,
    timestampPart,
  };
}

interface Fault {
  readonly path: readonly string[];
  readonly message: string;
}

/** What is wrong with feeds that have events, beside the form of each key: looked for in what the file says. */
export function eventsFaults(content: unknown): readonly Fault[] {
  return Object.entries(entriesOf(entriesOf(content)["feeds"])).flatMap(([name, entry]) => {
    const feed = entriesOf(entry);
    if (feed["events"] === undefined) return [];
    const events = entriesOf(feed["events"]);
    const faults = [...feedFaults(name, feed), ...secretFaults(events), ...idFaults(events, feed["version"])];
    faults.push(...rescanFaults(events, feed["match"]));
    faults.push(...queueFaults(events, SCHEMES));
    if (events["scheme"] === "hmac") faults.push(...hmacFaults(events));
    else if (isScheme(events["scheme"])) faults.push(...strayFaults(events, events["scheme"]));
    if (events["sqs"] === undefined) faults.push(...senderFaults(events));
    return faults.map(([key, message]) => ({ path: ["feeds", name, ...key.split(".")], message }));
  });
}

/** A key below the feed, and what is wrong there. */
type FaultAt = readonly [key: string, message: string];

const PATH_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

function feedFaults(name: string, feed: Entries): FaultAt[] {
  const faults: FaultAt[] = [];
  if (!PATH_NAME.test(name)) {
    const expected = "letters, digits, `_`, `.` and `-`, 64 at most, beginning with a letter or digit";
    faults.push([
      "events",
      `Expected the name of a feed with \`events\` to be ${expected}: it is a part of the address`,
    ]);
  }
  if (feed["pool"] === undefined) {
    faults.push(["pool", "Expected the feed's pool: it has `events`, and nobody is there to say it"]);
  }
  if (feed["file"] !== undefined && feed["version"] === undefined && feed["snapshotAge"] === undefined) {
    faults.push(["snapshotAge", `Expected ${AGE_NEEDED}`]);
  }
  return faults;
}

/** Of a feed with a file and events. */
export const AGE_NEEDED =
  "a `version` column, or `snapshotAge: 1h` (how much older than its file an export may be): the feed has `events` beside its file, and what a file says is older than the file, so that old values would go over those of events";

function secretFaults(events: Entries): FaultAt[] {
  if (!isScheme(events["scheme"])) return [];
  if (events["scheme"] === "none") {
    return events["secret"] === undefined ? [] : [["events.secret", "Expected no secret beside `scheme: none`"]];
  }
  return events["secret"] === undefined ? [["events.secret", `Expected ${SECRET_FORM}, got nothing`]] : [];
}

function rescanFaults({ rescan, match, username }: Entries, feedMatch: unknown): FaultAt[] {
  const matched = match ?? (entriesOf(username)["is"] === undefined ? feedMatch : undefined);
  if (rescan === undefined || (typeof matched === "string" && indexedMatch({ match: matched }) !== undefined))
    return [];
  const expected =
    "a `match` by another attribute than email, phone_number and sub beside `rescan`: nobody else has to be looked for in all of the pool";
  return [["events.rescan", `Expected ${expected}`]];
}

function idFaults(events: Entries, feedVersion: unknown): FaultAt[] {
  const { scheme, format, id, idHeader, version = feedVersion, signed, timestampHeader, timestampPart } = events;
  const faults: FaultAt[] = [];
  if (scheme === "standard-webhooks" || hasOwnForm(scheme)) {
    for (const key of ["id", "idHeader"]) {
      if (events[key] !== undefined)
        faults.push([
          `events.${key}`,
          `Expected no \`${key}\` beside \`scheme: ${scheme}\`: it says itself which event it is`,
        ]);
    }
    return faults;
  }
  if (id !== undefined && idHeader !== undefined)
    faults.push(["events.idHeader", "Expected one of `id` and `idHeader`"]);
  const isNameless = version === undefined && id === undefined && idHeader === undefined;
  if (isNameless && format === undefined && (scheme === "hmac" || scheme === "bearer")) {
    faults.push([
      "events.version",
      `Expected a \`version\`, or an \`id\`, beside \`scheme: ${scheme}\`: nothing else tells an event from one that was sent before`,
    ]);
  }
  // What says its id beside the body, or none, has it in no signature.
  if (isNameless && format !== undefined && scheme === "hmac" && (timestampHeader ?? timestampPart) === undefined) {
    faults.push([
      "events.version",
      "Expected a `version`, a signed id (`idHeader`) or a signed time (`timestampHeader`, `timestampPart`) beside `scheme: hmac`: what is signed of an event may have no id, and could be sent again at any time",
    ]);
  }
  const isSigned = typeof signed === "string" && signed.includes("{id}");
  if (scheme === "hmac" && idHeader !== undefined && !isSigned) {
    faults.push([
      "events.idHeader",
      "Expected `{id}` in what is `signed`: whoever repeats a request may write any id into a header that is not signed. Leave `idHeader` out, and an event is known by its body, or by its signature where a time is signed",
    ]);
  }
  return faults;
}

const HMAC_KEYS = ["header", "part", "prefix", "algorithm", "encoding", "signed", "timestampHeader", "timestampPart"];

const TIMELESS: ReadonlySet<Scheme> = new Set(["salesforce-outbound", "bearer", "none"]);

function strayFaults(events: Entries, scheme: Scheme): FaultAt[] {
  const stray = HMAC_KEYS.filter((key) => events[key] !== undefined);
  const faults = stray.map((key): FaultAt => [
    `events.${key}`,
    `Expected no \`${key}\` beside \`scheme: ${scheme}\`: it is for \`hmac\``,
  ]);
  if (events["tolerance"] !== undefined && TIMELESS.has(scheme)) {
    faults.push([
      "events.tolerance",
      `Expected no \`tolerance\` beside \`scheme: ${scheme}\`: it has no time of signing`,
    ]);
  }
  return faults;
}

function hmacFaults(events: Entries): FaultAt[] {
  const { header: named, part: key, signed = "{body}", timestampHeader, timestampPart, idHeader } = events;
  const faults: FaultAt[] = [];
  if (named === undefined) faults.push(["events.header", `Expected ${HEADER_FORM}, got nothing`]);
  const isTimed = timestampHeader !== undefined || timestampPart !== undefined;
  if (timestampHeader !== undefined && timestampPart !== undefined) {
    faults.push(["events.timestampPart", "Expected one of `timestampHeader` and `timestampPart`"]);
  }
  if (timestampPart !== undefined && key === undefined) {
    faults.push([
      "events.part",
      "Expected the `part` of the header that is the signature: `timestampPart` is another one",
    ]);
  }
  if (events["tolerance"] !== undefined && !isTimed) {
    faults.push(["events.tolerance", "Expected `timestampHeader` or `timestampPart` beside `tolerance`"]);
  }
  if (typeof signed !== "string") return faults;
  const holes = Array.from(signed.matchAll(/\{([^{}]*)\}/g), ([, hole = ""]) => hole);
  const unknown = holes.filter((hole) => !["body", "timestamp", "id"].includes(hole));
  if (holes.filter((hole) => hole === "body").length !== 1 || unknown.length > 0) {
    faults.push([
      "events.signed",
      "Expected a text with `{body}` once, and `{timestamp}` and `{id}` where they are signed",
    ]);
  } else {
    const fault = signedFault(signed);
    if (fault !== undefined) faults.push(["events.signed", fault]);
  }
  if (isTimed !== holes.includes("timestamp")) {
    const message = isTimed
      ? "Expected `{timestamp}` in what is `signed`: a time that is not signed may be changed by whoever repeats the request"
      : "Expected `timestampHeader` or `timestampPart` for the `{timestamp}` in what is `signed`";
    faults.push(["events.signed", message]);
  }
  if (idHeader === undefined && holes.includes("id")) {
    faults.push(["events.idHeader", "Expected the header of the `{id}` in what is `signed`"]);
  }
  return faults;
}

function isScheme(value: unknown): value is Scheme {
  return SCHEMES.some((scheme) => scheme === value);
}

/** What is wrong with JMESPath expressions. */
export async function expressionFaults(content: unknown): Promise<readonly Fault[]> {
  const said = Object.entries(entriesOf(entriesOf(content)["feeds"])).flatMap(([name, entry]) =>
    ["id", "records"].map((key) => ({ name, key, expression: entriesOf(entriesOf(entry)["events"])[key] })),
  );
  const faults: Fault[] = [];
  for (const { name, key, expression } of said) {
    if (typeof expression !== "string" || expression === "") continue;
    const message = await expressionFault(expression);
    if (message !== undefined) faults.push({ path: ["feeds", name, "events", key], message });
  }
  return faults;
}
