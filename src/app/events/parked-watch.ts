/** Looks after what is parked: what is too old goes, and who was nobody may be somebody by now. */
import type { InboxLimits } from "../../core/inbox.ts";
import type { Log } from "../../log.ts";
import type { Store } from "../../store/store.ts";

/** What may lie parked: the oldest of too many go. */
const MOST: InboxLimits = { entries: 100_000, bytes: 256 * 2 ** 20 };
/** How much is looked at in one look. */
const TRIMMED_AT_ONCE = 1_000;
const NOBODY_EVERY_MS = 3_600_000;
/** How many are looked up again in an hour: each costs a call. */
const NOBODIES_AN_HOUR = 500;

export interface ParkedWatch {
  look(nowMs: number): Promise<void>;
}

/** `keepMs`: how long something may, from when it arrived. */
export function createParkedWatch({ inbox }: Pick<Store, "inbox">, log: Log, keepMs: number): ParkedWatch {
  let nobodyAt: number | undefined;
  /** When the last arrived that was looked at, epoch ms: the next look begins behind it. */
  let lookedUntil = 0;

  async function replayNobody(): Promise<void> {
    const ids: string[] = [];
    for await (const { id, arrivedAt } of inbox.parked({ reason: "nobody", since: lookedUntil })) {
      lookedUntil = arrivedAt + 1;
      ids.push(id);
      if (ids.length >= NOBODIES_AN_HOUR) break;
    }
    if (ids.length < NOBODIES_AN_HOUR) lookedUntil = 0;
    if (ids.length === 0) return;
    const replayed = await inbox.replay(ids);
    log.info({ events: replayed.length }, "events that named nobody are looked at again");
  }

  return {
    async look(nowMs) {
      const gone = await inbox.trim({ ...MOST, keepMs }, TRIMMED_AT_ONCE);
      if (gone > 0) log.warn({ events: gone }, "parked events discarded");
      nobodyAt ??= nowMs + NOBODY_EVERY_MS;
      if (nowMs < nobodyAt) return;
      nobodyAt = nowMs + NOBODY_EVERY_MS;
      await replayNobody();
    },
  };
}
