/** An event that was found genuine is written down, sealed and whole: when that is done it may be acknowledged. */
import { defined } from "../../core/defined.ts";
import type { InboxLimits } from "../../core/inbox.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { redisFault } from "../../store/redis/redis-error.ts";
import { eventId, sealEvent } from "../../store/sealed-event.ts";
import { StoreError } from "../../store/store-error.ts";

/** An event, whole and as it came. */
export interface AcceptableEvent {
  /** Its own id, or the bytes that name it; undefined where its body does. */
  readonly id: string | Uint8Array | undefined;
  /** Epoch ms: when the sender signed it, by the sender's clock. */
  readonly signedAtMs: number | undefined;
  /** Of its signature, or `job`. */
  readonly scheme: string;
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
}

interface AcceptDeps {
  readonly engine: Pick<Engine, "store" | "keyring">;
  readonly log: Log;
  readonly limits: InboxLimits;
}

/** `accepted`: it is kept for good. `repeated`: it came before. `unavailable`: the store cannot take it now. */
export type Accept = (
  feed: string,
  event: AcceptableEvent,
) => Promise<"accepted" | "repeated" | "full" | "unavailable">;

/** Keeps all of them in one step, or none. */
export type AcceptAll = (
  feed: string,
  events: readonly AcceptableEvent[],
) => Promise<readonly ("accepted" | "repeated")[] | "full" | "unavailable">;

export function createAccept(deps: AcceptDeps): Accept {
  const acceptAll = createAcceptAll(deps);
  return async (feed, event) => {
    const answer = await acceptAll(feed, [event]);
    if (typeof answer === "string") return answer;
    return answer.includes("repeated") ? "repeated" : "accepted";
  };
}

export function createAcceptAll({ engine, log, limits }: AcceptDeps): AcceptAll {
  const { store, keyring } = engine;
  return async (feed, events) => {
    const entries = events.map(({ id: own, signedAtMs: signedAt, scheme, body, contentType = "" }) => {
      const id = eventId(keyring, { feed, scheme }, own ?? body);
      return { id, feed, body: sealEvent(keyring, id, defined({ feed, scheme, signedAt, contentType, body })) };
    });
    try {
      const added = await store.inbox.add(entries, limits);
      return added === "full" ? added : added.map(({ is }) => (is === "repeated" ? is : "accepted"));
    } catch (thrown) {
      const error = redisFault(thrown);
      if (!(error instanceof StoreError)) throw error;
      log.error({ feed, err: error }, "event could not be kept");
      return "unavailable";
    }
  };
}
