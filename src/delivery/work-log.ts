/** What deliveries did in the log: a line a minute while there is anything to tell. */
import type { Settlement, Settlements } from "../core/settlement.ts";
import type { Log } from "../log.ts";

export interface WorkLog {
  /** A user's claim was settled so. */
  add(user: string, settlements: Settlements): void;
  /** Writes what is left, and stops. */
  close(): void;
}

const EVERY_MS = 60_000;

export function createWorkLog(log: Log, pool: string): WorkLog {
  const users = new Set<string>();
  const units = new Map<Settlement["is"], number>();
  const of = (is: Settlement["is"]): number => units.get(is) ?? 0;
  const flush = (): void => {
    if (users.size === 0) return;
    const [applied, unchanged, again, buried] = [of("applied"), of("unchanged"), of("retry"), of("bury")];
    log.info({ pool, users: users.size, applied, unchanged, again, buried }, "delivered");
    users.clear();
    units.clear();
  };
  const timer = setInterval(flush, EVERY_MS).unref();
  return {
    add(user, settlements) {
      users.add(user);
      for (const { is } of Object.values(settlements)) units.set(is, of(is) + 1);
    },
    close() {
      clearInterval(timer);
      flush();
    },
  };
}
