/** What `poolsync.yaml` says of events that lie in a queue of Amazon SQS: which queue, and with whose credentials. */
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { entriesOf, form, text, type Entries } from "./config-form.ts";
import { callTarget, type AwsSettings, type CallTarget, type GivenValue } from "../core/call-target.ts";

export interface SqsSetting {
  /** The queue's URL, as AWS shows it. */
  readonly url: string;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly endpoint?: string | undefined;
}

const URL_FORM = "the URL of a queue such as https://sqs.eu-west-1.amazonaws.com/123456789012/crm";

/** Keys of a feed's `events`. */
export const sqsForms = {
  sqs: z
    .string({ error: form(URL_FORM) })
    .regex(/^https?:\/\/[^\s/?#@]+(\/[^\s/?#]+)+$/, { error: form(URL_FORM) })
    .optional(),
  region: text("a Region such as eu-west-1").optional(),
  profile: text("the name of an AWS profile").optional(),
  endpoint: z.url({ error: form("a URL such as http://127.0.0.1:4566") }).optional(),
};

const REACHING = ["region", "profile", "endpoint"];
/** What `events` have besides these is a webhook's. */
const OF_QUEUES = new Set([
  "sqs",
  ...REACHING,
  "records",
  "username",
  "match",
  "rescan",
  "attributes",
  "version",
  "id",
]);

/** What is wrong with `events` that come from a queue; of others, that they say neither queue nor scheme, or how a queue is reached. */
export function queueFaults(
  events: Entries,
  schemes: readonly string[],
): readonly (readonly [key: string, message: string])[] {
  if (events["sqs"] !== undefined) {
    const ofWebhooks = Object.keys(events).filter((key) => !OF_QUEUES.has(key));
    return ofWebhooks.map((key) => [`events.${key}`, `Expected no \`${key}\` beside \`sqs\`: it is for webhooks`]);
  }
  if (events["scheme"] === undefined) {
    return [["events.scheme", `Expected one of ${schemes.join(", ")}, or \`sqs\` with ${URL_FORM}, got nothing`]];
  }
  const stray = REACHING.filter((key) => events[key] !== undefined);
  return stray.map((key) => [
    `events.${key}`,
    `Expected no \`${key}\` without \`sqs\`: it says how a queue is reached`,
  ]);
}

const REGION = /^[a-z]{2,3}(-[a-z]+)+-\d+$/;
const AWS_HOST = /\.(amazonaws\.com(\.cn)?|api\.aws)$/;

function regionOf(hostname: string): string | undefined {
  return hostname.split(".").find((label) => REGION.test(label));
}

/** One text for one queue, which AWS has several hosts for, and whose URL can be spelled in several ways. */
function queueOf(url: unknown): unknown {
  if (typeof url !== "string" || !URL.canParse(url)) return url;
  const { host, hostname, pathname } = new URL(url);
  // The oldest host names no Region.
  const place = AWS_HOST.test(hostname) ? (regionOf(hostname) ?? "us-east-1") : host;
  return place + pathname.replace(/\/+$/, "");
}

/** Feeds of one queue would take each other's messages. */
export function sharedQueueFaults(
  content: unknown,
): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const first = new Map<unknown, string>();
  return Object.entries(entriesOf(entriesOf(content)["feeds"])).flatMap(([name, entry]) => {
    const url = entriesOf(entriesOf(entry)["events"])["sqs"];
    if (url === undefined) return [];
    const queue = queueOf(url);
    const other = first.get(queue);
    if (other === undefined) {
      first.set(queue, name);
      return [];
    }
    const message = `Expected a queue of the feed's own: feed ${other} has the same, and each would take what is the other's`;
    return [{ path: ["feeds", name, "events", "sqs"], message }];
  });
}

/**
 * Where a feed's queue is asked. Without a Region or an endpoint of its own these are the URL's: a request that is signed
 * for another Region is refused, so that one goes before AWS_REGION. Throws a ConfigError.
 */
export function queueTarget(
  aws: AwsSettings,
  feed: string,
  { url, region, profile, endpoint }: SqsSetting,
): CallTarget & { readonly endpoint: string } {
  const { origin, hostname } = new URL(url);
  const inFile = (key: string): string => `poolsync.yaml: feeds.${feed}.events.${key}`;
  const given = (key: string, value: string | undefined): GivenValue | undefined =>
    value === undefined ? undefined : { value, path: inFile(key) };
  const found = callTarget(aws, {
    service: "SQS",
    region: region ?? regionOf(hostname),
    profile: given("profile", profile),
    endpoint: given("endpoint", endpoint),
  });
  if ("fault" in found) throw new ConfigError([found.fault]);
  const { target } = found;
  if (target.region === undefined) {
    throw new ConfigError([
      { path: inFile("region"), message: "Expected the Region of the queue, because its URL does not say it" },
    ]);
  }
  return { ...target, endpoint: target.endpoint ?? origin };
}
