/**
 * The configuration: flags, environment and `poolsync.yaml`, read once, checked whole and frozen. A flag beats the
 * environment, which beats the file, which beats the default. Nothing else reads the environment, but for the AWS SDK,
 * whose own variables (credentials, AWS_PROFILE, endpoints) it reads itself.
 */
import { homedir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { z } from "zod";
import { readConfigFile, type FeedSetting, type PoolSetting } from "./config-file.ts";
import { ConfigError, type Problem } from "./config-error.ts";
import type { FetchSetting } from "./config-schedule.ts";
import { DEFAULT_GUARDS, type GuardSettings } from "./core/guards.ts";
import { effectiveCeiling, parseReserve, type QuotaReserve, RESERVE_FORM } from "./core/effective-ceiling.ts";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The settings that a flag may give, as text or as the command line parsed them. Absent ones are not given. */
export interface Flags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly rate?: string;
  readonly reserve?: string;
  readonly concurrency?: string;
  /** Pool ids or names of the file, apart by commas. */
  readonly pools?: string;
  readonly healthPort?: string;
}

export interface Config {
  /** Absent: the embedded engine. */
  readonly redisUrl?: string;
  readonly namespace: string;
  readonly dataDir: string;
  /** 32 bytes that encrypt values and usernames at rest. */
  readonly key?: Buffer;
  /** As the flag or the environment says it, else undefined: a pool's own rate and the file's come next. */
  readonly givenRate?: number;
  /** What holds where neither flag nor environment nor pool says a rate: the file's. */
  readonly rate?: number;
  /** What is left to others, said in the same places. */
  readonly givenReserve?: QuotaReserve;
  readonly reserve?: QuotaReserve;
  readonly concurrency: number;
  /** Of one call to Cognito; a claim lives as long as both, and five seconds longer. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Absent where nobody asked for one: the command decides. */
  readonly logLevel?: LogLevel;
  readonly health: { readonly host: string; readonly port?: number };
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
  /** AWS_REGION, where it is set. */
  readonly awsRegion?: string;
  /** True where NO_COLOR is set. */
  readonly plain: boolean;
  /** The configuration file that was read. */
  readonly file?: string;
}

/** Cognito's own quota of UserUpdate. */
const DEFAULT_RATE = 25;
/** Where nobody says a rate. A rate that is said is said to be used. */
const DEFAULT_RESERVE: QuotaReserve = { percent: 20 };
const DEFAULT_CONCURRENCY = 10;
/** In seconds. Cognito gives a Lambda trigger 5 s, and tries it three times. */
const DEFAULT_CONNECT_TIMEOUT = 3;
const DEFAULT_REQUEST_TIMEOUT = 15;
const DEFAULT_FILE = "poolsync.yaml";
const DEFAULT_KEEP_RUNS_MS = 90 * 86_400_000;

function numeric(form: string, fits: (value: number) => boolean) {
  return z
    .string()
    .refine((text) => fits(Number(text)), { error: expected(form) })
    .transform(Number);
}

function whole(what: string, most: number) {
  const fits = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= most;
  return numeric(`${what} from 1 to ${most}`, fits);
}

const settings = {
  redisUrl: z.string().regex(/^rediss?(\+sentinel|\+cluster)?:\/\/\S+$/, {
    // The URL may hold a password, so it is not quoted.
    error: "Expected a URL such as redis://127.0.0.1:6379 or rediss://user:password@host:6379",
  }),
  namespace: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, {
    error: expected("1 to 63 letters, digits, - and _, beginning with a letter or digit"),
  }),
  dataDir: z.string(),
  key: z
    .string()
    .refine((text) => /^[A-Za-z0-9+/]{43}=$/.test(text), {
      error: "Expected 32 bytes in base64, as `openssl rand -base64 32` prints them",
    })
    .transform((text) => Buffer.from(text, "base64")),
  rate: numeric("a number above 0", (value) => value > 0 && value < Infinity),
  reserve: z.string().transform((text, context) => {
    const reserve = parseReserve(text);
    if (reserve) return reserve;
    context.addIssue({ code: "custom", message: expected(RESERVE_FORM)({ input: text }) });
    return z.NEVER;
  }),
  concurrency: whole("a whole number", 1000),
  seconds: numeric("a number of seconds above 0, 300 at most", (value) => value > 0 && value <= 300),
  logLevel: z.enum(LOG_LEVELS, { error: expected(`one of ${LOG_LEVELS.join(", ")}`) }),
  healthHost: z.string().regex(/^[A-Za-z0-9.:-]+$/, { error: expected("a host name or an address") }),
  healthPort: whole("a port", 65_535),
  pools: z.string().transform((text) =>
    text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  ),
};

