/**
 * The configuration: flags, environment and `poolsync.yaml`, read once, checked whole and frozen. A flag beats the
 * environment, which beats the file, which beats the default. Nothing else reads the environment, but for the AWS SDK,
 * which reads its credentials itself.
 */
import { homedir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import type { z } from "zod";
import { ceilingsOf, type Ceilings, type PaceSetting } from "./ceilings.ts";
import { readConfigFile, type FeedSetting, type PoolSetting } from "./config-file.ts";
import { ConfigError, type Problem } from "./config-error.ts";
import type { EventsSetting } from "./events.ts";
import { indexedAttributes } from "./indexed-feeds.ts";
import { POOL_ID, regionInId } from "./pool-id.ts";
import type { FetchSetting } from "./schedule.ts";
import { type LOG_LEVELS, settings } from "./settings.ts";
import { defined } from "../core/defined.ts";
import {
  awsSettings,
  callTarget,
  type AwsSettings,
  type CallTarget,
  type PassedRegion,
  type GivenValue,
} from "../core/call-target.ts";
import type { InboxLimits } from "../core/inbox.ts";
import { DEFAULT_GUARDS, type GuardSettings } from "../core/guards.ts";
import { quoted } from "../core/quoted.ts";

export type LogLevel = (typeof LOG_LEVELS)[number];

/** The settings that a flag may give, as text or as the command line parsed them. Absent ones are not given. */
export interface Flags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly rate?: string;
  readonly reserve?: string;
  readonly listRate?: string;
  readonly listReserve?: string;
  readonly concurrency?: string;
  /** Pool ids or names of the file, apart by commas. */
  readonly pools?: string;
  readonly healthPort?: string;
  readonly host?: string;
  readonly port?: string;
}

export interface Config {
  /** Absent: the embedded engine. */
  readonly redisUrl?: string;
  readonly namespace: string;
  readonly dataDir: string;
  /** 32 bytes that wrap the keys of the namespace. */
  readonly key?: Buffer;
  /** Those that wrapped them before. */
  readonly previousKey?: Buffer;
  /** Rates and what is left to others of them, as flags or the environment say them: a pool's own come next. */
  readonly givenPace: PaceSetting;
  /** What holds where neither flag nor environment nor pool says them: the file's. */
  readonly filePace: PaceSetting;
  readonly concurrency: number;
  /** Of one call to Cognito; a claim lives as long as both, and five seconds longer. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Absent where nobody asked for one: the command decides. */
  readonly logLevel?: LogLevel;
  readonly health: { readonly host: string; readonly port?: number };
  /** Where events are taken. */
  readonly ingest: { readonly host: string; readonly port: number };
  /** Whether jobs of the queue `changes` are taken. */
  readonly takesJobs: boolean;
  /** What may wait in the inbox before events are refused. */
  readonly inbox: InboxLimits;
  /** How long an event is kept that cannot become a change, from when it came. */
  readonly parkedKeepMs: number;
  /** The pools that a worker delivers to; empty where none are named. */
  readonly pools: readonly string[];
  /** By name. */
  readonly poolSettings: Readonly<Record<string, PoolSetting>>;
  readonly feeds: Readonly<Record<string, FeedSetting>>;
  /** For files that are no feed of the configuration. */
  readonly guards: GuardSettings;
  /** For runs of files that are no feed, and of applications: see `FeedSetting`. */
  readonly heal: boolean;
  readonly keepBefore: boolean;
  /** How long ended runs and their books are kept. */
  readonly keepRunsMs: number;
  readonly aws: AwsSettings;
  /** True where NO_COLOR is set. */
  readonly noColor: boolean;
  /** The configuration file that was read. */
  readonly file?: string;
}

const DEFAULT_CONCURRENCY = 10;
/** In seconds. Cognito gives a Lambda trigger 5 s, and tries it three times. */
const DEFAULT_CONNECT_TIMEOUT = 3;
const DEFAULT_REQUEST_TIMEOUT = 15;
const DEFAULT_INGEST_PORT = 8085;
const DEFAULT_PARKED_DAYS = 30;
export const DEFAULT_INBOX = { entries: 500_000, megabytes: 256 };
const DEFAULT_FILE = "poolsync.yaml";
const DEFAULT_KEEP_RUNS_MS = 90 * 86_400_000;

/** Where a setting may be said, the strongest first. Blank counts as not said. */
interface Place {
  readonly path: string;
  readonly value: string | undefined;
}

