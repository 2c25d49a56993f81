/** Looks after what is parked: what is too old goes, and who was nobody may be somebody by now. */
import type { Config } from "../../config/config.ts";
import type { InboxLimits } from "../../core/inbox.ts";
import type { Log } from "../../log.ts";
import type { ParkedEntry } from "../../store/inbox.ts";
import type { Store } from "../../store/store.ts";
import { PARKED_PAGE, poolOfEvents } from "./parked-events.ts";

/** What may lie parked: the oldest of too many go. */
const MOST: InboxLimits = { entries: 100_000, bytes: 256 * 2 ** 20 };
/** How much is looked at in one look. */
const TRIMMED_AT_ONCE = 1_000;
const NOBODY_EVERY_MS = 3_600_000;
/** How many are looked up again at a time: each may cost a call, and goes before what came later. */
const NOBODIES_AT_ONCE = 500;

export interface ParkedWatch {
  look(nowMs: number): Promise<void>;
}

/** `keepMs`: how long something may, from when it arrived. */
export function createParkedWatch({ inbox }: Pick<Store, "inbox">, log: Log, keepMs: number): ParkedWatch {
  let nobodyAt: number | undefined;
  return {
    async look(nowMs) {
      const gone = await inbox.trim({ ...MOST, keepMs }, TRIMMED_AT_ONCE);
      if (gone > 0) log.warn({ events: gone }, "parked events discarded");
      nobodyAt ??= nowMs + NOBODY_EVERY_MS;
      if (nowMs < nobodyAt) return;
      nobodyAt = nowMs + NOBODY_EVERY_MS;
      await lookAgain({ inbox }, log);
    },
  };
}

/** After a scan of the pool: events of its feeds that named nobody. */
export async function lookAgainAfterScan(
  { inbox }: Pick<Store, "inbox">,
  { config, log }: { readonly config: Config; readonly log: Log },
  pool: string,
): Promise<void> {
  const isOfPool = (feed: string): boolean => poolOfEvents(config, feed) === pool;
  const { feeds } = (await inbox.counts()).parked;
  if (Object.keys(feeds).some(isOfPool)) await lookAgain({ inbox }, log, isOfPool);
}

/**
 * Puts events that named nobody back, those that were looked at longest ago first. Who is nobody still is parked anew, and
 * so comes last the next time.
 */
async function lookAgain(
  { inbox }: Pick<Store, "inbox">,
  log: Log,
  include: (feed: string) => boolean = () => true,
): Promise<void> {
  let chosen: Pick<ParkedEntry, "id" | "parkedAt">[] = [];
  const longestAgo = (): void => {
    chosen = chosen.toSorted((one, other) => one.parkedAt - other.parkedAt).slice(0, NOBODIES_AT_ONCE);
  };
  for await (const { id, feed, parkedAt } of inbox.parked({ reason: "nobody" })) {
    if (!include(feed)) continue;
    chosen.push({ id, parkedAt });
    if (chosen.length >= 2 * NOBODIES_AT_ONCE) longestAgo();
  }
  longestAgo();
  let events = 0;
  for (let from = 0; from < chosen.length; from += PARKED_PAGE) {
    const page = chosen.slice(from, from + PARKED_PAGE).map(({ id }) => id);
    events += (await inbox.replay(page)).length;
  }
  if (events > 0) log.info({ events }, "events that named nobody are looked at again");
}
