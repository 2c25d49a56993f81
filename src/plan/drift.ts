/**
 * What changed in the pool since poolsync wrote it: the ledger has a digest of each value that was written last, and a
 * value of another digest was written by somebody else. The feed decides which users and attributes are looked at.
 */
import { isOfFormer, type Ledger } from "../core/mailbox.ts";
import { contactOf, isContact, type Unit, type UnitValue, VERIFIED } from "../core/unit.ts";
import type { Keyring } from "../store/keyring.ts";
import type { PlannedRow, PlannedUnit } from "./planned-row.ts";

export interface Drifted {
  readonly username: string;
  readonly attribute: string;
  /** Of what poolsync wrote: the version. */
  readonly version: string;
  /** What is there now; absent where nothing is. */
  readonly now?: string | undefined;
  readonly desired: UnitValue;
}

export interface DriftDeps {
  readonly pool: string;
  readonly keyring: Pick<Keyring, "accountMark" | "userKey" | "valueDigest">;
  readonly ledgers: (users: readonly string[]) => Promise<ReadonlyMap<string, Ledger>>;
}

export interface DriftFigures {
  /** Values that were compared. */
  compared: number;
  /** Values of which it is not known what poolsync wrote last, or that it never wrote. */
  unknown: number;
  drifted: number;
}

type UserRow = Extract<PlannedRow, { kind: "user" }>;

const BATCH = 500;

/** `rows` are of a plan that is compared with the live pool. */
export async function findDrift(
  { pool, keyring, ledgers }: DriftDeps,
  rows: Iterable<PlannedRow>,
  onDrift: (drifted: Drifted) => void,
): Promise<DriftFigures> {
  const figures = { compared: 0, unknown: 0, drifted: 0 };
  const compare = async (batch: readonly UserRow[]): Promise<void> => {
    const keys = batch.map(({ username }) => keyring.userKey(pool, username));
    const known = await ledgers(keys);
    for (const [at, { username, units, person }] of batch.entries()) {
      const mark = person?.account && keyring.accountMark(pool, person.account);
      const ledger = known.get(keys[at] ?? "") ?? {};
      for (const plannedUnit of units) {
        // Another row stands instead, and that row is compared: this one was compared with its own value only.
        if (plannedUnit.action === "superseded") continue;
        const { unit, before } = plannedUnit;
        const last = Object.hasOwn(ledger, unit.name) ? ledger[unit.name] : undefined;
        // Nobody has changed a value that was written to an account that no longer exists.
        const isFormer = last !== undefined && mark !== undefined && isOfFormer(last, mark);
        if (last === undefined || last.digest === "" || isFormer) {
          figures.unknown += 1;
          continue;
        }
        figures.compared += 1;
        if (isAsWritten(last.digest, plannedUnit, (value) => keyring.valueDigest(unit.name, value))) continue;
        figures.drifted += 1;
        const now = plannedUnit.action === "unchanged" ? textOf(unit) : before;
        const { version } = last;
        onDrift({ username, attribute: unit.name, version, desired: unit.value, now });
      }
    }
  };
  let batch: UserRow[] = [];
  for (const row of rows) {
    if (row.kind === "fault" || !row.found) continue;
    batch.push(row);
    if (batch.length < BATCH) continue;
    await compare(batch);
    batch = [];
  }
  await compare(batch);
  return figures;
}

/** True where the digest is one of what is there now, in any of the ways in which it may have been written. */
function isAsWritten(
  digest: string,
  { unit, action, before }: PlannedUnit,
  digestOf: (value: UnitValue) => string,
): boolean {
  const { name, value } = unit;
  // It is there in the pool's own sense of equal; or it was sent, and waits until the person confirms it.
  if ((action === "unchanged" || action === "awaiting") && digestOf(value) === digest) return true;
  if (contactOf(name) !== undefined) {
    const desired = value.kind === "as-is" && value.verified;
    return digestOf({ kind: "as-is", verified: action === "unchanged" ? desired : !desired }) === digest;
  }
  const now = action === "unchanged" ? textOf(unit) : before;
  if (now === undefined || now === "") return digestOf({ kind: "clear" }) === digest;
  if (!isContact(name)) return digestOf({ kind: "text", text: now }) === digest;
  // The same address is to be marked again, so its flag was taken away meanwhile.
  const lostFlag = action !== "unchanged" && value.kind === "text" && value.verified === "mark" && value.text === now;
  return VERIFIED.some(
    (verified) => !(lostFlag && verified === "mark") && digestOf({ kind: "text", text: now, verified }) === digest,
  );
}

function textOf({ value }: Unit): string | undefined {
  return value.kind === "text" ? value.text : value.kind === "as-is" ? String(value.verified) : undefined;
}
