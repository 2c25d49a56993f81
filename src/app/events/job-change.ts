/**
 * A change as a job of the queue `changes` says it: `{ pool | feed, username, attributes, verified?, version? }`. It is
 * looked at when it comes, for whose inbox it is counted to, and read when it is drained, with the configuration of then.
 */
import { z } from "zod";
import type { Config } from "../../config/config.ts";
import type { FeedSetting, PoolSetting } from "../../config/config-file.ts";
import type { Change } from "../../core/change.ts";
import { defined } from "../../core/defined.ts";
import { contactOf, VERIFIED, type Unit } from "../../core/unit.ts";
import { parseInstant } from "../../feeds/date.ts";
import { changeOf } from "../users/change-request.ts";
import type { AcceptableEvent } from "./accept-event.ts";

/** How an entry came that was a job. */
export const JOB_SCHEME = "job";
/** What a job's entry is counted to that names no pool or feed of the configuration. */
const NOBODYS = "changes";
/** In bytes. All attributes of a user together are shorter. */
const LONGEST_JOB = 2 ** 20;

/** Of a configuration what says which pools and feeds there are. */
export interface KnownPools extends Pick<Config, "pools"> {
  readonly feeds: Readonly<Record<string, Pick<FeedSetting, "pool" | "notOwned">>>;
  readonly poolSettings: Readonly<Record<string, Pick<PoolSetting, "id">>>;
}

const jobForm = z.strictObject({
  /** By id or by name. */
  pool: z.string().min(1).optional(),
  feed: z.string().min(1).optional(),
  username: z.string().min(1).max(2048),
  attributes: z.record(z.string(), z.string().nullable()),
  verified: z.enum(VERIFIED).optional(),
  /** The source's own time: text with its zone, or epoch ms or seconds. */
  version: z.union([z.string(), z.number()]).optional(),
});

/** Whose the changes of an event are. A feed may be called as a pool is, so neither is ever known by a name alone. */
export interface ChangeTarget {
  /** Absent where a job names a pool. */
  readonly feed?: string;
  /** The pool's id. */
  readonly pool: string;
}

export type JobChange =
  | {
      readonly is: "change";
      readonly target: ChangeTarget;
      /** With the version that the job says. */
      readonly change: Change;
    }
  /** What the queue was given in another form, or for a pool that the configuration does not have. */
  | {
      readonly is: "unreadable";
      /** In words, without anything of the job. */
      readonly why: string;
    };

/** Never throws. `body` is a job's, as {@link jobEvent} has it. */
export function readJobChange(config: KnownPools, body: Uint8Array): JobChange {
  const parsed = jobForm.safeParse(parseJson(body));
  if (!parsed.success) return unreadable("it has not the form of a job: `{ pool | feed, username, attributes, … }`");
  const { pool, feed, version, username, attributes, verified } = parsed.data;
  const target = targetOf(config, { pool, feed });
  const timeMs = version === undefined ? undefined : parseInstant(String(version).trim());
  if (target === undefined) return unreadable("it names no one feed or pool that poolsync.yaml has");
  if (version !== undefined && timeMs === undefined) return unreadable("its version is no time with a zone");
  try {
    const said = timeMs === undefined ? undefined : { timeMs, sequence: 0 };
    const asked = defined({ username, attributes, verified, version: said });
    const change = changeOf({ ...asked, pool: target.pool });
    return { is: "change", target, change: { ...change, units: ownedOf(config, target.feed, change.units) } };
  } catch {
    return unreadable("it has a value that its attribute cannot have, or an address or number without `verified`");
  }
}

function unreadable(why: string): JobChange {
  return { is: "unreadable", why };
}

/** What other feeds own is left to them, as of the feed's file. */
function ownedOf({ feeds }: KnownPools, feed: string | undefined, units: readonly Unit[]): readonly Unit[] {
  const others = new Set((feed === undefined ? undefined : feeds[feed])?.notOwned.map(({ attribute }) => attribute));
  return units.filter(({ name }) => !others.has(name) && !others.has(contactOf(name) ?? name));
}

/**
 * The event that a job is, and what its entry is counted to: a word that names a feed or the id of a pool, and decides
 * nothing. `addedAtMs`: when it was added, by its producer's clock.
 */
export function jobEvent(
  config: KnownPools,
  { id, data, addedAtMs }: { readonly id: string; readonly data: unknown; readonly addedAtMs: number },
): { readonly feed: string; readonly event: AcceptableEvent } {
  const named = z.object({ pool: z.unknown(), feed: z.unknown() }).partial().safeParse(data);
  const target = named.success ? targetOf(config, named.data) : undefined;
  const whole = Buffer.from(textOf(data));
  // No change is that long, and no inbox has to have room for it.
  const body = whole.length > LONGEST_JOB ? Buffer.from("null") : whole;
  const event = { id, signedAtMs: addedAtMs, scheme: JOB_SCHEME, body, contentType: "application/json" };
  return { feed: target?.feed ?? target?.pool ?? NOBODYS, event };
}

function textOf(data: unknown): string {
  try {
    return JSON.stringify(data) ?? "null";
  } catch {
    // Lists in lists, some thousands deep, can be read, and not be written.
    return "null";
  }
}

/** The pool that is named, or the feed's; undefined unless exactly one is, and the configuration has it. */
function targetOf(
  config: KnownPools,
  { pool, feed }: { readonly pool?: unknown; readonly feed?: unknown },
): ChangeTarget | undefined {
  if (typeof feed === "string" && pool === undefined) {
    const of = Object.hasOwn(config.feeds, feed) ? config.feeds[feed]?.pool : undefined;
    return of === undefined ? undefined : { feed, pool: poolIdOf(config, of) };
  }
  if (typeof pool !== "string" || feed !== undefined) return undefined;
  const feeds = Object.values(config.feeds).flatMap((setting) => setting.pool ?? []);
  const names = [...Object.keys(config.poolSettings), ...config.pools, ...feeds];
  const ids = names.map((name) => poolIdOf(config, name));
  const id = names.includes(pool) ? poolIdOf(config, pool) : pool;
  return ids.includes(id) ? { pool: id } : undefined;
}

/** `name` is one of the configuration, or an id. */
export function poolIdOf({ poolSettings }: Pick<KnownPools, "poolSettings">, name: string): string {
  return Object.hasOwn(poolSettings, name) ? (poolSettings[name]?.id ?? name) : name;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // A job's body is made of JSON here; what is not was put there by somebody else.
    return undefined;
  }
}
