import type { Log } from "../log.ts";
import type { Reason } from "./answers.ts";

/** How many requests of a feed ended how since the last line. */
interface Counts {
  readonly reasons: Partial<Record<Reason, number>>;
  /** How many were signed with the feed's first secret, and with its second: so that one knows when that may go. */
  readonly secrets: [first: number, second: number];
}

export interface Tally {
  add(feed: string, reason: Reason, secret: number | undefined): void;
  /** A connection was cut because there were too many: one that was idle, or the one that came. */
  cut(what: "idle" | "refused"): void;
  /** Writes what is not written yet. */
  close(): void;
}

/** Writes a line a feed about what came, and one about connections that were cut, every `everyMs` in which something did. */
export function createTally(log: Log, everyMs: number): Tally {
  const counts = new Map<string, Counts>();
  let cuts = { idle: 0, refused: 0 };
  const write = (): void => {
    const { idle, refused } = cuts;
    if (idle + refused > 0) log.warn({ idle, refused }, "connections cut");
    cuts = { idle: 0, refused: 0 };
    for (const [feed, { reasons, secrets }] of counts) log.info({ feed, reasons, secrets }, "events counted");
    counts.clear();
  };
  const timer = setInterval(write, everyMs).unref();
  return {
    add(feed, reason, secret) {
      const { reasons, secrets } = counts.get(feed) ?? { reasons: {}, secrets: [0, 0] };
      reasons[reason] = (reasons[reason] ?? 0) + 1;
      if (secret !== undefined) secrets[secret === 1 ? 0 : 1] += 1;
      counts.set(feed, { reasons, secrets });
    },
    cut(what) {
      cuts[what] += 1;
    },
    close() {
      clearInterval(timer);
      write();
    },
  };
}
