/**
 * What a plan must not do unless somebody approves it: the marks of a sync that goes wrong for everyone. They look at
 * the figures of the whole plan, before the first write. A share of a few users means nothing, so each guard needs a
 * minimum of users or rows before it applies.
 */

/** A share from 0 to 1; undefined where the guard is switched off. */
type Limit = number | undefined;

export interface GuardSettings {
  /** The most of the matched users that may change. */
  readonly changed: Limit;
  /** The most of the matched users that may lose any one attribute. */
  readonly cleared: Limit;
  /** The most of the changed users that may be given one and the same value where they differed before. */
  readonly sameValue: Limit;
  /** The fewest rows, as a share of those of the last good run. */
  readonly rows: Limit;
  /** Whether a mapped column must be there, and say something in some row. */
  readonly emptyColumn: boolean;
  /** How many users or rows there must be before a share is looked at. */
  readonly from: number;
  /** Users and attributes that are never written, whatever is approved. */
  readonly protectUsers: readonly string[];
  readonly protectAttributes: readonly string[];
}

export const DEFAULT_GUARDS: GuardSettings = Object.freeze({
  changed: 0.2,
  cleared: 0.05,
  sameValue: 0.3,
  rows: 0.8,
  emptyColumn: true,
  from: 100,
  protectUsers: [],
  protectAttributes: [],
});

/** What the guards look at. */
export interface GuardFigures {
  readonly rows: number;
  /** Of the last run of the feed that was finished; absent where there was none. */
  readonly rowsBefore?: number | undefined;
  /** Absent where nothing is known of what is there. */
  readonly users?: {
    readonly matched: number;
    readonly changed: number;
    /** By attribute. */
    readonly cleared: Readonly<Record<string, number>>;
    /** The value that most users are given where they differed before, by attribute; named by whatever names it. */
    readonly same: readonly { readonly attribute: string; readonly value: string; readonly users: number }[];
  };
  /** Attributes whose column says nothing in any row. */
  readonly emptyColumns: readonly string[];
  /** Mapped columns that the feed does not have: their attributes are left as they are. */
  readonly missingColumns: readonly MissingColumn[];
}

export interface MissingColumn {
  readonly attribute: string;
  readonly column: string;
  /** A column of the feed that nothing is mapped from, and whose name is close. */
  readonly likely?: string;
}

export const GUARDS = ["changed", "cleared", "sameValue", "rows", "emptyColumn", "missingColumn"] as const;
export type GuardName = (typeof GUARDS)[number];

export interface BrokenGuard {
  readonly guard: GuardName;
  readonly attribute?: string;
  /** The feed's, for `missingColumn`. */
  readonly column?: string;
  readonly likely?: string;
  /** The digest of the value, for `sameValue`. */
  readonly value?: string;
  readonly limit: number;
  /** The share that was found. */
  readonly found: number;
  readonly count: number;
  readonly of: number;
}

/** The guards that the plan breaks, each with by how much. */
export function brokenGuards(settings: GuardSettings, figures: GuardFigures): readonly BrokenGuard[] {
  const { rows, rowsBefore, users, emptyColumns, missingColumns } = figures;
  const broken: BrokenGuard[] = [];
  const most = (limit: Limit, count: number, of: number, named: Pick<BrokenGuard, "guard" | "attribute" | "value">) => {
    if (limit === undefined || of < settings.from || count <= limit * of) return;
    broken.push({ ...named, limit, found: count / of, count, of });
  };
  if (users) {
    most(settings.changed, users.changed, users.matched, { guard: "changed" });
    for (const [attribute, count] of Object.entries(users.cleared)) {
      most(settings.cleared, count, users.matched, { guard: "cleared", attribute });
    }
    for (const { attribute, value, users: count } of users.same) {
      most(settings.sameValue, count, users.changed, { guard: "sameValue", attribute, value });
    }
  }
  if (settings.rows !== undefined && rowsBefore !== undefined && rowsBefore >= settings.from) {
    if (rows < settings.rows * rowsBefore) {
      broken.push({ guard: "rows", limit: settings.rows, found: rows / rowsBefore, count: rows, of: rowsBefore });
    }
  }
  if (settings.emptyColumn && rows >= settings.from) {
    for (const attribute of emptyColumns) {
      broken.push({ guard: "emptyColumn", attribute, limit: 1, found: 1, count: rows, of: rows });
    }
  }
  // However few the rows: nobody drops a column by chance.
  for (const missing of settings.emptyColumn ? missingColumns : []) {
    broken.push({ guard: "missingColumn", ...missing, limit: 1, found: 1, count: rows, of: rows });
  }
  return broken;
}

/** What a broken guard says, with by how much. */
export function guardSentence(broken: BrokenGuard): string {
  const { guard, attribute = "", column = "", likely, limit, found, count, of } = broken;
  const share = (value: number): string => `${Math.round(value * 1000) / 10} %`;
  const number = (value: number): string => value.toLocaleString("en-US");
  switch (guard) {
    case "changed":
      return `${number(count)} of ${number(of)} matched users would change: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "cleared":
      return `\`${attribute}\` would be cleared for ${number(count)} of ${number(of)} matched users: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "sameValue":
      return `${number(count)} of ${number(of)} changed users would be given the same \`${attribute}\`, where they differed before: ${share(found)}, and the guard allows ${share(limit)}.`;
    case "rows":
      return `The feed has ${number(count)} rows, and the last good run had ${number(of)}: ${share(found)}, and the guard wants ${share(limit)}.`;
    case "emptyColumn":
      return `The column of \`${attribute}\` is blank in all ${number(of)} rows.`;
    case "missingColumn":
      return `The feed has no column \`${column}\`, which \`${attribute}\` is mapped from${likely === undefined ? "" : ` (did you mean \`${likely}\`?)`}: map the one that took its place. Approved, \`${attribute}\` is left as it is for everyone.`;
  }
}
