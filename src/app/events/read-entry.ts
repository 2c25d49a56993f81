/** An entry of the inbox, opened and read by what is configured now. */
import type { Config } from "../../config/config.ts";
import type { FeedSetting } from "../../config/config-file.ts";
import { drainTime } from "../../core/inbox.ts";
import { isTime, ordinalText } from "../../core/version.ts";
import type { Engine } from "../../queues/engine.ts";
import type { TakenEntry } from "../../store/inbox.ts";
import { openEvent, type CameEvent } from "../../store/sealed-event.ts";
import type { Unresolved } from "./entry-changes.ts";
import { JOB_SCHEME, poolIdOf, readJobChange, type ChangeTarget } from "./job-change.ts";
import { readEvent, type EventRecord, type ParkedReason } from "./read-event.ts";

export interface ReadEntry extends Unresolved {
  readonly id: string;
  readonly event: CameEvent;
  /** What a job is for may be known by now, and was not when it came. */
  readonly target: ChangeTarget;
  /** The expression that found its records; blank where it is one itself, or a list of them. */
  readonly by: string;
}

/** Why it is parked, where nothing of it can be read. `since`: see Asked. */
export function readEntry(
  { keyring }: Pick<Engine, "keyring">,
  config: Pick<Config, "feeds" | "pools" | "poolSettings">,
  { id, feed, arrival, arrivedAt, body }: TakenEntry,
  since: number,
): ReadEntry | ParkedReason {
  const event = openEvent(keyring, { id, feed, body });
  if (event === undefined) return "unreadable";
  const timeMs = event.signedAt ?? arrivedAt;
  const arrivals = Math.max(1, event.body.byteLength);
  if (event.scheme === JOB_SCHEME) {
    const job = readJobChange(config, event.body);
    if (job.is === "unreadable") return "unreadable";
    const change = { ...job.change, version: job.change.version ?? { timeMs, sequence: 0 } };
    const records = [{ is: "change" as const, line: 1, change, invalid: [] }];
    return { id, target: job.target, arrival, arrivals, arrivedAt, since, event, records, named: {}, by: "" };
  }
  const { events, pool } = settingOf(config, feed) ?? {};
  if (events === undefined || pool === undefined) return "no-feed";
  const records = readEvent(event, events, timeMs);
  if (typeof records === "string") return records;
  const target = { feed, pool: poolIdOf(config, pool) };
  return {
    id,
    target,
    arrival,
    arrivals,
    arrivedAt,
    since,
    event,
    records,
    named: events.mapping,
    by: event.left?.by ?? events.records ?? "",
  };
}

export function settingOf({ feeds }: Pick<Config, "feeds">, name: string): FeedSetting | undefined {
  return Object.hasOwn(feeds, name) ? feeds[name] : undefined;
}

/** Records as they may be put now, or from when on (epoch ms): an entry waits for the latest of its versions. */
export function dueOf(
  records: readonly EventRecord[],
  nowMs: number,
): { readonly records: readonly EventRecord[]; readonly notBefore: number | undefined } {
  let notBefore: number | undefined;
  const judged = records.map((record): EventRecord => {
    if (record.is === "parked" || record.change.version === undefined) return record;
    // Whoever adds a job says any time.
    if (!isTime(record.change.version.timeMs)) return { is: "parked", line: record.line, reason: "unreadable" };
    const due = drainTime(ordinalText(record.change.version), nowMs);
    if (due.is === "later") notBefore = Math.max(notBefore ?? 0, due.notBefore);
    return due.is === "ahead" ? { is: "parked", line: record.line, reason: "ahead" } : record;
  });
  return { records: judged, notBefore };
}
