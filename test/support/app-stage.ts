/**
 * The use cases of `app` as any face calls them, with a pool at the emulator: what they answer is their own result, and
 * what they throw is their own error. The engine is opened when it is first needed and stays open; what else a request
 * opens is closed with it, as a command would.
 */
import assert from "node:assert/strict";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { openFeeds, type FeedsRequest, type OpenedFeeds } from "../../src/app/feeds/open-feeds.ts";
import { runFeeds } from "../../src/app/feeds/run-feeds.ts";
import { discardLetters } from "../../src/app/letters/discard-letters.ts";
import { exportLetters, type Exported } from "../../src/app/letters/export-letters.ts";
import { filtersOf, type LetterRequest } from "../../src/app/letters/letter-filter.ts";
import { groupLetters, type LetterGroup } from "../../src/app/letters/letter-groups.ts";
import { pageOfLetters, type LetterPage } from "../../src/app/letters/letter-page.ts";
import {
  findReplayable,
  openReplay,
  replayAndWait,
  type Replayable,
  type ReplayOutcome,
} from "../../src/app/letters/replay-groups.ts";
import { openChosenPool, openClients, openConfiguredEngine, type Opened } from "../../src/app/opening.ts";
import { pause, resume, type Pause, type PauseTarget } from "../../src/app/gates/pause.ts";
import { cancelRun, type CancelledRun } from "../../src/app/runs/cancel-run.ts";
import type { Leftover } from "../../src/app/runs/leftovers.ts";
import { deliverOwn } from "../../src/app/runs/own-deliveries.ts";
import { findDriftOf, type DriftFound } from "../../src/app/plans/find-drift.ts";
import { isApproved, planFeeds } from "../../src/app/plans/make-plans.ts";
import { findUndoable, planWayBack } from "../../src/app/plans/undo-run.ts";
import type { RunContext } from "../../src/app/runs/run-context.ts";
import { runFeed, type RunSource } from "../../src/app/runs/run-feed.ts";
import type { RunSummary } from "../../src/app/runs/run-summary.ts";
import { stopDeliveries } from "../../src/app/runs/stop-deliveries.ts";
import { changeAndWait, type ChangeOutcome } from "../../src/app/users/change-and-wait.ts";
import { changeOf, type UserChange } from "../../src/app/users/change-request.ts";
import { explain, type Explained } from "../../src/app/users/explain.ts";
import type { Explanation } from "../../src/app/users/explanation.ts";
import { choosePool, readConfig } from "../../src/config/config.ts";
import { defined } from "../../src/core/defined.ts";
import { textOf } from "../../src/core/sentence.ts";
import { reportedReads } from "../../src/delivery/reported-reads.ts";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { openScope, withScope, type Scope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import type { PlanSummary } from "../../src/plan/plan-lines.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { until } from "./condition.ts";
import { summaryOf } from "./plan-summary.ts";
import { awsVariables, openOnePool, POOL } from "./pool-stage.ts";
import { testRedis } from "./redis.ts";

type Values = Readonly<Record<string, string>>;

export interface AppOptions {
  readonly pool?: Omit<PoolDefinition, "id">;
  readonly emulator?: EmulatorOptions;
  /** Of poolsync.yaml. */
  readonly config?: string;
  readonly environment?: Values;
  readonly readsWithinMs?: number;
  /**
   * Puts data where the embedded engine has it, which is then used. It goes by this process's clock, which a test may
   * move. Where it is absent the engine is Redis, which is quicker.
   */
  readonly putData?: (dataDir: string) => void;
}

/** What is asked of feeds; of the one pool where no feed is named. */
export type Asked = Omit<FeedsRequest, "files">;

export interface SyncAsked extends Asked {
  /** Plans that may break guards. */
  readonly approve?: readonly string[];
  readonly detached?: boolean;
  /** Interrupts it. */
  readonly drain?: AbortSignal;
  /** Deliver what other runs left as well. */
  readonly leftovers?: boolean;
  /** Told what other runs left, before anything of it is sent. */
  readonly onLeft?: (left: readonly Leftover[]) => void;
}

/** Plans that guards have stopped, or what runs came to. */
export interface Synced {
  readonly stopped: readonly PlanSummary[];
  readonly summaries: readonly RunSummary[];
}

interface Request extends Opened {
  readonly scope: Scope;
  readonly engine: Engine;
}

export type App = Awaited<ReturnType<typeof setApp>>;

const never = (): AbortSignal => new AbortController().signal;
/** How long a change is waited for. */
const WAIT_MS = 60_000;

export async function setApp(t: TestContext, options: AppOptions = {}) {
  const scope = openScope();
  t.after(() => scope.close());
  const { putData } = options;
  const { emulator, pool, directory } = await openOnePool(scope, options.pool, options.emulator);
  const at = (name: string): string => join(directory, name);
  const configure = (yaml: string): Promise<void> => writeFile(at("poolsync.yaml"), yaml);
  await configure(options.config ?? "");
  putData?.(at("data"));
  const redis = putData ? undefined : testRedis();
  const where: Values = redis ? { REDIS_URL: redis.url, POOLSYNC_NAMESPACE: redis.namespace } : {};
  /** Commands of the same engine are given it too. */
  const environment: Values = { ...where, ...options.environment };
  const log = createLog("silent");

  let engineScope = openScope();
  scope.defer({}, () => engineScope.close());
  let opening: Promise<Engine> | undefined;

  async function read(): Promise<Opened> {
    const known = { ...awsVariables(), HOME: "/nonexistent", ...environment };
    const config = await readConfig({ config: at("poolsync.yaml"), dataDir: at("data") }, known);
    return { config, log, reads: reportedReads(log, defined({ withinMs: options.readsWithinMs })) };
  }

  async function inRequest<T>(act: (request: Request) => Promise<T>): Promise<T> {
    const opened = await read();
    const engine = await (opening ??= openConfiguredEngine(opened.config, engineScope, { log }));
    return withScope((within) => act({ ...opened, scope: within, engine }));
  }

  async function poolOf(request: Request, id = POOL) {
    const { config, scope: within } = request;
    const chosen = choosePool(config, id);
    const clients = await openClients(config, within);
    const deps = { ...request, concurrency: config.concurrency, clients, signal: never() };
    return { pool: await openChosenPool(deps, chosen), cognito: clients.of(chosen) };
  }

  function feedsOf(request: Request, files: readonly string[], asked: Asked, signal = never()): Promise<OpenedFeeds> {
    const named = asked.feed === undefined ? { userPoolId: POOL } : {};
    const deps = { ...request, stdin: Readable.from([]), environment, signal };
    return openFeeds(deps, { ...named, ...asked, files });
  }

  async function contextOf(
    { config, log: logged, scope: within, engine }: Request,
    opened: Pick<RunContext, "pool">,
    { drain = never(), detached = false, leftovers = false, onLeft = () => {} }: SyncAsked = {},
    runs: readonly string[] = [],
  ): Promise<RunContext> {
    const interrupts = { drain, abort: never() };
    const { deliveries, ownRuns, leftRuns } = detached
      ? { deliveries: [], ownRuns: undefined, leftRuns: [] }
      : await deliverOwn(engine, [opened.pool], { runs, leftovers, onLeft });
    within.defer(deliveries, (all) => stopDeliveries(all, interrupts));
    const reportPath = (): string => at("report.ndjson");
    return {
      config,
      log: logged,
      engine,
      ...opened,
      deliveries,
      ownRuns,
      leftRuns,
      detached,
      interrupts,
      observe: () => {},
      reportPath,
    };
  }

  /** Every one of the plans, whose feeds are put, unless guards stop one of them. */
  function trySync(files: readonly string[], asked: SyncAsked = {}): Promise<Synced> {
    const { approve = [], detached, drain = never(), leftovers, onLeft, ...flags } = asked;
    return inRequest(async (request) => {
      const opened = await feedsOf(request, files, flags, drain);
      const {
        pool: { profile },
        feeds,
        baseline,
      } = opened;
      const deps = { ...request, ...opened, signal: drain };
      const planned = baseline === undefined ? undefined : await planFeeds(request, deps, opened, baseline);
      const target = { pool: profile.id, log };
      if (planned?.some((feed) => !isApproved(feed, approve, target)) === true) {
        return { stopped: planned.map(({ plan }) => summaryOf(plan)), summaries: [] };
      }
      const runs = planned?.flatMap(({ unfinished }) => unfinished?.id ?? []) ?? [];
      const context = await contextOf(request, opened, defined({ detached, drain, leftovers, onLeft }), runs);
      return { stopped: [], summaries: await runFeeds(context, { name: flags.feed, feeds, planned }) };
    });
  }

  /** A change that is waited for, or left to whoever delivers. */
  function change(
    username: string,
    attributes: UserChange["attributes"],
    { verified, clientMetadata, leave = false, despitePause = false }: ChangeMore = {},
  ): Promise<ChangeOutcome> {
    const asked = changeOf({ pool: POOL, username, attributes, ...defined({ verified, clientMetadata }) });
    return inRequest(async (request) => {
      const opened = await poolOf(request);
      return changeAndWait(request.engine, opened.pool, asked, {
        reading: never(),
        signal: never(),
        waitMs: WAIT_MS,
        leave,
        despitePause,
      });
    });
  }

  const tryExplain = (username: string): Promise<Explained> =>
    inRequest(async (request) => explain({ ...request, ...(await poolOf(request)), signal: never() }, username));

  /** Dead letters by kind and reason. */
  const groups = (): Promise<readonly LetterGroup[]> =>
    inRequest(async ({ engine, config }) => groupLetters(engine, await filtersOf(engine, config, {})));

  return {
    emulator,
    pool,
    at,
    environment,
    /** Where the library finds the same engine. */
    place: redis ? { redisUrl: redis.url, namespace: redis.namespace } : { dataDir: at("data") },
    dataDir: at("data"),
    configure,
    /** What a process has before it opens the engine. */
    read,
    /** Closes the engine: the next request opens it anew, as another process would. */
    async shut(): Promise<void> {
      await engineScope.close();
      engineScope = openScope();
      opening = undefined;
    },
    /** The engine itself. */
    open: (): Promise<Engine> => inRequest(({ engine }) => Promise.resolve(engine)),
    trySync,

    async file(text: string | Buffer, name = "people.csv"): Promise<string> {
      await writeFile(at(name), text);
      // A file of the same moment would not be newer than what was put before.
      await utimes(at(name), new Date(Date.now()), new Date(Date.now()));
      return at(name);
    },

    /** The plan of one file; its guards stop nothing here. */
    plan: (file: string, asked: Asked = {}): Promise<PlanSummary> =>
      inRequest(async (request) => {
        const opened = await feedsOf(request, [file], asked);
        assert.ok(opened.baseline !== undefined);
        const [planned] = await planFeeds(request, { ...request, ...opened, signal: never() }, opened, opened.baseline);
        assert.ok(planned);
        return summaryOf(planned.plan);
      }),

    /** The run of one file that no guard stops. */
    async sync(file: string, asked: SyncAsked = {}): Promise<RunSummary> {
      const { stopped, summaries } = await trySync([file], asked);
      assert.deepEqual(
        stopped.map(({ broken }) => broken),
        [],
      );
      const [summary] = summaries;
      assert.ok(summary);
      return summary;
    },

    drift: (file: string, asked: Asked = {}): Promise<DriftFound> =>
      inRequest(async (request) => {
        const opened = await feedsOf(request, [file], { ...asked, baseline: "live" });
        const deps = { ...request, ...opened, signal: never() };
        return findDriftOf(opened, await planFeeds(request, deps, { ...opened, everybody: true }, "live"));
      }),

    /** The way back of a run, put back where no guard stops it. */
    undo: (id: string, asked: Pick<SyncAsked, "approve" | "drain"> = {}): Promise<Synced> =>
      inRequest(async (request) => {
        const { config, scope: within, engine } = request;
        const { approve = [], drain = never() } = asked;
        const run = await findUndoable(engine.store, id, drain);
        const opened = await poolOf(request, run.pool);
        const deps = { scope: within, ...opened, engine, directory: config.dataDir, signal: drain };
        const { plan, source } = await planWayBack(deps, config, run);
        if (!isApproved({ plan, unfinished: undefined }, approve, { pool: run.pool, log })) {
          return { stopped: [summaryOf(plan)], summaries: [] };
        }
        return { stopped: [], summaries: [await runFeed(await contextOf(request, opened, asked), source)] };
      }),

    /** The run of a source of the test's own. */
    run: (source: RunSource): Promise<RunSummary> =>
      inRequest(async (request) => runFeed(await contextOf(request, await poolOf(request)), source)),

    cancel: (run: string): Promise<CancelledRun> => inRequest(({ engine }) => cancelRun(engine, log, run)),

    /** Answers how many users are kept. */
    pause: (target: PauseTarget, by: Pause): Promise<number> =>
      inRequest(({ engine }) => pause(engine, log, target, by)),

    /** Answers how many users are due again. */
    resume: (target: PauseTarget): Promise<number> => inRequest(({ engine }) => resume(engine, log, target)),

    change,

    /** What became of each attribute of a change that was waited for. */
    async update(
      username: string,
      attributes: UserChange["attributes"],
      more: Omit<ChangeMore, "leave"> = {},
    ): Promise<Values> {
      const outcome = await change(username, attributes, more);
      assert.ok(outcome.is === "delivered", outcome.is);
      return Object.fromEntries(Array.from(outcome.delivered.outcomes, ([name, { is }]) => [name, is]));
    },

    /** Leaves a change to whoever delivers, and answers the attributes that are on their way. */
    async queue(
      username: string,
      attributes: UserChange["attributes"],
      more: Omit<ChangeMore, "leave"> = {},
    ): Promise<readonly string[]> {
      const outcome = await change(username, attributes, { ...more, leave: true });
      assert.ok(outcome.is === "queued", outcome.is);
      return outcome.queued;
    },

    /** Delivers all that waits. */
    deliver: (): Promise<void> =>
      inRequest(async (request) => {
        await contextOf(request, await poolOf(request), { leftovers: true });
        const { runs } = request.engine.store;
        await until("nothing is pending", async () => (await runs.books()).pending === 0, 20_000);
      }),

    tryExplain,

    /** Why things stand so, as text. */
    async because(username: string): Promise<string> {
      const explained = await tryExplain(username);
      assert.ok(explained.is === "one", explained.is);
      return explained.explanation.because.map((said) => textOf(said)).join(" ");
    },

    async explain(username: string): Promise<Explanation> {
      const explained = await tryExplain(username);
      assert.ok(explained.is === "one", explained.is);
      return explained.explanation;
    },

    groups,

    /** Dead letters, as `kind reason letters`. */
    letters: async (): Promise<string[]> =>
      (await groups()).map(({ kind, reason, letters }) => `${kind} ${reason} ${letters}`),

    /** Puts letters of the pool again, and waits. */
    replay: (asked: LetterRequest): Promise<ReplayOutcome & Pick<Replayable, "notReplayable">> =>
      inRequest(async (request) => {
        const { engine, config } = request;
        const letters = { filters: await filtersOf(engine, config, asked), until: Date.now() };
        const { notReplayable } = await findReplayable(engine, letters);
        const stands = await openReplay(engine, letters);
        const context = await contextOf(request, await poolOf(request), {}, stands.runs);
        const observer = { onLook: () => {}, onStopped: () => {}, onHeld: () => {} };
        return { ...(await replayAndWait({ ...context, ...observer, pools: [POOL] }, letters, stands)), notReplayable };
      }),

    /** Dead letters one by one. */
    letterPage: (asked: LetterRequest = {}, at = { page: 1, size: 50 }): Promise<LetterPage> =>
      inRequest(async ({ engine, config }) => pageOfLetters(engine, await filtersOf(engine, config, asked), at)),

    /** Answers how many were discarded. */
    discard: (asked: LetterRequest): Promise<number> =>
      inRequest(async ({ engine, config }) =>
        discardLetters(engine, { filters: await filtersOf(engine, config, asked), until: Date.now(), dryRun: false }),
      ),

    /** Letters as records of a file, with their values. */
    exportLetters: (): Promise<Exported & { readonly records: readonly object[] }> =>
      inRequest(async ({ engine, config }) => {
        const records: object[] = [];
        const asked = { filters: await filtersOf(engine, config, {}), showValues: true };
        const exported = await exportLetters(engine, asked, (record) => Promise.resolve(void records.push(record)));
        return { ...exported, records };
      }),
  };
}

interface ChangeMore extends Pick<UserChange, "verified" | "clientMetadata"> {
  readonly leave?: boolean;
  readonly despitePause?: boolean;
}
