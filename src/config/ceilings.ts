/**
 * The ceilings of the pace of a pool: the rate of a category, less what is left to others. What is said nearer to the
 * command goes before: flags and environment, the pool, the file.
 */
import { ConfigError } from "./config-error.ts";
import { effectiveCeiling, type QuotaReserve } from "../core/effective-ceiling.ts";

export interface RateSetting {
  readonly rate?: number | undefined;
  readonly reserve?: QuotaReserve | undefined;
}

/** What one place says: of UserUpdate, and of UserList. */
export interface PaceSetting extends RateSetting {
  readonly lists?: RateSetting | undefined;
}

export interface Ceilings {
  /** Of UserUpdate calls, a second. */
  readonly ratePerSecond: number;
  /** Of UserList calls, a second. */
  readonly listsPerSecond: number;
}

interface Category {
  /** Cognito's own quota. */
  readonly rate: number;
  /** Applies where no rate is configured. A configured rate is used in full. */
  readonly reserve: QuotaReserve;
  /** Where the reserve may be said, and what the settings are called in the file. */
  readonly path: string;
  readonly keys: Readonly<Record<keyof RateSetting, string>>;
}

const UPDATES: Category = {
  rate: 25,
  reserve: { percent: 20 },
  path: "--reserve (POOLSYNC_RESERVE)",
  keys: { rate: "rate", reserve: "reserve" },
};
const LISTS: Category = {
  rate: 30,
  reserve: { callsPerSecond: 10 },
  path: "--list-reserve (POOLSYNC_LIST_RESERVE)",
  keys: { rate: "lists.rate", reserve: "lists.reserve" },
};

/** By what the places say, the strongest first. Throws a ConfigError where a reserve leaves nothing. */
export function ceilingsOf(places: readonly (PaceSetting | undefined)[]): Ceilings {
  return {
    ratePerSecond: ceilingOf(UPDATES, places),
    listsPerSecond: ceilingOf(
      LISTS,
      places.map((place) => place?.lists),
    ),
  };
}

function ceilingOf(category: Category, places: readonly (RateSetting | undefined)[]): number {
  const first = <K extends keyof RateSetting>(key: K): RateSetting[K] =>
    places.find((place) => place?.[key] !== undefined)?.[key];
  const rate = first("rate");
  const reserve = first("reserve") ?? (rate === undefined ? category.reserve : undefined);
  try {
    return effectiveCeiling(rate ?? category.rate, reserve);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const { path, keys } = category;
    const message = `${cause.message}: lower \`${keys.reserve}\`, or raise \`${keys.rate}\``;
    throw new ConfigError([{ path, message }]);
  }
}
