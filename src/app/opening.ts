/** What commands open: configuration, log, engine, Cognito's clients and pools. */
import type { Command } from "commander";
import { poolCeiling, readConfig, type ChosenPool, type Config, type Flags } from "../config/config.ts";
import { createCognitoClients, type CognitoClient, type CognitoClients } from "../cognito/client.ts";
import { CognitoError } from "../cognito/cognito-error.ts";
import { READS_WITHIN_MS, type Reads } from "../cognito/read-retry.ts";
import type { Own } from "../lifecycle.ts";
import { createLog, type Log } from "../log.ts";
import { openEngine, type Engine } from "../queues/engine.ts";
import { openPool, type Pool } from "../delivery/pool.ts";
import { toldReads } from "../delivery/told-reads.ts";
import { readEarly } from "./app-error.ts";
import { tell, type Io } from "../cli/io.ts";
import { standingOf } from "./status.ts";

/** Flags of every command that works with an engine. */
export interface EngineFlags extends Flags {
  readonly json?: boolean;
}

/** Flags of every command that reaches Cognito. */
export interface CognitoFlags extends EngineFlags {
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
}

export function engineOptions(command: Command): Command {
  return command
    .option("--config <file>", "configuration file (default: ./poolsync.yaml, if it is there)")
    .option("--data-dir <directory>", "where the embedded engine keeps its data (default: ~/.local/state/poolsync)")
    .option("--json", "print one JSON document on stdout; logs go to stderr");
}

export function cognitoOptions(command: Command): Command {
  return command
    .option("--region <region>", "AWS Region of the user pool")
    .option("--endpoint-url <url>", "another endpoint than Cognito's own, such as an emulator")
    .option("--profile <name>", "profile of AWS's configuration files")
    .option("--rate <number>", "most UserUpdate calls a second, for the account and Region (default: 20)")
    .option("--reserve <share>", "what is left of it to others: calls a second, or a share such as 20%")
    .option("--concurrency <number>", "most calls in flight (default: 10)");
}

export interface Opened {
  readonly config: Config;
  readonly log: Log;
  /** True where people look: progress may be shown. */
  readonly lively: boolean;
  /** How the command's reads of pools are tried again. */
  readonly reads: Reads;
}

/** Reads the configuration. Opens nothing. `level`: of what is logged where nobody says, and nobody looks on. */
export async function openConfig(io: Io, flags: EngineFlags, level = "info"): Promise<Opened> {
  const config = await readConfig(flags, io.environment);
  const atTerminal = io.stderr.isTTY === true;
  // At a terminal the command says itself what matters; log lines would tear its progress bar.
  const log = createLog(config.logLevel ?? (atTerminal ? "silent" : level));
  const { connectTimeoutMs, requestTimeoutMs } = config;
  const reads = toldReads(log, {
    // Whoever lets a single call take longer means it.
    withinMs: io.readsWithinMs ?? Math.max(READS_WITHIN_MS, connectTimeoutMs + requestTimeoutMs),
    patience: { spent: false },
    ...sayingTo(io, config, log),
  });
  return { config, log, reads, lively: atTerminal && flags.json !== true && !config.plain };
}

/** Who is told of what is waited for: the log, or at a terminal, where the log is silent, whoever sits there. */
interface Told {
  readonly log: Log;
  readonly io?: Io;
}

/** Clears the line: a progress bar may stand there, and is drawn again below. */
const OVER_THE_BAR = "\r\u001b[2K";

function sayingTo(io: Io | undefined, { plain }: Config, log: Log): { readonly say?: (sentence: string) => void } {
  if (io?.stderr.isTTY !== true || log.level !== "silent") return {};
  return { say: (sentence) => tell(io, plain ? sentence : OVER_THE_BAR + sentence) };
}

export async function openEngineOf(config: Config, own: Own, { log, io }: Told): Promise<Engine> {
  const { redisUrl, namespace, dataDir, key } = config;
  const engine = await openEngine({
    namespace,
    dataDir,
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(key === undefined ? {} : { key }),
    log,
    ...sayingTo(io, config, log),
  });
  engine.answer?.(() => standingOf(engine, { ceilingOf: ceilings(config), verify: false }));
  return own(engine, (opened) => opened.close());
}

/** The ceiling of a pool's UserUpdate calls, as configured. */
export function ceilings(config: Config): (pool: string) => number {
  return (pool) => poolCeiling(config, pool);
}

export function openClients(config: Config, own: Own): CognitoClients {
  const { concurrency, connectTimeoutMs, requestTimeoutMs } = config;
  return own(createCognitoClients({ concurrency, connectTimeoutMs, requestTimeoutMs }), (clients) => clients.close());
}

/** Why a pool is not found that is there: AWS_REGION is set for something else. */
function withRegionHint(error: unknown, { region, regionOfId }: ChosenPool): unknown {
  if (!(error instanceof CognitoError) || regionOfId === undefined) return error;
  if (error.kind !== "pool-not-found" && error.kind !== "network") return error;
  return new CognitoError(
    error.kind,
    `${error.message} The Region is ${region} (by --region, poolsync.yaml or AWS_REGION), and the pool's id begins with ${regionOfId}: name that one.`,
    { cause: error },
  );
}

/** Pools of which it was told, by their clients: once in a command is enough. */
const told = new WeakMap<CognitoClient, Set<string>>();

/** That a profile or AWS_DEFAULT_REGION says another Region than the pool's id: somebody may have meant that one. */
export function tellPassedRegion(
  { log, clients, io }: Pick<PoolMeans, "log" | "clients" | "io">,
  chosen: ChosenPool,
): void {
  const { id, region, passedRegion } = chosen;
  if (passedRegion === undefined) return;
  const client = clients.of(chosen);
  const pools = told.get(client) ?? new Set();
  if (pools.has(id)) return;
  told.set(client, pools.add(id));
  log.warn(
    { pool: id, region, other: passedRegion.region, saidBy: passedRegion.saidBy },
    "region of the pool's id used",
  );
  if (io?.stderr.isTTY !== true || log.level !== "silent") return;
  tell(
    io,
    `The id of pool ${id} names the Region ${region}, and ${passedRegion.saidBy} says ${passedRegion.region}: ${region} is used. For the other one give --region.`,
  );
}

export interface PoolMeans {
  readonly io?: Io;
  readonly config: Config;
  readonly log: Log;
  readonly engine: Engine;
  readonly clients: CognitoClients;
  readonly own: Own;
  readonly reads: Reads;
  readonly signal: AbortSignal;
}

/** Throws an `interrupted` CommandError where the signal ends the opening. */
export async function openChosenPool(means: PoolMeans, chosen: ChosenPool): Promise<Pool> {
  const { config, log, engine, clients, own, reads, signal } = means;
  const { id, ratePerSecond } = chosen;
  const cognito = clients.of(chosen);
  tellPassedRegion(means, chosen);
  try {
    const { concurrency } = config;
    const opening = openPool({ engine, cognito, pool: id, ratePerSecond, concurrency, log, reads, signal });
    const pool = await readEarly(signal, opening);
    return own(pool, (opened) => opened.close());
  } catch (error) {
    throw withRegionHint(error, chosen);
  }
}
