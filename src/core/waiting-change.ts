import type { QueuedUnit, UserState } from "./mailbox.ts";
import { contactOf, flagOf } from "./unit.ts";

/**
 * True where a change of the unit waits or is under way that the ledger does not know yet: of its value, or of the
 * flag or contact that goes with it. A value that the ledger has already changes nothing; nor does one that is to be
 * put anyway: `wanted` has the digests of these, by unit.
 */
export function changeWaits(
  { mailbox, ledger }: UserState,
  unit: string,
  desired: Readonly<Record<string, string>>,
): boolean {
  if (!mailbox) return false;
  const { pending, claim } = mailbox;
  for (const name of [unit, flagOf(unit), contactOf(unit)]) {
    if (name === undefined) continue;
    const last = named(ledger, name);
    const queued = [named(pending, name), named(claim?.units ?? {}, name)];
    if (queued.some((one) => one && one.digest !== named(desired, name) && isNews(one, last))) return true;
  }
  return false;
}

/** Where a write had no answer, the ledger has its version and no digest: the write is still under way. */
function isNews({ version, digest }: QueuedUnit, last: UserState["ledger"][string] | undefined): boolean {
  return !last || (version >= last.version && digest !== last.digest);
}

/** A unit may be called `constructor`. */
function named<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