/**
 * Reads the configuration. Throws one ConfigError with everything that is wrong in flags, environment and file. The
 * file is the one that --config names, or `poolsync.yaml` where the command is run, if it is there.
 */
export async function readConfig(
  flags: Flags,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  directory: string = process.cwd(),
): Promise<Config> {
  const problems: Problem[] = [];
  const env = (name: string): Place => ({ path: name, value: environment[name] });
  const flag = (name: string, value: string | undefined): Place => ({ path: `--${name}`, value });

  /** The first that is said, checked; undefined where none is, or where it is wrong. */
  function read<T>(schema: z.ZodType<T>, ...places: readonly Place[]): T | undefined {
    const given = places.find(({ value }) => value !== undefined && value.trim() !== "");
    if (given === undefined) return undefined;
    const parsed = schema.safeParse(given.value?.trim());
    if (parsed.success) return parsed.data;
    for (const { message } of parsed.error.issues.slice(0, 1)) problems.push({ path: given.path, message });
    return undefined;
  }

  const redisUrl = read(settings.redisUrl, env("REDIS_URL"));
  const namespace = read(settings.namespace, env("POOLSYNC_NAMESPACE"));
  const dataDir = read(settings.dataDir, flag("data-dir", flags.dataDir), env("POOLSYNC_DATA_DIR"));
  const key = read(settings.key, env("POOLSYNC_KEY"));
  const previousKey = read(settings.key, env("POOLSYNC_KEY_PREVIOUS"));
  const givenPace: PaceSetting = {
    rate: read(settings.rate, flag("rate", flags.rate), env("POOLSYNC_RATE")),
    reserve: read(settings.reserve, flag("reserve", flags.reserve), env("POOLSYNC_RESERVE")),
    lists: {
      rate: read(settings.rate, flag("list-rate", flags.listRate), env("POOLSYNC_LIST_RATE")),
      reserve: read(settings.reserve, flag("list-reserve", flags.listReserve), env("POOLSYNC_LIST_RESERVE")),
    },
  };
  const concurrency = read(settings.concurrency, flag("concurrency", flags.concurrency), env("POOLSYNC_CONCURRENCY"));
  const connectTimeout = read(settings.seconds, env("POOLSYNC_CONNECT_TIMEOUT")) ?? DEFAULT_CONNECT_TIMEOUT;
  const requestTimeout = read(settings.seconds, env("POOLSYNC_REQUEST_TIMEOUT")) ?? DEFAULT_REQUEST_TIMEOUT;
  const logLevel = read(settings.logLevel, env("POOLSYNC_LOG_LEVEL"));
  const host = read(settings.healthHost, env("POOLSYNC_HEALTH_HOST")) ?? "127.0.0.1";
  const port = read(settings.healthPort, flag("health-port", flags.healthPort), env("POOLSYNC_HEALTH_PORT"));
  const ingestHost = read(settings.healthHost, flag("host", flags.host), env("POOLSYNC_INGEST_HOST")) ?? "127.0.0.1";
  const ingestPort = read(settings.ingestPort, flag("port", flags.port), env("POOLSYNC_INGEST_PORT"));
  const jobs = read(settings.jobs, env("POOLSYNC_JOBS"));
  const entries = read(settings.inboxEntries, env("POOLSYNC_INBOX_ENTRIES")) ?? DEFAULT_INBOX.entries;
  const megabytes = read(settings.inboxMegabytes, env("POOLSYNC_INBOX_MEGABYTES")) ?? DEFAULT_INBOX.megabytes;
  const parkedDays = read(settings.parkedDays, env("POOLSYNC_PARKED_DAYS")) ?? DEFAULT_PARKED_DAYS;
  const pools = read(settings.pools, flag("pools", flags.pools), env("POOLSYNC_POOLS")) ?? [];
  const aws = await readAwsSettings(environment);

  const given = flags.config ?? environment["POOLSYNC_CONFIG"];
  const path = resolve(directory, given ?? DEFAULT_FILE);
  const { file, problems: inFile } = await readConfigFile(path, { needed: given !== undefined });
  problems.push(...inFile);
  const keeps = file !== undefined && (file.keepBefore || Object.values(file.feeds).some((feed) => feed.keepBefore));
  if (keeps && key === undefined && !problems.some((problem) => problem.path === "POOLSYNC_KEY")) {
    problems.push({
      path: "POOLSYNC_KEY",
      message: `Expected a key, because \`keepBefore\` of ${basename(path)} keeps people's values and does so encrypted only; \`openssl rand -base64 32\` makes one`,
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);

  return deepFreeze<Config>({
    namespace: namespace ?? "poolsync",
    dataDir: resolve(directory, dataDir ?? defaultDataDir(environment)),
    aws,
    concurrency: concurrency ?? file?.concurrency ?? DEFAULT_CONCURRENCY,
    connectTimeoutMs: connectTimeout * 1000,
    requestTimeoutMs: requestTimeout * 1000,
    health: defined({ host, port }),
    ingest: { host: ingestHost, port: ingestPort ?? DEFAULT_INGEST_PORT },
    takesJobs: jobs === undefined ? key === undefined : jobs === "on",
    inbox: { entries, bytes: megabytes * 2 ** 20 },
    parkedKeepMs: parkedDays * 86_400_000,
    pools,
    poolSettings: file?.pools ?? {},
    feeds: file?.feeds ?? {},
    guards: file?.guards ?? DEFAULT_GUARDS,
    heal: file?.heal ?? false,
    keepBefore: file?.keepBefore ?? false,
    keepRunsMs: file?.keepRuns ?? DEFAULT_KEEP_RUNS_MS,
    noColor: (environment["NO_COLOR"] ?? "") !== "",
    givenPace,
    filePace: { rate: file?.rate, reserve: file?.reserve, lists: file?.lists },
    ...defined({ redisUrl, key, previousKey, logLevel, file: file && path }),
  });
}

function defaultDataDir(environment: Readonly<Record<string, string | undefined>>): string {
  const state = environment["XDG_STATE_HOME"];
  const home = environment["HOME"] ?? homedir();
  return join(state !== undefined && state.startsWith("/") ? state : join(home, ".local", "state"), "poolsync");
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null && !ArrayBuffer.isView(inner) && !Object.isFrozen(inner)) {
      deepFreeze(inner);
    }
  }
  return Object.freeze(value);
}

