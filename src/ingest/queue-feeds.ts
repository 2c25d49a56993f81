/** The feeds whose events lie in queues, each with a poller of its own. */
import { createAcceptAll } from "../app/events/accept-event.ts";
import { messageEvent } from "../app/events/queue-message.ts";
import { createSqsQueue, loadSqs } from "../cognito/sqs-queue.ts";
import { namedPool, type Config } from "../config/config.ts";
import { ConfigError } from "../config/config-error.ts";
import type { QueueSetting } from "../config/events.ts";
import { queueTarget } from "../config/sqs.ts";
import type { Scope } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import { startPoller, type PollerTiming } from "./queue-poller.ts";

export interface QueueFeed {
  readonly name: string;
  readonly events: QueueSetting;
  /** Its id. */
  readonly pool: string;
}

interface QueueDeps {
  readonly config: Pick<Config, "aws" | "inbox">;
  readonly engine: Pick<Engine, "store" | "keyring">;
  readonly log: Log;
  /** Told that something was added to the inbox. */
  readonly wake: () => void;
  /** Receives no more, once it is aborted. */
  readonly signal: AbortSignal;
  /** Waits for nothing any more, once it is aborted. */
  readonly abort: AbortSignal;
  readonly timing?: PollerTiming | undefined;
}

export interface PolledQueues {
  /** What a person should know of them, a sentence each. */
  readonly notes: () => readonly string[];
  /** True where none of them can be polled. */
  readonly areRefused: () => boolean;
}

export function queueFeeds(config: Config): readonly QueueFeed[] {
  return Object.entries(config.feeds).flatMap(([name, { events, pool }]): QueueFeed[] =>
    events === undefined || events.scheme !== undefined || pool === undefined
      ? []
      : [{ name, events, pool: namedPool(config, pool).id }],
  );
}

/** Polls until the scope is closed. Throws a ConfigError where a queue cannot be asked as things are. */
export async function pollQueues(deps: QueueDeps, feeds: readonly QueueFeed[], scope: Scope): Promise<PolledQueues> {
  const [first] = feeds;
  if (first === undefined) return { notes: () => [], areRefused: () => false };
  const { config, log, wake, signal, abort, timing } = deps;
  const targets = feeds.map(({ name, events }) => queueTarget(config.aws, name, events.sqs));
  const sdk = await loadSqs();
  if (sdk === undefined) {
    const message = "Expected the package @aws-sdk/client-sqs, which is not installed: install it beside poolsync";
    throw new ConfigError([{ path: `poolsync.yaml: feeds.${first.name}.events.sqs`, message }]);
  }
  const acceptAll = createAcceptAll({ ...deps, limits: config.inbox });
  const pollers = feeds.flatMap(({ name, events: { sqs, id } }, index) => {
    const target = targets[index];
    if (target === undefined) return [];
    const poller = startPoller({
      feed: name,
      queue: createSqsQueue(sdk, { url: sqs.url, target }),
      async keep(messages) {
        const events = messages.map((message) => messageEvent(message, id));
        const answer = await acceptAll(name, events).catch((error: unknown) => {
          log.error({ feed: name, err: error }, "event could not be kept");
          return "unavailable" as const;
        });
        if (typeof answer === "string") return answer;
        const repeated = answer.filter((one) => one === "repeated").length;
        log.info({ feed: name, events: answer.length, repeated }, "messages kept");
        wake();
        return "kept";
      },
      log,
      signal,
      abort,
      ...(timing && { timing }),
    });
    return [scope.defer(poller, (started) => started.close())];
  });
  return {
    notes: () => pollers.flatMap(({ note }) => note ?? []),
    areRefused: () => pollers.every(({ isInTrouble }) => isInTrouble),
  };
}
