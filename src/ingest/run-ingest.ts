/**
 * The process that takes events: by HTTP, from queues of Amazon SQS, and on Redis from the queue `changes` where jobs are
 * taken. It writes them into the inbox, and makes changes of them; workers deliver these. In a data directory, which has
 * one process, it delivers as well.
 */
import { eventSecrets, namedPool, type Config } from "../config/config.ts";
import { ConfigError } from "../config/config-error.ts";
import { createAccept, createAcceptAll, type Accept } from "../app/events/accept-event.ts";
import { startDrainer } from "../app/events/drain-events.ts";
import { openEventPools } from "../app/events/event-pools.ts";
import { takeJobs } from "../app/events/keep-jobs.ts";
import { startStoreClock } from "../app/events/store-clock.ts";
import { AppError } from "../app/app-error.ts";
import { AS_PROCESS, openClients, openEngineToPut, type Opened } from "../app/opening.ts";
import { pauseNote } from "../app/gates/pause.ts";
import { DRAIN_MS } from "../app/runs/stop-deliveries.ts";
import { keepFinishingRuns } from "../app/workers/finish-runs.ts";
import { drained, endWorkerInTime, type WorkerDeps } from "../app/workers/worker-process.ts";
import { notesWithoutAof } from "../app/without-aof.ts";
import { keptBytes } from "../store/sealed-event.ts";
import { keepAlive } from "../delivery/worker-lease.ts";
import { withScope, type Interrupts } from "../lifecycle.ts";
import type { Engine } from "../queues/engine.ts";
import { createIngestServer, type IngestFeed, type IngestOptions, type IngestServer } from "./ingest-server.ts";
import { pollQueues, queueFeeds, type QueueFeed } from "./queue-feeds.ts";

export interface IngestDeps extends WorkerDeps, Pick<Opened, "turn"> {
  /** Where the secrets are instead of in the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Takes commands of others until it is closed: the command line has them, which nobody here knows. */
  readonly serve?:
    | ((holding: { readonly engine: Engine; readonly config: Config }) => Promise<{ close(): Promise<void> }>)
    | undefined;
}

/** How long requests in hand may take to be answered. */
const ANSWERS_WITHIN_MS = 10_000;

/** Takes events until it is interrupted. Throws a ConfigError where no feed has any, or the inbox could not hold one of them. */
export async function runIngest({ config, log, interrupts, turn, environment, serve }: IngestDeps): Promise<void> {
  const feeds = webhookFeeds(config, environment);
  const queues = queueFeeds(config);
  demandEvents([...feeds, ...queues], config);
  await withScope(async (scope) => {
    endWorkerInTime({ log, interrupts }, (ANSWERS_WITHIN_MS + DRAIN_MS) / 1000, scope);
    const engine = await openEngineToPut(config, scope, { log, turn }, AS_PROCESS);
    const clock = scope.defer(await startStoreClock(engine.store), (started) => started.stop());
    const clients = await openClients(config, scope);
    const names = [...feeds, ...queues].map(({ name }) => name);
    // Opened while events are taken, and needed until they are put.
    const ids = [...feeds, ...queues].map(({ pool }) => pool);
    const pools = scope.defer(openEventPools({ config, log, engine, clients, interrupts }, ids), (opened) =>
      opened.close(),
    );
    const drainer = scope.defer(
      startDrainer({ engine, config, poolOf: ({ pool }) => pools.of(pool), log }),
      (started) => started.close(),
    );
    const keep = createAccept({ engine, log, limits: config.inbox });
    const accept: Accept = async (feed, event) => {
      const acceptance = await keep(feed, event);
      if (acceptance === "accepted") drainer.wake();
      return acceptance;
    };
    const keepAll = createAcceptAll({ engine, log, limits: config.inbox });
    const acceptAll: IngestOptions["accept"] = async (feed, events) => {
      const answer = await keepAll(feed, events);
      if (typeof answer === "string") return answer;
      if (!answer.includes("accepted")) return "repeated";
      drainer.wake();
      return "accepted";
    };
    if (engine.kind === "redis") {
      takeJobs({ engine, config, accept, log }, scope);
      scope.defer(keepAlive(engine.store, { does: "events" }), (lease) => lease.end());
    }
    const ending = AbortSignal.any([interrupts.drain, engine.store.lost]);
    const wake = (): void => drainer.wake();
    const polled = await pollQueues(
      { config, engine, log, wake, signal: ending, abort: interrupts.abort },
      queues,
      scope,
    );
    // Whoever sends webhooks to this process still can where a queue is refused.
    const isOfUse = (): boolean => feeds.length > 0 || !polled.areRefused();
    const server = createIngestServer({
      feeds,
      accept: acceptAll,
      now: () => clock.now(),
      ready: () => engine.connected && clock.now() !== undefined && !interrupts.drain.aborted && isOfUse(),
      notes: () => [
        ...polled.notes(),
        ...notesWithoutAof(engine.store),
        ...drainer.notes,
        ...new Set([...pools.deliveries].flatMap(({ paused }) => paused.map(pauseNote))),
      ],
      log,
    });
    scope.defer(server, (listening) => closeServer(listening, interrupts));
    if (serve !== undefined && engine.kind === "embedded") {
      scope.defer(await serve({ engine, config }), (serving) => serving.close());
    }
    await listenAt(server, config);
    log.info({ feeds: names, engine: engine.kind, namespace: config.namespace }, "ingest started");
    const delivered = engine.kind === "embedded" ? ids : [];
    const finishing = keepFinishingRuns(engine.store, log, delivered, ending);
    await drained(engine, interrupts, log);
    log.info({}, "ingest stopping");
    await finishing;
  });
}

