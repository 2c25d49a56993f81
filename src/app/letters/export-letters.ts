/** Dead letters as records that a sync reads back after somebody has edited them. */
import { isLostPerson } from "../../core/failure.ts";
import type { Letter } from "../../core/letter.ts";
import { flagOf } from "../../core/unit.ts";
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { callOptionsOf, valueOf, type Keyring } from "../../store/keyring.ts";
import { openLetter } from "../../store/sealed-unit.ts";
import { AppError } from "../app-error.ts";
import { groupLetters, lettersOf } from "./letter-groups.ts";

export interface ExportRequest {
  readonly filters: readonly LetterFilter[];
  readonly limit?: number | undefined;
  /** With the values; without it they are null, which changes nothing. */
  readonly showValues: boolean;
}

/** What a record cannot say, and how many letters of it there were. */
export interface LeftOut {
  cleared: number;
  kept: number;
  flags: number;
  metadata: number;
  own: number;
  passedOn: number;
  altered: number;
}

/** The one pool that the letters are of; undefined for none. Throws an AppError `several-pools`. */
export async function poolOfLetters(engine: Engine, { filters, limit }: ExportRequest): Promise<string | undefined> {
  const pools = [...new Set((await groupLetters(engine, filters, limit)).map(({ pool }) => pool))];
  const [pool, another] = pools;
  if (another === undefined) return pool;
  throw new AppError(
    "several-pools",
    `These letters are of several user pools, and a file is synced into one: give --pool (there are: ${pools.join(", ")}).`,
    { category: "usage" },
  );
}

export interface Exported {
  readonly letters: number;
  readonly left: Readonly<LeftOut>;
}

/** Hands every letter that a record can say to `write`. */
export async function exportLetters(
  engine: Engine,
  { filters, limit, showValues }: ExportRequest,
  write: (record: object) => Promise<void>,
): Promise<Exported> {
  const left: LeftOut = { cleared: 0, kept: 0, flags: 0, metadata: 0, own: 0, passedOn: 0, altered: 0 };
  let letters = 0;
  for await (const letter of lettersOf(engine, filters, limit)) {
    const row = rowOf(letter, engine.keyring, showValues, left);
    if (row === undefined) continue;
    letters += 1;
    await write(row);
  }
  return { letters, left };
}

/** One letter as a record whose columns are attributes; undefined where it cannot be said so. */
function rowOf(
  letter: Letter,
  keyring: Keyring,
  show: boolean,
  left: LeftOut,
): Record<string, string | boolean | null> | undefined {
  const { unit, reason } = letter;
  // A file says the username, and that is of who had the name before, or of a new account.
  if (isLostPerson(reason)) {
    left.passedOn += 1;
    return undefined;
  }
  const opened = openLetter(keyring, letter);
  if (opened === undefined) {
    left.altered += 1;
    return undefined;
  }
  const { username, body } = opened;
  const value = valueOf(body);
  if (value.kind === "as-is") {
    left.flags += 1;
    return undefined;
  }
  const { clientMetadata, token } = callOptionsOf(body);
  // A file is synced in an administrator's right, and the user's reaches no further than the token.
  if (token !== undefined) {
    left.own += 1;
    return undefined;
  }
  if (clientMetadata !== undefined) left.metadata += 1;
  if (value.kind === "clear") {
    left.cleared += 1;
    return { username, [unit]: "" };
  }
  const row: Record<string, string | boolean | null> = { username, [unit]: show ? value.text : null };
  const flag = flagOf(unit);
  if (flag === undefined) return row;
  // The flag column says `mark` or `ask`; `keep` is said for the whole sync.
  if (value.verified === "keep") left.kept += 1;
  else row[flag] = value.verified === "mark";
  return row;
}