function expected(form: string) {
  return (issue: { readonly input?: unknown }) =>
    typeof issue.input === "string" ? `Expected ${form}, got \`${issue.input.slice(0, 80)}\`` : `Expected ${form}`;
}

/** Where a setting may be said, the strongest first. Blank counts as not said. */
interface Said {
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
  const env = (name: string): Said => ({ path: name, value: environment[name] });
  const flag = (name: string, value: string | undefined): Said => ({ path: `--${name}`, value });

  /** The first that is said, checked; undefined where none is, or where it is wrong. */
  function read<T>(schema: z.ZodType<T>, ...places: readonly Said[]): T | undefined {
    const said = places.find(({ value }) => value !== undefined && value.trim() !== "");
    if (said === undefined) return undefined;
    const parsed = schema.safeParse(said.value?.trim());
    if (parsed.success) return parsed.data;
    for (const { message } of parsed.error.issues.slice(0, 1)) problems.push({ path: said.path, message });
    return undefined;
  }

  const redisUrl = read(settings.redisUrl, env("REDIS_URL"));
  const namespace = read(settings.namespace, env("POOLSYNC_NAMESPACE"));
  const dataDir = read(settings.dataDir, flag("data-dir", flags.dataDir), env("POOLSYNC_DATA_DIR"));
  const key = read(settings.key, env("POOLSYNC_KEY"));
  const givenRate = read(settings.rate, flag("rate", flags.rate), env("POOLSYNC_RATE"));
  const givenReserve = read(settings.reserve, flag("reserve", flags.reserve), env("POOLSYNC_RESERVE"));
  const concurrency = read(settings.concurrency, flag("concurrency", flags.concurrency), env("POOLSYNC_CONCURRENCY"));
  const connectTimeout = read(settings.seconds, env("POOLSYNC_CONNECT_TIMEOUT")) ?? DEFAULT_CONNECT_TIMEOUT;
  const requestTimeout = read(settings.seconds, env("POOLSYNC_REQUEST_TIMEOUT")) ?? DEFAULT_REQUEST_TIMEOUT;
  const logLevel = read(settings.logLevel, env("POOLSYNC_LOG_LEVEL"));
  const host = read(settings.healthHost, env("POOLSYNC_HEALTH_HOST")) ?? "127.0.0.1";
  const port = read(settings.healthPort, flag("health-port", flags.healthPort), env("POOLSYNC_HEALTH_PORT"));
  const pools = read(settings.pools, flag("pools", flags.pools), env("POOLSYNC_POOLS")) ?? [];
  const awsRegion = awsRegionOf(environment);

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
    concurrency: concurrency ?? file?.concurrency ?? DEFAULT_CONCURRENCY,
    connectTimeoutMs: connectTimeout * 1000,
    requestTimeoutMs: requestTimeout * 1000,
    health: { host, ...(port === undefined ? {} : { port }) },
    pools,
    poolSettings: file?.pools ?? {},
    feeds: file?.feeds ?? {},
    guards: file?.guards ?? DEFAULT_GUARDS,
    heal: file?.heal ?? false,
    keepBefore: file?.keepBefore ?? false,
    keepRunsMs: file?.keepRuns ?? DEFAULT_KEEP_RUNS_MS,
    plain: (environment["NO_COLOR"] ?? "") !== "",
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(key === undefined ? {} : { key }),
    ...(givenRate === undefined ? {} : { givenRate }),
    ...(file?.rate === undefined ? {} : { rate: file.rate }),
    ...(givenReserve === undefined ? {} : { givenReserve }),
    ...(file?.reserve === undefined ? {} : { reserve: file.reserve }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(awsRegion === undefined ? {} : { awsRegion }),
    ...(file === undefined ? {} : { file: path }),
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
export interface ChosenPool {
  readonly id: string;
  readonly region: string;
  /** The Region that the pool's id begins with, where it is another one. */
  readonly regionOfId?: string;
  readonly profile?: string;
  readonly endpoint?: string;
  /** Its ceiling of UserUpdate calls: the rate less what is left to others. */
  readonly ratePerSecond: number;
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

/**
 * How a shell calls the program whose script this is: by its name where it is installed, and as the user did where it
 * is not on the PATH. npm names the script and the package that it runs.
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

/** The Region of a pool where nobody says it: AWS_REGION, else the one that its id begins with, if that is one. */
export function regionOf(
  id: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return awsRegionOf(environment) ?? regionInId(id);
}

function awsRegionOf(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  return environment["AWS_REGION"]?.trim() || undefined;
}

function regionInId(id: string): string | undefined {
  const prefix = POOL_ID.exec(id)?.[1] ?? "";
  return REGION.test(prefix) ? prefix : undefined;
}

const POOL_ID = /^([A-Za-z0-9-]{1,54})_([A-Za-z0-9]+)$/;
const REGION = /^[a-z]{2,3}(-[a-z]+)+-\d+$/;

/** The pool that a name of the configuration file or an id means; `path` is where it was said. Throws a ConfigError. */
export function choosePool(
  config: Config,
  nameOrId: string,
  flags: PoolFlags = {},
  path = "--user-pool-id",
): ChosenPool {
  const named = Object.hasOwn(config.poolSettings, nameOrId) ? config.poolSettings[nameOrId] : undefined;
  const setting = named ?? Object.values(config.poolSettings).find(({ id }) => id === nameOrId);
  const id = setting?.id ?? nameOrId;
  if (!POOL_ID.test(id)) {
    const names = Object.keys(config.poolSettings);
    const among = names.length === 0 ? "" : `, or one of the pools of ${DEFAULT_FILE} (${names.join(", ")})`;
    throw new ConfigError([
      {
        path,
        message: `Expected the id of a user pool such as eu-west-1_Example${among}, got \`${nameOrId}\``,
      },
    ]);
  }
  const regionOfId = regionInId(id);
  const region = flags.region ?? setting?.region ?? config.awsRegion ?? regionOfId;
  if (region === undefined) {
    throw new ConfigError([
      { path: "--region", message: "Expected the Region of the user pool; give --region, or set AWS_REGION" },
    ]);
  }
  const profile = flags.profile ?? setting?.profile;
  const endpoint = flags.endpointUrl ?? setting?.endpoint;
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    throw new ConfigError([
      { path: "--endpoint-url", message: `Expected a URL such as http://127.0.0.1:9229, got \`${endpoint}\`` },
    ]);
  }
  const rate = config.givenRate ?? setting?.rate ?? config.rate;
  const reserve =
    config.givenReserve ?? setting?.reserve ?? config.reserve ?? (rate === undefined ? DEFAULT_RESERVE : undefined);
  const ratePerSecond = ceilingOf(rate ?? DEFAULT_RATE, reserve);
  return {
    id,
    region,
    ratePerSecond,
    ...(regionOfId === undefined || regionOfId === region ? {} : { regionOfId }),
    ...(profile === undefined ? {} : { profile }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

function ceilingOf(rate: number, reserve: QuotaReserve | undefined): number {
  try {
    return effectiveCeiling(rate, reserve);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const message = `${cause.message}: lower \`reserve\`, or raise \`rate\``;
    throw new ConfigError([{ path: "--reserve (POOLSYNC_RESERVE)", message }]);
  }
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