type WebhookFeed = IngestFeed & {
  /** Its id. */
  readonly pool: string;
};

function webhookFeeds(config: Config, environment: IngestDeps["environment"]): readonly WebhookFeed[] {
  return Object.entries(config.feeds).flatMap(([name, { events, pool }]): WebhookFeed[] =>
    events?.scheme === undefined || pool === undefined
      ? []
      : [{ name, events, secrets: eventSecrets(events, environment), pool: namedPool(config, pool).id }],
  );
}

/** Throws a ConfigError where there are none, or the inbox could not hold one of their events. */
function demandEvents(feeds: readonly (WebhookFeed | QueueFeed)[], config: Config): void {
  const [longest] = feeds.toSorted((one, other) => other.events.maxBytes - one.events.maxBytes);
  if (longest !== undefined && keptBytes(longest.events.maxBytes) > config.inbox.bytes) {
    const { name, events } = longest;
    const needed = Math.ceil(keptBytes(events.maxBytes) / 2 ** 20);
    const message = `Expected ${needed} at least: feed ${name} takes events of ${events.maxBytes / 2 ** 20} MB (\`maxMegabytes\`), which take more as they are kept, and would be refused for ever; raise it, or lower \`maxMegabytes\``;
    throw new ConfigError([{ path: "POOLSYNC_INBOX_MEGABYTES", message }]);
  }
  if (longest !== undefined) return;
  const message =
    "Expected a feed with `events` such as `{ scheme: standard-webhooks, secret: CRM_SECRET }`: there is none to take events for";
  throw new ConfigError([{ path: "poolsync.yaml: feeds", message }]);
}

/** Throws an AppError `port` where the address cannot be had. */
async function listenAt(server: IngestServer, { ingest: { host, port } }: Config): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause;
    const why =
      cause.code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened at (${String(cause.code)})`;
    throw new AppError("port", `Port ${port} of ${host} ${why}: give another --port (POOLSYNC_INGEST_PORT).`, {
      cause,
    });
  }
}

/** Answers what is in hand, unless the user insists with a second signal. */
async function closeServer(server: IngestServer, { abort }: Interrupts): Promise<void> {
  const cut = (): void => void server.close(0);
  if (abort.aborted) cut();
  abort.addEventListener("abort", cut, { once: true });
  try {
    await server.close(ANSWERS_WITHIN_MS);
  } finally {
    abort.removeEventListener("abort", cut);
  }
}
