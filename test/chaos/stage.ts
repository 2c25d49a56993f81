/**
 * What both chaos runs stand on: the model, the load, the emulator behind its proxy, and the environment of their
 * processes; and how a run that was played is judged.
 */
import { withScope, type Scope } from "../../src/lifecycle.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { randomFrom, type Random } from "../support/random.ts";
import { createAccounts } from "./accounts.ts";
import { ASKED, createAsks, type Asks } from "./asks.ts";
import { openChildren, type Children } from "./children.ts";
import { judgeDrain, judgeReplays, type Finale } from "./finale.ts";
import { judgeDone, judgeFound } from "./done.ts";
import { CLOCK_SLACK_MS } from "./evidence.ts";
import { createEventLoad, type EventLoad } from "./events.ts";
import { createLoad, type Load, type Single } from "./load.ts";
import { startHandovers, type Handovers } from "./handovers.ts";
import { createModel, type LoggedWrite, type Model } from "./model.ts";
import { createNamedLoad, namedSeeds, type NamedLoad } from "./named.ts";
import { startOthers, type Others } from "./others.ts";
import type { Provoked } from "./provoke.ts";
import { createTally, type ChaosReport } from "./report.ts";
import type { Run } from "../../src/store/runs.ts";
import { forgone, judgeCancels, judgeGatesLeft, judgePauses } from "./gated.ts";
import { judgeNames, type NamedFacts } from "./rightful.ts";
import { TIMEOUTS, type RunSettings } from "./run-settings.ts";
import { startService, type Service } from "./service.ts";
import { judgeSettled } from "./settled.ts";
import { marksIn } from "./standing.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
import {
  judgeBooks,
  judgeClocks,
  judgeKept,
  judgeOrder,
  judgeSecrets,
  judgeValues,
  verdict,
  type Standing,
  type Verdict,
} from "./verdict.ts";

export const NAMESPACE = "chaos";
export const RATE = 150;

export interface Stage {
  readonly scope: Scope;
  readonly random: Random;
  readonly tally: ReturnType<typeof createTally>;
  readonly model: Model;
  readonly load: Load;
  readonly named: NamedLoad;
  readonly eventLoad: EventLoad;
  readonly asks: Asks;
  readonly others: Others;
  readonly handovers: Handovers;
  readonly children: Children;
  readonly service: Service;
  readonly emulatorLink: TcpProxy;
  readonly endpoint: string;
  /** Of every process. */
  readonly env: Readonly<Record<string, string>>;
  /** A progress line with the time since the beginning. */
  note(line: string): void;
  /** Half of those who were missing join the pool. Answers all who are in it now, when names are passed on no more. */
  addLate(): Promise<readonly string[]>;
  /** Usernames of all who are named by addresses and numbers, or were. */
  namedEver(): Promise<readonly string[]>;
}

/** What a run left to be judged. */
export interface Played {
  readonly standing: Standing;
  readonly checkpoints: readonly string[];
  readonly looks: number;
  readonly unacknowledged: number;
  /** Single changes that were refused for what they name their person by. */
  readonly refused: number;
  readonly finale: Finale;
  readonly leaks: Verdict;
  /** Keys of Redis that tell a value or a username. */
  readonly telling: readonly string[];
  /** Runs of stores that were emptied. */
  readonly runsBefore?: readonly Run[];
  /** What is judged of this engine alone. */
  readonly further?: readonly Verdict[];
  readonly exits: ReadonlyMap<string, number>;
  readonly provoked?: Provoked;
  readonly redisVersion?: string;
}

/** How many of the single changes name their person by an address or number. */
const NAMED_SHARE = 1 / 3;

/** A source's next change, or a third of the times one of those who are named so. */
export function orNamed(
  { random, named }: Pick<Stage, "random" | "named">,
  waits: boolean,
  next: () => Single | undefined,
): () => Single | undefined {
  return () => (random.chance(NAMED_SHARE) ? named.single(Date.now(), waits) : next());
}

