/** What `sync`, `plan` and `drift` have in common: the feeds that were named, opened and held against their pool. */
import type { Readable } from "node:stream";
import { choosePool, type PoolFlags } from "../../config/config.ts";
import { ConfigError } from "../../config/config-error.ts";
import type { FeedSetting } from "../../config/config-file.ts";
import type { GuardSettings } from "../../core/guards.ts";
import type { Mapping } from "../../feeds/mapping.ts";
import type { Scope } from "../../lifecycle.ts";
import type { Baseline } from "../../plan/baseline.ts";
import type { Unlisted } from "../../plan/planning.ts";
import type { Pool } from "../../delivery/pool.ts";
import { AppError } from "../app-error.ts";
import { keepsBeforeImages } from "../plans/before-images.ts";
import { mappingOf, openInput, type FeedInput, type FeedOptions } from "./feed-input.ts";
import { openChosenPool, openClients, openEngineToPut, type Opened } from "../opening.ts";
import type { Engine } from "../../queues/engine.ts";

/** What is asked of feeds: files, or a feed of the configuration, with what goes before its setting. */
export interface FeedsRequest extends FeedOptions, PoolFlags {
  /** Paths, or `-` for standard input. The feed's own file where there are none. */
  readonly files: readonly string[];
  /** By id or by name. */
  readonly userPoolId?: string;
  readonly feed?: string;
  readonly baseline?: Baseline;
}

export interface FeedsDeps extends Opened {
  readonly scope: Scope;
  /** Of a caller who has one open, and closes it; absent where the feeds' scope is to have one of its own. */
  readonly engine?: Engine | undefined;
  readonly stdin: Readable;
  /** What the configuration reads instead of the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Told before the columns are held against the pool, where attributes are left to the feeds that own them. */
  readonly onNotOwned?: (notOwned: FeedSetting["notOwned"]) => void;
  readonly signal: AbortSignal;
}

/** A feed and what is to be made of it. */
export interface OpenedFeed {
  readonly input: FeedInput;
  readonly mapping: Mapping;
  readonly guards: GuardSettings;
}

export interface OpenedFeeds {
  readonly engine: Engine;
  readonly pool: Pool;
  readonly feeds: readonly OpenedFeed[];
  /** Undefined where the feed passes by once, and nothing can be planned. */
  readonly baseline: Baseline | undefined;
  readonly unlisted: Unlisted;
}

/** Of so many rows, where nothing else was asked for, who is not listed is left to the write. */
const FEW_ROWS = 1000;

/** Opens and checks the files, the engine and the pool, in this order. */
export async function openFeeds(deps: FeedsDeps, flags: FeedsRequest): Promise<OpenedFeeds> {
  const { config, log, scope, signal } = deps;
  const { files } = flags;
  if (flags.feed !== undefined && !Object.hasOwn(config.feeds, flags.feed)) {
    const names = Object.keys(config.feeds).join(", ") || "none";
    throw new ConfigError([
      { path: "--feed", message: `Expected a feed of poolsync.yaml (there are: ${names}), got \`${flags.feed}\`` },
    ]);
  }
  const setting = flags.feed === undefined ? undefined : config.feeds[flags.feed];
  const feed = flags.feed === undefined || setting === undefined ? undefined : { name: flags.feed, setting };
  const paths = files.length > 0 ? files : feed?.setting.file === undefined ? [] : [feed.setting.file];
  const poolName = flags.userPoolId ?? feed?.setting.pool;
  if (paths.length === 0) {
    throw feed?.setting.events === undefined
      ? usage("FILE", "Expected at least one file, or `-` for standard input")
      : usage("FILE", `Expected a file: feed ${feed.name} has none and takes events, which \`poolsync ingest\` does`);
  }
  if (poolName === undefined)
    throw usage("--user-pool-id", "Expected the user pool: give --user-pool-id eu-west-1_Example");
  if (paths.filter((path) => path === "-").length > 1)
    throw usage("FILE", "Expected `-` once: standard input can be read only once");
  const chosen = choosePool(config, poolName, flags);
  const inputs: FeedInput[] = [];
  for (const path of paths) {
    inputs.push(
      await openInput(path, {
        flags,
        feed,
        spoolDir: config.dataDir,
        stdin: deps.stdin,
        environment: deps.environment,
        now: Date.now,
        scope,
        signal,
      }),
    );
  }
  const engine = deps.engine ?? (await openEngineToPut(config, scope, deps));
  const clients = await openClients(config, scope);
  const pool = await openChosenPool({ ...deps, concurrency: config.concurrency, engine, clients }, chosen);
  const guards = setting?.guards ?? config.guards;
  const notOwned = setting?.notOwned ?? [];
  if (feed !== undefined && notOwned.length > 0) {
    const attributes = notOwned.map(({ attribute }) => attribute);
    log.info({ feed: feed.name, attributes }, "attributes left to their owner");
    deps.onNotOwned?.(notOwned);
  }
  const feeds = inputs.map((input) => ({ input, mapping: mappingOf(input, feed, flags, pool.profile), guards }));
  const keeps = feeds.some(({ input: { name } }) => keepsBeforeImages(config, name));
  const baseline = baselineOf(feeds, flags.baseline, keeps);
  const matched = feeds.some(({ mapping }) => mapping.match !== undefined);
  const isFew = flags.baseline === undefined && !matched && !keeps && rowsOf(feeds) <= FEW_ROWS;
  return { engine, pool, feeds, baseline, unlisted: isFew ? "write" : "fault" };
}

function baselineOf(feeds: readonly OpenedFeed[], given: Baseline | undefined, keeps: boolean): Baseline | undefined {
  const matched = feeds.some(({ mapping }) => mapping.match !== undefined);
  if (feeds.some(({ input }) => input.checked === undefined)) {
    if (matched || keeps || (given !== undefined && given !== "none")) {
      throw usage("--baseline", "Expected a feed that can be read twice; leave --stream out, and it is spooled");
    }
    return undefined;
  }
  if (matched && given !== undefined && given !== "live") {
    throw usage("--baseline", "Expected live, because the feed's `match` finds users in the pool only");
  }
  if (keeps && given !== undefined && given !== "live") {
    throw usage("--baseline", "Expected live, because `keepBefore` keeps what is found in the pool");
  }
  return given ?? "live";
}

/** Of all feeds that were checked. */
function rowsOf(feeds: readonly OpenedFeed[]): number {
  return feeds.reduce((sum, { input }) => sum + (input.checked?.records ?? 0) + (input.checked?.faults ?? 0), 0);
}

export function usage(path: string, message: string): AppError {
  return new AppError("usage", path === "FILE" ? message : `${path}: ${message}`, { category: "usage" });
}
