/**
 * What a plan must not do unless somebody approves it: the marks of a sync that goes wrong for everyone. They look at
 * the figures of the whole plan, before the first write. A share of a few users means nothing, and a few users of many
 * are no catastrophe: so a guard needs both a share and a least count. Which, and why, is in docs/operations.md.
 */

/** Of plans a share from 0 to 1; undefined where the guard is switched off. */
type Limit = number | undefined;

/** Of the people whom events change: there is no whole of which they could be a share. */
export interface FloodLimits {
  /** So many people may be changed within that time. */
  readonly people: number;
  readonly withinMs: number;
  /** So many may be given one value of an attribute where they had several; undefined where that is switched off. */
  readonly sameValue: Limit;
}

export interface GuardSettings {
  /** The most of the matched users that may change. */
  readonly changed: Limit;
  /** The most of the matched users that may lose any one attribute. */
  readonly cleared: Limit;
  /** The most of the changed users that may be given one and the same value where they had many. */
  readonly sameValue: Limit;
  /** The most of the users of whom an attribute may become a placeholder such as `UNASSIGNED`. */
  readonly shape: Limit;
  /** The most of the rows that may match nobody. */
  readonly unmatched: Limit;
  /** The fewest rows, as a share of those of the last good run. */
  readonly rows: Limit;
  /** Whether a mapped column must be there, and say something in some row. */
  readonly emptyColumn: boolean;
  /** How many users or rows there must be before a share is looked at. */
  readonly from: number;
  /** How many users or rows break a guard at the least; undefined where each guard has its own count. */
  readonly least: number | undefined;
  /** What events may change before somebody looks (flood.ts); undefined where that is switched off. */
  readonly events: FloodLimits | undefined;
  /** Users and attributes that are never written, whatever is approved. */
  readonly protectUsers: readonly string[];
  readonly protectAttributes: readonly string[];
}

export const DEFAULT_GUARDS: GuardSettings = Object.freeze({
  changed: 0.2,
  cleared: 0.05,
  sameValue: 0.3,
  shape: 0.02,
  unmatched: 0.3,
  rows: 0.8,
  emptyColumn: true,
  from: 10,
  least: undefined,
  events: { people: 500, withinMs: 600_000, sameValue: 150 },
  protectUsers: [],
  protectAttributes: [],
});

/** How many users or rows break a guard at the least: so many that it is no everyday change of a small file. */
const LEAST = { changed: 50, cleared: 5, sameValue: 10, shape: 5, unmatched: 10, rows: 20, emptyColumn: 50 } as const;
/** So many values that become one are a loss of differences; a team that is put together had one or two. */
export const MANY_VALUES = 3;
/** So many users are not written past guards that could not look. */
const BLIND_USERS = 100;

/** What the guards look at. */
export interface GuardFigures {
  readonly rows: number;
  /** Of the last run of the feed that was finished; absent where there was none. */
  readonly rowsBefore?: number | undefined;
  /** Rows that name somebody, and those of them that match nobody; absent where nobody looked. */
  readonly named?: { readonly rows: number; readonly unmatched: number } | undefined;
  /** Users whom rows name, and those of them who would be written, whatever is known of them. */
  readonly asked: { readonly users: number; readonly written: number };
  /** Absent where nothing is known of what is there. */
  readonly users?: {
    readonly matched: number;
    readonly changed: number;
    /** By attribute; absent where nobody knows who has a value. */
    readonly cleared?: Readonly<Record<string, number>> | undefined;
    /** Of each attribute the value that most users are given, of those that replace many; absent where nobody knows. */
    readonly same?: readonly SameValue[] | undefined;
    /** Of those who are written although the pool does not list them, the worst: nobody saw what they have. */
    readonly unseen?: { readonly changed: number; readonly cleared: Readonly<Record<string, number>> };
  };
  readonly placeholders: readonly Placeholders[];
  /** Attributes whose column says nothing in any row. */
  readonly emptyColumns: readonly string[];
  /** Mapped columns that the feed does not have: their attributes are left as they are. */
  readonly missingColumns: readonly MissingColumn[];
}

/** A value, named by whatever names it, that many users are given in place of several others. */
export interface SameValue {
  readonly attribute: string;
  readonly value: string;
  readonly users: number;
  /** How many different ones it replaces. */
  readonly values: number;
}

/** Users of whom an attribute would become a placeholder, with the first of them. */
export interface Placeholders {
  readonly attribute: string;
  readonly word: string;
  readonly users: number;
}

export interface MissingColumn {
  readonly attribute: string;
  readonly column: string;
  /** A column of the feed that nothing is mapped from, and whose name is close. */
  readonly likely?: string;
}

export const GUARDS = [
  "changed",
  "cleared",
  "sameValue",
  "shape",
  "unmatched",
  "rows",
  "emptyColumn",
  "missingColumn",
  "blind",
] as const;
export type GuardName = (typeof GUARDS)[number];

export interface BrokenGuard {
  readonly guard: GuardName;
  readonly attribute?: string;
  /** The feed's, for `missingColumn`. */
  readonly column?: string;
  readonly likely?: string;
  /** The digest of the value, for `sameValue`. */
  readonly value?: string;
  /** How many different values that one replaces, for `sameValue`. */
  readonly values?: number;
  /** The placeholder, for `shape`. */
  readonly word?: string;
  /** The guards that could not look, for `blind`. */
  readonly guards?: readonly GuardName[];
  readonly limit: number;
  /** The share that was found. */
  readonly found: number;
  readonly count: number;
  readonly of: number;
}

