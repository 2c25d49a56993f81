/** What the rows of a feed mean to each other, once the user of each is known: which of them and of their units stand. */
import { judgeClaim, type AliasStep } from "../core/alias-claims.ts";
import { createDuplicateRows, type UserRow } from "../core/duplicate-rows.ts";
import { isOfFormer } from "../core/mailbox.ts";
import { ROWS_PER_YIELD, yieldToEventLoop } from "./event-loop.ts";
import type { Planning } from "./planning.ts";
import type { RowIntake } from "./row-intake.ts";
import type { Match, TakenRow } from "./row-match.ts";
import type { RowBody } from "./scratch.ts";
import { settleStale } from "./stale-rows.ts";

/** In this order: a row that loses its user takes part in nothing that follows. */
export async function settleConflicts(
  planning: Planning,
  { aliases, givesNames }: Pick<RowIntake, "aliases" | "givesNames">,
): Promise<void> {
  planning.scratch.indexMatches();
  if (givesNames || (aliases.size > 0 && planning.names.areAliases)) faultNamesGivenAway(planning);
  settleAmbiguous(planning);
  await settleDuplicates(planning);
  await settleAwaiting(planning);
  settleClaims(planning);
  await settleStale(planning);
}

/** Rows whose name another row gives to somebody else: given once more, the file would mean another person by it. */
function faultNamesGivenAway({ scratch, names, bodies }: Planning): void {
  // Matches are changed after the walk, which reads them.
  const rows = bodies
    .walk()
    .filter(({ taken: { change } }) =>
      Array.from(names.givenAway(change.username, change.units)).some((name) => scratch.isWanted(name)),
    )
    .map(({ row }) => row)
    .toArray();
  for (const row of rows) {
    scratch.choose(row, undefined);
    scratch.fault(row, "name-given-away");
  }
}

function settleAmbiguous({ scratch }: Planning): void {
  for (const { row, verified } of scratch.ambiguous()) {
    scratch.choose(row, verified);
    if (verified === undefined) scratch.fault(row, "user-ambiguous");
  }
}

async function settleDuplicates({ scratch, mapping, bodies }: Planning): Promise<void> {
  let walked = 0;
  const rowOf = ({ row, body }: RowBody): UserRow => {
    const { version, units } = bodies.taken(body).change;
    return { row, units, version: version ?? { timeMs: 0, sequence: row } };
  };
  for (const rowsOfUser of scratch.doubles()) {
    const duplicates = createDuplicateRows(mapping.duplicates === "last");
    for (const row of rowsOfUser) {
      duplicates.meet(rowOf(row));
      if ((walked += 1) % ROWS_PER_YIELD === 0) await yieldToEventLoop();
    }
    for (const row of rowsOfUser) {
      if ((walked += 1) % ROWS_PER_YIELD === 0) await yieldToEventLoop();
      for (const { row: number, unit, as } of duplicates.overruled(rowOf(row))) scratch.settle(number, unit, as);
    }
  }
}

/** Values that were sent and wait for the person's confirmation are not sent again: the ledger has them. */
async function settleAwaiting(planning: Planning): Promise<void> {
  const { profile, scratch, baseline, bodies } = planning;
  if (profile.requireVerificationBeforeUpdate.length === 0 || baseline !== "live") return;
  for (const { row, body, match: text } of scratch.rows()) {
    if (text === undefined) continue;
    const match = bodies.match(text);
    if (!match.diffs.some(({ action }) => action === "asked")) continue;
    await decideAsked(planning, bodies.taken(body), match);
    scratch.rematch(row, bodies.seal(match));
  }
}

/** Makes of each change that would ask the person one that waits for them, or one that is sent. */
async function decideAsked({ profile, keyring, ledgers }: Planning, taken: TakenRow, match: Match): Promise<void> {
  const key = keyring.userKey(profile.id, match.username);
  const ledger = (await ledgers([key])).get(key) ?? {};
  const account = match.person?.account;
  const mark = account && keyring.accountMark(profile.id, account);
  for (const [at, diff] of match.diffs.entries()) {
    const unit = taken.change.units[at];
    if (diff.action !== "asked" || unit === undefined) continue;
    const last = ledger[unit.name];
    const isFormer = last !== undefined && mark !== undefined && isOfFormer(last, mark);
    const wasSent = !isFormer && last?.digest === keyring.valueDigest(unit.name, unit.value);
    diff.action = wasSent ? "awaiting" : diff.before === undefined ? "set" : "change";
  }
}

/** Sign-in names that are somebody's, or that rows of several users want. */
function settleClaims({ scratch }: Planning): void {
  for (const { alias, user, row, attribute } of scratch.disputed()) {
    const stepOf = (owner: string): AliasStep => {
      const claim = scratch.claimOf(owner, attribute);
      if (!claim) return { is: "stays" };
      if (claim.alias === null) return { is: "moves" };
      if (scratch.isContested(claim.alias, owner)) return { is: "stays" };
      return { is: "moves", to: scratch.owner(claim.alias) };
    };
    const claim = { claimant: user, contested: scratch.isContested(alias, user), owner: scratch.owner(alias) };
    const fault = judgeClaim(claim, stepOf);
    if (fault) scratch.settle(row, attribute, fault);
  }
}
