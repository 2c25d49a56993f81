/**
 * Tells when Redis is lost, and when it is silent: a host that is gone without a word, a firewall that drops, a process
 * that is suspended all leave the connection open, and calls wait. One line when it begins and one when it is over.
 */
import type { Log } from "../log.ts";

export interface RedisWatch {
  /** The connection calls it when it is lost, and when it is back. */
  readonly report: (is: "lost" | "back") => void;
  readonly isConnected: () => boolean;
  /** Looks every few seconds, by a call that Redis answers at once. What is returned ends it. */
  readonly begin: (look: () => Promise<void>) => () => void;
}

const LOOK_EVERY_MS = 2_000;
const SILENT_AFTER_MS = 4_000;
/** A process that stood still itself first reads what has come meanwhile. */
const CATCH_UP_MS = 100;

export function createRedisWatch(place: string, log: Log, say: (sentence: string) => void): RedisWatch {
  let trouble: { readonly is: "lost" | "silent"; readonly since: number } | undefined;
  /** The look that has no answer yet, and when it is too late for one. */
  let asked: Promise<void> | undefined;
  let deadline: NodeJS.Timeout | undefined;

  function begins(is: "lost" | "silent"): void {
    if (trouble) return;
    trouble = { is, since: performance.now() };
    if (is === "lost") {
      log.error({ redis: place }, "connection to Redis lost");
      say(
        `The connection to Redis at ${place} is lost. It is tried again by itself, and what was queued stays queued.`,
      );
    } else {
      log.error({ redis: place }, "Redis does not answer");
      say(`Redis at ${place} does not answer. It is waited for, and what was queued stays queued.`);
    }
  }

  function ends(is: "lost" | "silent"): void {
    if (trouble?.is !== is) return;
    const lastedMs = Math.round(performance.now() - trouble.since);
    trouble = undefined;
    if (is === "lost") log.info({ redis: place, lastedMs }, "connection to Redis is back");
    else log.info({ redis: place, lastedMs }, "Redis answers again");
    say(`Redis at ${place} is back.`);
  }

  function arm(): void {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      deadline = setTimeout(() => begins("silent"), CATCH_UP_MS).unref();
    }, SILENT_AFTER_MS).unref();
  }

  return {
    report(is) {
      if (is === "lost") return begins("lost");
      ends("lost");
      // A look that the loss left without an answer is asked again on the new connection, which may be silent as well.
      if (asked) arm();
    },
    isConnected: () => trouble === undefined,
    begin(look) {
      let ended = false;
      const timer = setInterval(() => {
        if (asked || trouble?.is === "lost") return;
        arm();
        // An answer that is an error is one as well.
        const answered = (): void => {
          clearTimeout(deadline);
          asked = undefined;
          if (!ended) ends("silent");
        };
        asked = look().then(answered, answered);
      }, LOOK_EVERY_MS).unref();
      return () => {
        ended = true;
        clearInterval(timer);
        clearTimeout(deadline);
        asked = undefined;
      };
    },
  };
}
