/** Feeds whose events name people by an attribute that ListUsers cannot be asked by: only a scan of the pool finds them. */
import { indexedMatch } from "../core/identifier.ts";
import type { FeedSetting, PoolSetting } from "./config-file.ts";

interface Settings {
  readonly feeds: Readonly<Record<string, FeedSetting>>;
  readonly poolSettings: Readonly<Record<string, PoolSetting>>;
}

export interface IndexedFeed {
  readonly name: string;
  readonly attribute: string;
  /** How old a scan may grow; absent where nobody asks for another one. */
  readonly rescanMs: number | undefined;
}

/** Such feeds of a pool, by its id. */
export function indexedFeeds({ feeds, poolSettings }: Settings, id: string): readonly IndexedFeed[] {
  return Object.entries(feeds).flatMap(([name, { pool, events }]) => {
    const attribute = events && indexedMatch(events.mapping);
    if (pool === undefined || attribute === undefined) return [];
    const idOfPool = Object.hasOwn(poolSettings, pool) ? poolSettings[pool]?.id : pool;
    return idOfPool === id ? [{ name, attribute, rescanMs: events?.rescanMs }] : [];
  });
}

/** The attributes by which they name people. */
export function indexedAttributes(settings: Settings, id: string): readonly string[] {
  return [...new Set(indexedFeeds(settings, id).map(({ attribute }) => attribute))];
}
