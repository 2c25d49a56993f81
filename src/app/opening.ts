/** The one place where engine, clients and pools are put together: for the library, for commands and for workers. */
import type { ClientSettings, CognitoClient, CognitoClients } from "../cognito/client.ts";
import { CognitoError } from "../cognito/cognito-error.ts";
import type { Reads } from "../cognito/read-retry.ts";
import type { Ceilings } from "../config/ceilings.ts";
import { poolCeilings, type ChosenPool, type Config } from "../config/config.ts";
import type { Pool } from "../delivery/pool.ts";
import type { Scope } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import type { DirectoryTurn } from "../store/postgres/directory-lock.ts";
import { StoreError } from "../store/store-error.ts";
import { AppError, readEarly } from "./app-error.ts";
import { noteForgottenRuns } from "./runs/forgotten-runs.ts";
import { statusOf } from "./status.ts";
import { reportWithoutAof } from "./without-aof.ts";

/** A sentence for whoever waits. The log has the same as a line. */
export type Say = (sentence: string) => void;

/** What a command has once its configuration is read. Nothing is open yet. */
export interface Opened {
  readonly config: Config;
  readonly log: Log;
  /** How reads of pools are tried again. */
  readonly reads: Reads;
  readonly say?: Say | undefined;
  /** How long it waits for a data directory that others have, and what ends that. Absent: it is refused at once. */
  readonly turn?: Pick<DirectoryTurn, "withinMs" | "signal"> | undefined;
  /** The engine of the process that a command is run in for somebody else: that one closes it. */
  readonly sharedEngine?: Engine | undefined;
}

type Opening = Pick<Opened, "log" | "say" | "turn" | "sharedEngine">;
/** What a command is to others that want its data directory, and which of them it waits for itself. */
type TurnRule = Pick<DirectoryTurn, "as" | "waitsFor">;
export const AS_COMMAND: TurnRule = { as: "command", waitsFor: ["command", "run"] };
const AS_RUN: TurnRule = { as: "run", waitsFor: ["command", "run"] };
/** For what lives on: nobody waits for it, and `status` asks it. */
export const AS_PROCESS: TurnRule = { as: "process", waitsFor: ["command", "run"] };
/** For what is of no use when a run has ended. */
export const BESIDE_RUNS: TurnRule = { as: "command", waitsFor: ["command"] };

export interface EngineSettings extends Pick<Config, "redisUrl" | "namespace" | "dataDir" | "key" | "previousKey"> {
  /** See openEngineToLook. */
  readonly looksOnly?: boolean;
  /** The ceilings of a pool's calls, for those who ask this process how things stand. */
  readonly ceilingsOf: (pool: string) => Ceilings;
}

/** The engine that the configuration names. */
export function openConfiguredEngine(
  config: Config,
  scope: Scope,
  opened: Opening,
  rule = AS_COMMAND,
): Promise<Engine> {
  return openOwnedEngine({ ...config, ceilingsOf: ceilings(config) }, scope, opened, rule);
}

/** For what reaches no pool and puts nothing: it makes no keys in a namespace that nobody has used yet. */
export function openEngineToLook(config: Config, scope: Scope, opened: Opening, rule = AS_COMMAND): Promise<Engine> {
  return openOwnedEngine({ ...config, ceilingsOf: ceilings(config), looksOnly: true }, scope, opened, rule);
}

/** For what puts or delivers: it says where that is not safe. */
export async function openEngineToPut(config: Config, scope: Scope, opened: Opening, rule = AS_RUN): Promise<Engine> {
  const engine = await openConfiguredEngine(config, scope, opened, rule);
  reportWithoutAof(engine.store, opened);
  return engine;
}

/** For what stops others: a run in a data directory is stopped where it runs. */
export async function openEngineToStop(config: Config, scope: Scope, opened: Opening): Promise<Engine> {
  try {
    return await openEngineToLook(config, scope, opened, BESIDE_RUNS);
  } catch (cause) {
    // With a cause of its own it cannot be told whether somebody is there.
    if (!(cause instanceof StoreError) || cause.kind !== "in-use" || cause.cause !== undefined) throw cause;
    throw new AppError(
      "in-use",
      `Another poolsync process has the data directory ${config.dataDir}: press Ctrl-C in it first (what is not sent stays queued), then give this command again.`,
      { cause },
    );
  }
}