/** The guards that are switched on, and that could not look: what the plan is compared with does not tell. */
export function blindGuards(settings: GuardSettings, { users, named }: GuardFigures): readonly GuardName[] {
  const unseen = {
    changed: users === undefined,
    cleared: users?.cleared === undefined,
    sameValue: users?.same === undefined,
    unmatched: named === undefined,
  };
  return (["changed", "cleared", "sameValue", "unmatched"] as const).filter(
    (guard) => settings[guard] !== undefined && unseen[guard],
  );
}

/** The guards that the plan breaks, each with by how much. */
export function brokenGuards(settings: GuardSettings, figures: GuardFigures): readonly BrokenGuard[] {
  const { rows, rowsBefore, named, asked, users, placeholders, emptyColumns, missingColumns } = figures;
  const broken: BrokenGuard[] = [];
  const leastOf = (guard: keyof typeof LEAST): number => settings.least ?? LEAST[guard];
  const most = (
    limit: Limit,
    count: number,
    of: number,
    about: Omit<BrokenGuard, "limit" | "found" | "count" | "of"> & { readonly guard: keyof typeof LEAST },
  ): void => {
    if (limit === undefined || of < settings.from || count < leastOf(about.guard) || count <= limit * of) return;
    broken.push({ ...about, limit, found: count / of, count, of });
  };
  if (users) {
    const { matched, cleared = {}, same = [], unseen = { changed: 0, cleared: {} } } = users;
    const changed = users.changed + unseen.changed;
    most(settings.changed, changed, matched + unseen.changed, { guard: "changed" });
    for (const [attribute, count] of Object.entries(cleared)) {
      const { [attribute]: others = 0 } = unseen.cleared;
      most(settings.cleared, count + others, matched + others, { guard: "cleared", attribute });
    }
    for (const { users: count, ...value } of same) {
      if (value.values < MANY_VALUES) continue;
      most(settings.sameValue, count, changed, { guard: "sameValue", ...value });
    }
  }
  for (const { users: count, ...word } of placeholders) {
    most(settings.shape, count, asked.users, { guard: "shape", ...word });
  }
  if (named) most(settings.unmatched, named.unmatched, named.rows, { guard: "unmatched" });
  if (settings.rows !== undefined && rowsBefore !== undefined && rowsBefore >= settings.from) {
    if (rows < settings.rows * rowsBefore && rowsBefore - rows >= leastOf("rows")) {
      broken.push({ guard: "rows", limit: settings.rows, found: rows / rowsBefore, count: rows, of: rowsBefore });
    }
  }
  if (settings.emptyColumn && rows >= settings.from && rows >= leastOf("emptyColumn")) {
    for (const attribute of emptyColumns) {
      broken.push({ guard: "emptyColumn", attribute, limit: 1, found: 1, count: rows, of: rows });
    }
  }
  // However few the rows: nobody drops a column by chance.
  for (const missing of settings.emptyColumn ? missingColumns : []) {
    broken.push({ guard: "missingColumn", ...missing, limit: 1, found: 1, count: rows, of: rows });
  }
  const guards = blindGuards(settings, figures);
  if (guards.length > 0 && asked.written >= BLIND_USERS) {
    const { users: of, written: count } = asked;
    broken.push({ guard: "blind", guards, limit: 0, found: count / of, count, of });
  }
  return broken;
}

/** Which guards could not look, and what has them look. */
export function blindSentence(guards: readonly GuardName[]): string {
  const [many, they] = guards.length === 1 ? ["1 guard", "it looks"] : [`${guards.length} guards`, "they look"];
  return `${many} could not look (${guards.map((guard) => `\`${guard}\``).join(", ")}): what is in the pool is not known. With \`--baseline live\` ${they}.`;
}

/** What a broken guard says, with by how much. */
export function guardSentence(broken: BrokenGuard): string {
  const { guard, attribute = "", column = "", likely, values = 0, word = "", guards = [] } = broken;
  const { limit, found, count, of } = broken;
  const share = (value: number): string => `${Math.round(value * 1000) / 10} %`;
  const number = (value: number): string => value.toLocaleString("en-US");
  switch (guard) {
    case "changed":
      return `${number(count)} of ${number(of)} matched users would change: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "cleared":
      return `\`${attribute}\` would be cleared for ${number(count)} of ${number(of)} matched users: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "sameValue":
      return `${number(count)} of ${number(of)} changed users would be given the same \`${attribute}\`, where they had ${number(values)} different ones: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "shape":
      return `\`${attribute}\` would become a placeholder such as \`${word}\` for ${number(count)} of ${number(of)} users: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "unmatched":
      return `${number(count)} of ${number(of)} rows match nobody in the pool: ${share(found)}, and the guard allows ${share(limit)}. Look whether it is the right pool, and the right column that names its users.`;
    case "rows":
      return `The feed has ${number(count)} rows, and the last good run had ${number(of)}: ${share(found)}, and the guard wants ${share(limit)}.`;
    case "emptyColumn":
      return `The column of \`${attribute}\` is blank in all ${number(of)} rows.`;
    case "missingColumn":
      return `The feed has no column \`${column}\`, which \`${attribute}\` is mapped from${likely === undefined ? "" : ` (did you mean \`${likely}\`?)`}: map the one that took its place. Approved, \`${attribute}\` is left as it is for everyone.`;
    case "blind":
      return `${number(count)} users would be written, and ${blindSentence(guards)}`;
  }
}
