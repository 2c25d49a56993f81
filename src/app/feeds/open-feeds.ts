/** What `sync` and `plan` have in common: the feeds that a command line names, opened and held against their pool. */
import type { Command } from "commander";
import { choosePool } from "../../config/config.ts";
import { ConfigError } from "../../config/config-error.ts";
import type { FeedSetting } from "../../config/config-file.ts";
import type { GuardSettings } from "../../core/guards.ts";
import { VERIFIED } from "../../core/unit.ts";
import type { Mapping } from "../../feeds/mapping.ts";
import type { Own } from "../../lifecycle.ts";
import { BASELINES, type Baseline } from "../../plan/baseline.ts";
import type { Pool } from "../../delivery/pool.ts";
import { EXIT } from "../../cli/exit-codes.ts";
import { CommandError } from "../app-error.ts";
import { keepsBefore } from "../plans/before-images.ts";
import { mappingOf, openInput, type FeedFlags, type FeedInput } from "./feed-input.ts";
import { tell, type Io } from "../../cli/io.ts";
import {
  openChosenPool,
  openClients,
  openEngineOf,
  type CognitoFlags,
  type Opened,
  type PoolMeans,
} from "../opening.ts";
import { choice, several } from "../../cli/option-values.ts";

export interface FeedsFlags extends CognitoFlags, FeedFlags {
  readonly userPoolId?: string;
  readonly feed?: string;
  readonly baseline?: Baseline;
  readonly approve?: readonly string[];
}

/** A feed and what is to be made of it. */
export interface OpenedFeed {
  readonly input: FeedInput;
  readonly mapping: Mapping;
  readonly guards: GuardSettings;
}

export interface OpenedFeeds {
  readonly engine: PoolMeans["engine"];
  readonly pool: Pool;
  readonly feeds: readonly OpenedFeed[];
  /** Undefined where the feed passes by once, and nothing can be planned. */
  readonly baseline: Baseline | undefined;
  /**
   * The users of a few rows may be looked at one by one, and one whom the pool does not list is written all the same:
   * the list lags.
   */
  readonly looksAtEach: boolean;
}

/** Of files of more rows everybody in the pool is looked at, 60 a call. */
const MOST_SINGLE_LOOKS = 1000;

export function feedOptions(command: Command): Command {
  return command
    .argument("[files...]", "CSV, NDJSON or JSON, also .gz; `-` is standard input")
    .option("--user-pool-id <id>", "the user pool, by id or by its name in poolsync.yaml")
    .option("--feed <name>", "take file, pool and mapping from this feed of poolsync.yaml")
    .option("--username-column <column>", "the column that names the user (default: username)")
    .option(
      "--verified <what>",
      "a changed e-mail or phone number: mark it verified, ask the person, or keep the flag",
      choice("--verified", VERIFIED),
    )
    .option(
      "--as-of <time>",
      "when the values were true: ISO 8601 with a zone, or epoch (default: the file's modification time)",
    )
    .option("--ignore-unknown", "ignore columns that are no attribute of the pool")
    .option("--encoding <label>", "of the file, where it is neither UTF-8 nor UTF-16 with a BOM")
    .option(
      "--duplicates <what>",
      "of rows that disagree about one user at one time: refuse all, or let the last stand (default: refuse)",
      choice("--duplicates", ["last", "refuse"]),
    );
}

/** Of the commands that hold a plan against its guards. */
export function planOptions(command: Command): Command {
  return command
    .option(
      "--baseline <what>",
      "compare with the live pool, with the ledger of what was written last, or with none (default: live)",
      choice("--baseline", BASELINES),
    )
    .option("--approve <plan>", "go on with this plan although it breaks guards; may be repeated", several);
}

/** Opens and checks the files, the engine and the pool, in this order. */
export async function openFeeds(
  io: Io,
  own: Own,
  { config, log, reads }: Opened,
  files: readonly string[],
  flags: FeedsFlags,
): Promise<OpenedFeeds> {
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
  if (paths.length === 0) throw usage("FILE", "Expected at least one file, or `-` for standard input");
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
        stdin: io.stdin,
        environment: io.environment,
        now: Date.now(),
        own,
        signal: io.interrupts.drain,
      }),
    );
  }
  const engine = await openEngineOf(config, own, { log, io });
  const clients = openClients(config, own);
  const means = { config, log, engine, clients, own, io, reads, signal: io.interrupts.drain };
  const pool = await openChosenPool(means, chosen);
  const guards = setting?.guards ?? config.guards;
  sayNotOwned(io, log, feed);
  const feeds = inputs.map((input) => ({ input, mapping: mappingOf(input, feed, flags, pool.profile), guards }));
  const keeps = feeds.some(({ input: { name } }) => keepsBefore(config, name));
  const baseline = baselineOf(feeds, flags.baseline, keeps);
  const matched = feeds.some(({ mapping }) => mapping.match !== undefined);
  const looksAtEach = flags.baseline === undefined && !matched && !keeps && rowsOf(feeds) <= MOST_SINGLE_LOOKS;
  return { engine, pool, feeds, baseline, looksAtEach };
}

/** Said once, when the feed is opened. */
function sayNotOwned(io: Io, log: Opened["log"], feed: { name: string; setting: FeedSetting } | undefined): void {
  const { notOwned = [] } = feed?.setting ?? {};
  if (feed === undefined || notOwned.length === 0) return;
  log.info(
    { feed: feed.name, attributes: notOwned.map(({ attribute }) => attribute) },
    "attributes left to their owner",
  );
  const whose = notOwned.map(({ attribute, owner }) => `${attribute} (${owner})`).join(", ");
  tell(io, `Left to the feeds that own them, as poolsync.yaml says: ${whose}.`);
}

function baselineOf(feeds: readonly OpenedFeed[], said: Baseline | undefined, keeps: boolean): Baseline | undefined {
  const matched = feeds.some(({ mapping }) => mapping.match !== undefined);
  if (feeds.some(({ input }) => input.checked === undefined)) {
    if (matched || keeps || (said !== undefined && said !== "none")) {
      throw usage("--baseline", "Expected a feed that can be read twice; leave --stream out, and it is spooled");
    }
    return undefined;
  }
  if (matched && said !== undefined && said !== "live") {
    throw usage("--baseline", "Expected live, because the feed's `match` finds users by a scan of the pool only");
  }
  if (keeps && said !== undefined && said !== "live") {
    throw usage("--baseline", "Expected live, because `keepBefore` keeps what a scan of the pool finds");
  }
  return said ?? "live";
}

/** Of all feeds that were checked. */
export function rowsOf(feeds: readonly OpenedFeed[]): number {
  return feeds.reduce((sum, { input }) => sum + (input.checked?.records ?? 0) + (input.checked?.faults ?? 0), 0);
}

export function usage(path: string, message: string): CommandError {
  return new CommandError("usage", path === "FILE" ? message : `${path}: ${message}`, { exitCode: EXIT.usage });
}
