/**
 * Values of a feed that are older than what poolsync has written since: put says the same of them, and sends none. And those
 * that events had missed.
 */
import { isOlder } from "../core/ledger.ts";
import { canonicalUsername } from "../core/pool-schema.ts";
import { ordinalText, versionText } from "../core/version.ts";
import { ROWS_PER_YIELD, yieldToEventLoop } from "./event-loop.ts";
import { isMissed, MISSED } from "./missed.ts";
import { isSent } from "./planned-row.ts";
import type { Planning } from "./planning.ts";
import { unseen, type Match, type TakenRow, type UnitDiff } from "./row-match.ts";
import type { ScratchRow } from "./scratch.ts";

const BATCH = 500;

interface OldRow {
  readonly row: number;
  readonly taken: TakenRow;
  readonly match: Match;
  /** Of those that would be sent. */
  readonly names: readonly string[];
}

/** Of users of whom nothing would be sent no ledger is read. */
export async function settleStale(planning: Planning): Promise<void> {
  const { scratch } = planning;
  let batch: OldRow[] = [];
  let walked = 0;
  for (const row of scratch.rows()) {
    if ((walked += 1) % ROWS_PER_YIELD === 0) await yieldToEventLoop();
    const mayBeOld = sentOf(planning, row);
    if (mayBeOld === undefined) continue;
    batch.push(mayBeOld);
    if (batch.length < BATCH) continue;
    await compareTimes(planning, batch);
    batch = [];
  }
  await compareTimes(planning, batch);
}

function sentOf(
  { bodies }: Planning,
  { row, body, user, match: text, fault, settled }: ScratchRow,
): OldRow | undefined {
  if (user === undefined || fault !== undefined) return undefined;
  const found = text === undefined ? undefined : bodies.match(text);
  if (found?.diffs.some(wouldSend) === false) return undefined;
  const taken = bodies.taken(body);
  const match = found ?? unseen(taken);
  const names = taken.change.units.flatMap(({ name }, at) => {
    const diff = match.diffs[at];
    return diff !== undefined && wouldSend(diff) && !settled.has(name) ? [name] : [];
  });
  return names.length === 0 ? undefined : { row, taken, match, names };
}

function wouldSend({ action }: UnitDiff): boolean {
  return action !== "asked" && isSent(action);
}

async function compareTimes(planning: Planning, batch: readonly OldRow[]): Promise<void> {
  const { profile, keyring, ledgers, scratch, events } = planning;
  if (batch.length === 0) return;
  const keyed = batch.map((row) => ({
    ...row,
    user: keyring.userKey(profile.id, canonicalUsername(profile, row.match.username)),
  }));
  const known = await ledgers(keyed.map(({ user }) => user));
  for (const { row, user, taken, match, names } of keyed) {
    const ledger = known.get(user);
    const { version } = taken.change;
    if (ledger === undefined || version === undefined) continue;
    const account = match.person?.account && keyring.accountMark(profile.id, match.person.account);
    // Whatever comes is given an arrival that is later than all before.
    const fromHere = { version: versionText(ordinalText(version), Number.MAX_SAFE_INTEGER), account };
    for (const [at, unit] of taken.change.units.entries()) {
      const { name } = unit;
      if (!names.includes(name)) continue;
      if (isOlder(ledger, name, fromHere)) scratch.settle(row, name, "stale");
      else if (events === undefined || !match.found || match.diffs[at]?.action === "write") continue;
      else if (await isMissed(events, keyring, { user, ledger, version, unit })) scratch.settle(row, name, MISSED);
    }
  }
}
