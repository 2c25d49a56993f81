/** What came of the changes of one user: what poolsync wrote or found last, and what was not written. */
import { accountOf } from "../../cognito/listed-user.ts";
import type { ListedUser } from "../../core/comparison.ts";
import { isOfFormer, type UserState } from "../../core/mailbox.ts";
import type { PoolProfile } from "../../core/pool-schema.ts";
import { defined } from "../../core/defined.ts";
import { contactOf, flagOf, VERIFIED, type UnitValue } from "../../core/unit.ts";
import { timeOf } from "../../core/version.ts";
import { nameKey } from "../../delivery/row-exceptions.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Exception } from "../../store/exceptions.ts";
import type { Keyring } from "../../store/keyring.ts";
import type { Run, Runs } from "../../store/runs.ts";
import { printable } from "../../core/masking.ts";
import type { ExceptionView, LedgerUnit } from "./explanation.ts";

interface OutcomeDeps {
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
}

/** The ledger as people see it, compared with what the pool lists. */
export function ledgerOf(
  { keyring, profile }: OutcomeDeps,
  state: UserState,
  listed: ListedUser | undefined,
): readonly LedgerUnit[] {
  const mark = listed && keyring.accountMark(profile.id, accountOf(listed));
  return Object.entries(state.ledger).map(([attribute, entry]): LedgerUnit => {
    const { version, digest, at, run, outcome = "applied", settledAt = at, writtenBy } = entry;
    const known = digest !== "";
    const isFormer = mark !== undefined && isOfFormer(entry, mark);
    const unit: LedgerUnit = {
      attribute,
      version: iso(timeOf(version)),
      known,
      outcome,
      ...(settledAt === undefined ? {} : { at: iso(settledAt) }),
      ...(run === undefined ? {} : { run }),
      ...(at === undefined || writtenBy === undefined ? {} : { written: { at: iso(at), run: writtenBy } }),
      ...(isFormer ? { formerAccount: true as const } : {}),
    };
    if (isFormer || !known || listed === undefined) return unit;
    const digestOf = (value: UnitValue): string => keyring.valueDigest(attribute, value);
    return { ...unit, changedSince: !valuesInPool(listed, attribute).some((value) => digestOf(value) === digest) };
  });
}

/** What the pool has of a unit, in each of the ways in which it may have been asked for. */
function valuesInPool({ attributes }: ListedUser, name: string): readonly UnitValue[] {
  const current = attributes.get(name) ?? "";
  if (contactOf(name) !== undefined) return [{ kind: "as-is", verified: current.toLowerCase() === "true" }];
  if (current === "") return [{ kind: "clear" }];
  const flag = flagOf(name);
  if (flag === undefined) return [{ kind: "text", text: current }];
  const isVerified = attributes.get(flag)?.toLowerCase() === "true";
  return VERIFIED.filter((verified) => isVerified || verified !== "mark").map((verified) => ({
    kind: "text",
    text: current,
    verified,
  }));
}

/** What was not written of those whom rows named so, or by the username, unless the unit was written since. */
export async function exceptionsOf(
  { store, keyring }: Pick<Engine, "store" | "keyring">,
  pool: string,
  {
    user,
    names,
    ledger = {},
  }: { readonly user?: string; readonly names: readonly string[]; readonly ledger?: UserState["ledger"] },
): Promise<readonly ExceptionView[]> {
  const keys = new Set([...(user === undefined ? [] : [user]), ...names.map((name) => nameKey(keyring, pool, name))]);
  const noted: Exception[] = [];
  for (const key of keys) noted.push(...(await store.exceptions.about(key)));
  const isOver = ({ unit, at }: Exception): boolean => {
    const entry = Object.hasOwn(ledger, unit) ? ledger[unit] : undefined;
    return (entry?.settledAt ?? entry?.at ?? -1) > at;
  };
  const still = noted.filter((one) => !isOver(one));
  const runs = await runsOf(store.runs, still);
  return still
    .toSorted((a, b) => a.at - b.at)
    .map(({ unit, kind, reason, run, line, at }) => {
      const isOfEvent = runs.get(run)?.source === "events";
      const place = isOfEvent ? { event: true as const, record: line } : { line };
      return withFeed(defined({ attribute: unit, kind, reason, run, ...place, at: iso(at) }), runs);
    });
}

/** The runs that have feeds, by their ids: none of single changes, nor one that the store has forgotten. */
export async function runsOf(
  runs: Runs,
  units: readonly { readonly run?: string }[],
): Promise<ReadonlyMap<string, Run>> {
  const found = new Map<string, Run>();
  for (const id of new Set(units.map(({ run }) => run))) {
    const run = id === undefined ? undefined : await runs.get(id);
    if (run !== undefined && run.source !== "direct") found.set(run.id, run);
  }
  return found;
}

export function withFeed<T extends { readonly run?: string }>(
  unit: T,
  runs: ReadonlyMap<string, Run>,
): T & { readonly feed?: string } {
  const run = unit.run === undefined ? undefined : runs.get(unit.run);
  return run === undefined ? unit : { ...unit, feed: printable(run.feed) };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