/** A pool as one command meets it. */
export interface ChosenPool extends CallTarget, Ceilings {
  readonly id: string;
  readonly region: string;
  /** The Region that the pool's id begins with, where it is another one. */
  readonly regionOfId?: string;
  /** One that the pool's id went before. */
  readonly passedRegion?: PassedRegion;
  /** Attributes by which events name its users: whoever has them is noted by each scan. */
  readonly indexed: readonly string[];
}

/** True where stack traces are wanted: POOLSYNC_LOG_LEVEL is `debug` or `trace`. Asked before anything else is read. */
export function wantsStacks(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const level = environment["POOLSYNC_LOG_LEVEL"];
  return level === "debug" || level === "trace";
}

/**
 * The header that a feed's fetch is authorised by, from the variables that the file names; undefined where it names
 * none. Throws a ConfigError where one of them is not set.
 */
export function authorizationOf(
  feed: string,
  fetch: FetchSetting,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const problems: Problem[] = [];
  const secret = (key: "bearer" | "user" | "password"): string => {
    const name = fetch[key] ?? "";
    const value = environment[name] ?? "";
    if (value.trim() === "" || /[\r\n\0]/.test(value.trim())) {
      const message = `Expected the environment to have the credential in ${name}`;
      problems.push({ path: `${DEFAULT_FILE}: feeds.${feed}.fetch.${key}`, message });
    }
    return value.trim();
  };
  const authorization =
    fetch.bearer !== undefined
      ? `Bearer ${secret("bearer")}`
      : fetch.user === undefined
        ? undefined
        : `Basic ${Buffer.from(`${secret("user")}:${secret("password")}`).toString("base64")}`;
  if (problems.length > 0) throw new ConfigError(problems);
  return authorization;
}

