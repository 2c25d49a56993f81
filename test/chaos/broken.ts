/** 18: a document that breaks costs itself, and nothing else. */
import type { DamagedDocument } from "../../src/store/damaged.ts";
import type { BrokenDocument } from "./breaking.ts";
import type { Model } from "./model.ts";
import { verdict, type Verdict } from "./verdict.ts";

/** What became of the documents that were broken, when everything was delivered. */
export interface BrokenFacts {
  readonly broken: readonly BrokenDocument[];
  readonly shelf: readonly DamagedDocument[];
  /** Those in whose place the broken text is still. */
  readonly inPlace: readonly BrokenDocument[];
  /** How many `status` says were set aside. */
  readonly counted: number;
  /** What the books have of units in them. */
  readonly damagedUnits: number;
  /** How many were removed, and how many were there after it. */
  readonly removed: number;
  readonly left: number;
  /** When Redis was emptied last; 0 where it never was. */
  readonly emptiedAt: number;
}

/** Another is written over one of these without a look. */
const UNREAD: ReadonlySet<BrokenDocument["kind"]> = new Set(["link", "exceptions"]);

/**
 * 18: each document that was broken lies set aside, once, or another was written over it that nobody had to read; nothing
 * else lies there. `status` counts them, they can be removed, and the books have as many units as were in them.
 */
export function judgeBroken({ losses }: Pick<Model, "losses">, facts: BrokenFacts): Verdict {
  const { shelf, counted, damagedUnits, removed, left, emptiedAt } = facts;
  const wrong: string[] = [];
  const broken = facts.broken.filter(({ at }) => at > emptiedAt);
  const counts: Record<string, number> = {};
  const [least, most] = [{ units: 0 }, { units: 0 }];
  let writtenOver = 0;
  for (const one of broken) {
    const { kind, place, text, at, held } = one;
    counts[kind] = (counts[kind] ?? 0) + 1;
    const name = `${kind} ${place}, broken at ${at} (${text.length} characters)`;
    const own = shelf.filter((entry) => entry.kind === kind && entry.place === place);
    // What broke it, or what set it aside, may be lost itself.
    const mayBeUndone = losses.some((loss) => loss.to >= at);
    most.units += held;
    if (own.length > 1) wrong.push(`${name} was set aside ${own.length} times`);
    else if (facts.inPlace.includes(one)) wrong.push(`${name} was never set aside`);
    else if (own.length === 0 && UNREAD.has(kind)) writtenOver += 1;
    else if (own.length === 0 && !mayBeUndone) wrong.push(`${name} is gone, and was not set aside`);
    if (own.length === 1 && !mayBeUndone) least.units += held;
  }
  for (const { kind, place, since } of shelf)
    if (!broken.some((one) => one.kind === kind && one.place === place))
      wrong.push(`${kind} ${place} was set aside at ${since}, and nobody has broken it`);
  if (counted !== shelf.length) wrong.push(`status counts ${counted}, and ${shelf.length} were set aside`);
  if (removed !== shelf.length || left > 0)
    wrong.push(`${removed} of ${shelf.length} were removed, and ${left} are left`);
  if (damagedUnits < least.units || damagedUnits > most.units)
    wrong.push(`the books have ${damagedUnits} units in documents that broke, and ${most.units} were in them`);
  const inStoresBefore = facts.broken.length - broken.length;
  return verdict(
    18,
    "a document that breaks costs itself alone",
    {
      broken: facts.broken.length,
      ...counts,
      inStoresBefore,
      setAside: shelf.length,
      writtenOver,
      units: damagedUnits,
    },
    wrong,
  );
}