/** Sets the stage, has the run played on it, and judges it. `extras` are in the pool as well. */
export async function onStage(
  settings: RunSettings,
  extras: readonly string[],
  play: (stage: Stage) => Promise<Played>,
): Promise<ChaosReport> {
  const { plan, directory, say } = settings;
  const startedAt = Date.now();
  return withScope(async (scope) => {
    const random = randomFrom(plan.seed * 17 + 3);
    const tally = createTally();
    const model = createModel();
    const load = createLoad(plan.seed, settings.users);
    const named = createNamedLoad(plan.seed);
    const seeds = namedSeeds(startedAt);
    const eventLoad = createEventLoad(plan.seed, load.users);
    const asks = createAsks(plan.seed);
    const children = scope.defer(openChildren(directory), (opened) => opened.close());
    scope.defer(exampleAws(), (restore) => restore());
    const there = load.users.filter((user) => !load.missing.has(user));
    const service = await startService(children, directory, [...there, ...ASKED, ...extras], seeds);
    const emulatorLink = scope.defer(await startTcpProxy(service.port, random.next), (proxy) => proxy.close());
    const others = scope.defer(startOthers(plan, service, there), (started) => started.stop());
    const handovers = scope.defer(startHandovers(plan, service), (started) => started.stop());
    const endpoint = `http://127.0.0.1:${emulatorLink.port}`;
    const env = {
      ...AWS_ENVIRONMENT,
      POOLSYNC_RATE: String(RATE),
      // So that their logs tell of each settle.
      POOLSYNC_LOG_LEVEL: "debug",
      POOLSYNC_CONNECT_TIMEOUT: String(TIMEOUTS.connect),
      POOLSYNC_REQUEST_TIMEOUT: String(TIMEOUTS.request),
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: endpoint,
    };
    const played = await play({
      scope,
      random,
      tally,
      model,
      load,
      named,
      eventLoad,
      asks,
      others,
      handovers,
      children,
      service,
      emulatorLink,
      endpoint,
      env,
      note: (line) => say(`${Math.round((Date.now() - startedAt) / 1000)} s: ${line}`),
      async addLate() {
        const late = [...load.missing].filter((_, index) => index % 2 === 0);
        await service.addUsers(late);
        return [...there, ...ASKED, ...late, ...namedThere(seeds, await service.writes())];
      },
      async namedEver() {
        const made = (await service.writes()).filter(({ deed }) => deed === "made");
        return [...new Set([...seeds, ...made].map(({ username }) => username))];
      },
    });
    const facts = { seeds, looks: await service.looks(), refused: played.refused };
    const verdicts = await judge(played, load, directory, facts);
    return {
      seed: plan.seed,
      engine: plan.engine,
      ...(plan.topology === undefined ? {} : { topology: plan.topology }),
      startedAt: new Date(startedAt).toISOString(),
      faultsForMs: plan.forMs,
      tookMs: Date.now() - startedAt,
      versions: {
        node: process.version,
        ...(played.redisVersion === undefined ? {} : { redis: played.redisVersion }),
      },
      faults: tally.counts,
      serviceErrors: await service.errors(),
      exits: Object.fromEntries(played.exits),
      losses: model.losses,
      drainMs: played.finale.drain.ms,
      verdicts,
      holds: verdicts.every(({ holds }) => holds),
    };
  });
}

function namedThere(seeds: NamedFacts["seeds"], writes: readonly LoggedWrite[]): readonly string[] {
  const accounts = createAccounts(seeds);
  for (const write of writes) accounts.take(write);
  return [...accounts.there.values()].map(({ username }) => username);
}

async function judge(played: Played, load: Load, directory: string, facts: NamedFacts): Promise<readonly Verdict[]> {
  const { standing, checkpoints, looks, unacknowledged, finale, leaks, telling, provoked, further = [] } = played;
  const runs = [...(played.runsBefore ?? []), ...(await standing.engine.store.runs.list(100_000))];
  for (const [file, at] of forgone(standing.gates, runs)) standing.model.forgo(file, at);
  return [
    await judgeBooks(standing, checkpoints, looks),
    await judgeSettled(standing),
    judgeValues(standing),
    judgeOrder(standing),
    ...(provoked ? [verdict(3, "the three ways, provoked", provoked.seen, provoked.wrong)] : []),
    await judgeKept(standing, load.files, unacknowledged),
    judgeReplays(standing, finale.replays),
    judgeDrain(finale.drain),
    leaks,
    judgeClocks(standing, CLOCK_SLACK_MS),
    judgeSecrets(await marksIn(directory), telling),
    judgeDone(standing),
    await judgeFound(standing),
    ...judgeNames(standing, facts),
    await judgeCancels(standing, runs),
    judgePauses(standing, runs),
    await judgeGatesLeft(standing, runs),
    ...further,
  ];
}