/** The secrets of a feed's events, each from the variable that the file names; undefined where that is not set. */
export function eventSecrets(
  { secret }: Pick<EventsSetting, "secret">,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly (string | undefined)[] {
  return secret.map((name) => environment[name]?.trim() || undefined);
}

/**
 * How a shell calls this program: by its name where it is installed, and as the user called it where it is not on the
 * PATH. npm names the script and the package that it runs.
 */
export function calledAs(
  script: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  directory: string = process.cwd(),
): string {
  const event = environment["npm_lifecycle_event"] ?? "";
  if (event === "npx") return "npx poolsync";
  if (event !== "") return environment["npm_package_name"] === "poolsync" ? "npm run -s poolsync --" : "npx poolsync";
  return basename(script) === "poolsync" ? "poolsync" : `node ${relative(directory, script)}`;
}

/** What a command's flags say about its pool. */
export interface PoolFlags {
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
}

/** What AWS's variables and its configuration files say. */
export async function readAwsSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<AwsSettings> {
  const { readAwsFiles } = await import("../cognito/aws-files.ts");
  return awsSettings(environment, await readAwsFiles(environment));
}

interface NamedPool {
  readonly id: string;
  /** Its name in the file, and what the file says of it. */
  readonly name?: string;
  readonly setting?: PoolSetting;
}

/** The pool that a name of the configuration file or an id means; `path` is where it was said. Throws a ConfigError. */
export function namedPool({ poolSettings }: Config, nameOrId: string, path = "--user-pool-id"): NamedPool {
  const name = Object.hasOwn(poolSettings, nameOrId)
    ? nameOrId
    : Object.keys(poolSettings).find((key) => poolSettings[key]?.id === nameOrId);
  const setting = name === undefined ? undefined : poolSettings[name];
  const id = setting?.id ?? nameOrId;
  if (!POOL_ID.test(id)) {
    const names = Object.keys(poolSettings);
    const known = names.length === 0 ? "" : `, or one of the pools of ${DEFAULT_FILE} (${names.join(", ")})`;
    const message = `Expected the id of a user pool such as eu-west-1_Example${known}, got ${quoted(nameOrId)}`;
    throw new ConfigError([{ path, message }]);
  }
  return name === undefined || setting === undefined ? { id } : { id, name, setting };
}

/** A pool with where its calls go. Throws a ConfigError. */
export function choosePool(
  config: Config,
  nameOrId: string,
  flags: PoolFlags = {},
  path = "--user-pool-id",
): ChosenPool {
  const { id, name, setting } = namedPool(config, nameOrId, path);
  const regionOfId = regionInId(id);
  const inFile = (key: string): string => `${basename(config.file ?? DEFAULT_FILE)}: pools.${name}.${key}`;
  const found = callTarget(config.aws, {
    service: "COGNITO_IDENTITY_PROVIDER",
    region: flags.region ?? setting?.region,
    profile: givenAt(flags.profile, "--profile") ?? givenAt(setting?.profile, inFile("profile")),
    endpoint: givenAt(flags.endpointUrl, "--endpoint-url") ?? givenAt(setting?.endpoint, inFile("endpoint")),
    regionOfId,
  });
  if ("fault" in found) throw new ConfigError([found.fault]);
  const { target, passed } = found;
  const { region } = target;
  if (region === undefined) {
    throw new ConfigError([
      { path: "--region", message: "Expected the Region of the user pool; give --region, or set AWS_REGION" },
    ]);
  }
  return {
    ...target,
    id,
    region,
    indexed: indexedAttributes(config, id),
    ...poolCeilings(config, nameOrId, path),
    ...defined({ regionOfId: regionOfId === region ? undefined : regionOfId, passedRegion: passed }),
  };
}

/** Where the bucket of a feed's file is. Throws a ConfigError. */
export function bucketTarget(aws: AwsSettings, feed: string, { region, profile, endpoint }: FetchSetting): CallTarget {
  const inFile = (key: string): string => `${DEFAULT_FILE}: feeds.${feed}.fetch.${key}`;
  const found = callTarget(aws, {
    service: "S3",
    region,
    profile: givenAt(profile, inFile("profile")),
    endpoint: givenAt(endpoint, inFile("endpoint")),
  });
  if ("fault" in found) throw new ConfigError([found.fault]);
  return found.target;
}

function givenAt(value: string | undefined, path: string): GivenValue | undefined {
  return value === undefined ? undefined : { value, path };
}

/** The ceilings of a pool's calls, as configured. Throws a ConfigError. */
export function poolCeilings(config: Config, nameOrId: string, path?: string): Ceilings {
  const { setting } = namedPool(config, nameOrId, path);
  return ceilingsOf([config.givenPace, setting, config.filePace]);
}

/** The pools that a worker delivers to: those that were named, else all of the file. Throws a ConfigError for none. */
export function workerPools(config: Config): readonly ChosenPool[] {
  const names = config.pools.length > 0 ? config.pools : Object.keys(config.poolSettings);
  if (names.length === 0) {
    throw new ConfigError([
      {
        path: "POOLSYNC_POOLS",
        message: `Expected the ids of the user pools to deliver to, apart by commas, or \`pools\` in ${DEFAULT_FILE}`,
      },
    ]);
  }
  const chosen = names.map((name) => choosePool(config, name, {}, "--pools (POOLSYNC_POOLS)"));
  return chosen.filter(({ id }, index) => chosen.findIndex((other) => other.id === id) === index);
}