export async function openOwnedEngine(
  settings: EngineSettings,
  scope: Scope,
  { log, say, turn, sharedEngine }: Opening,
  rule = AS_COMMAND,
): Promise<Engine> {
  if (sharedEngine !== undefined) return sharedEngine;
  const { redisUrl, namespace, dataDir, key, previousKey, looksOnly = false, ceilingsOf } = settings;
  // What opens it is loaded here: the help, and whoever gave a wrong option, waits for no engine.
  const { openEngine } = await import("../queues/engine.ts");
  const opening = openEngine({
    namespace,
    dataDir,
    turn: turn && {
      ...rule,
      ...turn,
      onWait() {
        const seconds = turn.withinMs / 1000;
        log.warn({ seconds }, "waits for the data directory");
        say?.(
          `Another poolsync command has the data directory ${dataDir}: waiting for it, ${seconds} seconds at most.`,
        );
      },
    },
    ...(redisUrl === undefined ? {} : { redisUrl }),
    key,
    previousKey,
    looksOnly,
    log,
    ...(say === undefined ? {} : { say }),
  });
  const engine = await (turn ? readEarly(turn.signal, opening) : opening);
  engine.answer?.(() => statusOf(engine, { ceilingsOf, verify: false }));
  return scope.defer(engine, async (opened) => {
    try {
      await opened.close();
    } finally {
      await noteForgottenRuns(opened.store, settings, log);
    }
  });
}

/** The ceilings of a pool's calls, as configured. */
export function ceilings(config: Config): (pool: string) => Ceilings {
  return (pool) => poolCeilings(config, pool);
}

/** Loads the AWS SDK, which takes as long as the rest of a short command: most commands look at the store alone. */
export async function openClients(settings: ClientSettings, scope: Scope): Promise<CognitoClients> {
  const { createCognitoClients } = await import("../cognito/client.ts");
  return scope.defer(createCognitoClients(settings), (clients) => clients.close());
}

export interface PoolDeps {
  readonly concurrency: number;
  readonly log: Log;
  readonly engine: Engine;
  readonly clients: CognitoClients;
  readonly scope: Scope;
  /** As in a call of the library where absent. */
  readonly reads?: Reads;
  readonly say?: Say | undefined;
  /** Ends the opening. */
  readonly signal: AbortSignal;
}

/** A pool and where its calls go. The library may leave the Region to the AWS SDK, and knows no feeds. */
export type PoolPlace = Omit<ChosenPool, "region" | "indexed"> & Partial<Pick<ChosenPool, "region" | "indexed">>;

/** Throws an `interrupted` AppError where the signal ends the opening. */
export async function openChosenPool(deps: PoolDeps, chosen: PoolPlace): Promise<Pool> {
  const { concurrency, log, engine, clients, scope, reads, say, signal } = deps;
  const { id, ratePerSecond, listsPerSecond, indexed = [] } = chosen;
  const cognito = clients.of(chosen);
  sayPassedRegion(deps, chosen);
  try {
    const paces = { ratePerSecond, listsPerSecond, concurrency };
    const settings = { engine, cognito, pool: id, ...paces, indexed, log, say, signal };
    const { openPool } = await import("../delivery/pool.ts");
    const opening = openPool(reads === undefined ? settings : { ...settings, reads });
    return scope.defer(await readEarly(signal, opening), (opened) => opened.close());
  } catch (error) {
    throw withRegionHint(error, chosen);
  }
}

/** Why a pool that is there is not found: AWS_REGION is set for something else. */
function withRegionHint(error: unknown, { region, regionOfId }: PoolPlace): unknown {
  if (!(error instanceof CognitoError) || regionOfId === undefined) return error;
  if (error.kind !== "pool-not-found" && error.kind !== "network") return error;
  return new CognitoError(
    error.kind,
    `${error.message} The Region is ${region} (by --region, poolsync.yaml or AWS_REGION), and the pool's id begins with ${regionOfId}: name that one.`,
    { cause: error },
  );
}

/** The pools whose passed Region was reported, by their clients: once in a process is enough. */
const reported = new WeakMap<CognitoClient, Set<string>>();

/** Says that a profile or AWS_DEFAULT_REGION names another Region than the pool's id: somebody may have meant that one. */
export function sayPassedRegion(
  { log, clients, say }: Pick<PoolDeps, "log" | "clients" | "say">,
  chosen: PoolPlace,
): void {
  const { id, region, passedRegion } = chosen;
  if (passedRegion === undefined) return;
  const client = clients.of(chosen);
  const pools = reported.get(client) ?? new Set();
  if (pools.has(id)) return;
  reported.set(client, pools.add(id));
  const { region: other, givenBy } = passedRegion;
  log.warn({ pool: id, region, other, saidBy: givenBy }, "region of the pool's id used");
  say?.(
    `The id of pool ${id} names the Region ${region}, and ${givenBy} says ${other}: ${region} is used. For the other one give --region.`,
  );
}
