/**
 * Settles in the log. One that came too late is told to whoever runs it all, with what its call may have written over
 * something newer. What was claimed, and what became of each unit, is told at `debug`, so that a pool's history can be
 * held against the books and the gates.
 */
import { defined } from "../core/defined.ts";
import type { Units } from "../core/mailbox.ts";
import type { Settlement, Settlements } from "../core/settlement.ts";
import type { Log } from "../log.ts";
import type { Mailboxes } from "../store/mailboxes.ts";
import type { WorkLog } from "./work-log.ts";

/** Claims and settles as the store does, and tells of it: units, versions and runs, and no values. */
export function logSettles(
  mailboxes: Mailboxes,
  pool: string,
  log: Log,
  work?: Pick<WorkLog, "add">,
): Pick<Mailboxes, "claim" | "settle"> {
  // Each claim and each settle comes by here: what nobody would read is not put together.
  const tellsAll = log.isLevelEnabled("debug");
  return {
    async claim(user, token, leaseMs, selection) {
      // A gate that was closed by then keeps nothing from having been claimed before.
      const askedAt = Date.now();
      const answer = await mailboxes.claim(user, token, leaseMs, selection);
      if (tellsAll && answer.is === "claimed")
        log.debug({ pool, user, askedAt, units: claimedOf(answer.units) }, "units claimed");
      return answer;
    },
    async settle(user, token, settlements, leaseMs, runs) {
      try {
        const answer = await mailboxes.settle(user, token, settlements, leaseMs, runs);
        const { late, doubted } = answer;
        if (late) log.warn({ pool, user, doubted, written: writtenBy(settlements) }, "settle came too late");
        else if (tellsAll) log.debug({ pool, user, units: outcomesOf(settlements) }, "units settled");
        if (!late) work?.add(user, settlements);
        return answer;
      } catch (error) {
        if (tellsAll) log.debug({ pool, user, units: outcomesOf(settlements) }, "settle failed");
        throw error;
      }
    },
  };
}

function claimedOf(units: Units): Readonly<Record<string, object>> {
  return Object.fromEntries(Object.entries(units).map(([name, { version, run }]) => [name, { version, run }]));
}

const fateOf = (settlement: Settlement): true | undefined =>
  "fateUnknown" in settlement && settlement.fateUnknown ? true : undefined;

/** The versions that were written, or may have been, by unit. */
function writtenBy(settlements: Settlements): Readonly<Record<string, string>> {
  const written = Object.entries(settlements).filter(([, one]) => one.is === "applied" || fateOf(one) === true);
  return Object.fromEntries(written.map(([name, { version }]) => [name, version]));
}

function outcomesOf(settlements: Settlements): Readonly<Record<string, object>> {
  const outcomes = Object.entries(settlements).map(([name, settlement]) => {
    const { is, version } = settlement;
    return [name, defined({ is, version, fateUnknown: fateOf(settlement) })] as const;
  });
  return Object.fromEntries(outcomes);
}
