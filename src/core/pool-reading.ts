/**
 * How a plan reads the pool that it is compared with: everybody in it, a page of users a call, or only those whom rows
 * name, a call or two each. Both show the same of a user, so whichever takes fewer calls is chosen.
 */

/** The most users that one call lists. */
export const PAGE_USERS = 60;

/** So many looks are made where nobody knows how large the pool is; of a file of more rows it is likely to hold them all. */
const MOST_LOOKS_UNKNOWN = 1000;

/** So many pages are read rather than that somebody is missed. */
const MOST_PAGES_TO_MISS_NOBODY = 1000;

export interface ReadingFacts {
  /** As the pool says it, roughly; absent where it does not. */
  readonly estimatedUsers?: number | undefined;
  /** The calls, at the most, that find everybody who is asked for; absent where only a scan finds them. */
  readonly looks?: number | undefined;
  /** Some user may not be found by a look, though a scan finds them: see `Asking`. */
  readonly mayMiss?: boolean;
}

export type Reading =
  | { readonly is: "looks"; readonly calls: number }
  /** `calls` is absent where nobody knows how many users there are. */
  | { readonly is: "scan"; readonly calls?: number };

export function chooseReading({ estimatedUsers, looks, mayMiss = false }: ReadingFacts): Reading {
  if (estimatedUsers === undefined) {
    const isFew = looks !== undefined && looks <= MOST_LOOKS_UNKNOWN;
    return isFew && !mayMiss ? { is: "looks", calls: looks } : { is: "scan" };
  }
  // Where there is nobody, one call says so.
  const pages = Math.max(1, Math.ceil(estimatedUsers / PAGE_USERS));
  const mayLook = !mayMiss || pages > MOST_PAGES_TO_MISS_NOBODY;
  return mayLook && looks !== undefined && looks < pages ? { is: "looks", calls: looks } : { is: "scan", calls: pages };
}

/** The attributes by which ListUsers finds users. */
const ASKABLE: ReadonlySet<string> = new Set([
  "username",
  "sub",
  "email",
  "phone_number",
  "preferred_username",
  "name",
  "given_name",
  "family_name",
]);
const LONGEST_FILTER = 256;

/** What ListUsers is asked to find those who have a value. */
export function filterOf(attribute: string, value: string): string {
  return `${attribute} = "${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** False where the list cannot be asked for the value, and only a scan finds who has it. */
export function isAskable(attribute: string, value: string): boolean {
  return ASKABLE.has(attribute) && filterOf(attribute, value).length <= LONGEST_FILTER;
}
