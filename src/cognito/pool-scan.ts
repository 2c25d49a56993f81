/**
 * Reads a whole pool with ListUsers, page by page, paced in UserList: it bills nobody, unlike AdminGetUser. No filter,
 * so that one chain of pages has everybody once; no choice of attributes, because Cognito fails a page where one user
 * lacks one of them. Pages may be short or blank: only a missing token ends the scan.
 */
import { defined } from "../core/defined.ts";
import { filterOf, PAGE_USERS } from "../core/pool-reading.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { CognitoClient } from "./client.ts";
import { CognitoError } from "./cognito-error.ts";
import { refusalOf } from "./fault.ts";
import type { QuotaGovernor } from "./quota-governor.ts";
import { LISTED_PAGE, listedUsers, valueIn, type ListedPage } from "./listed-user.ts";
import { READS_WITHIN_MS, retryRead, type Reads } from "./read-retry.ts";

export interface ScanPage {
  readonly users: readonly ListedUser[];
  /** By performance.now(): before the page was asked for. */
  readonly askedAt: number;
  /** True where the scan began again, from the first page: what was read before is to be forgotten. */
  readonly again: boolean;
}

export interface ScanOptions {
  readonly cognito: CognitoClient;
  readonly lists: QuotaGovernor;
  readonly poolId: string;
  /** For each page. */
  readonly reads?: Reads;
  readonly signal?: AbortSignal;
  readonly random?: () => number;
}

/** A scan yields to the lookups of deliveries, because people wait for those. */
const PRIORITY = 9;
/** Blank pages in a row beyond which a chain of tokens is taken for endless. */
const MOST_BLANK_PAGES = 1000;
const MOST_PAGES_OF_ONE = 100;

type Page = ListedPage & { readonly askedAt: number };

/** Something that ListUsers finds a user by: `username`, `sub`, `email`… */
export interface UserName {
  readonly attribute: string;
  readonly value: string;
}

/** The token of a page is no longer taken: it lives for an hour. */
class TokenRefused extends Error {}

/**
 * Everybody in the pool. The next page is asked for while the caller works on one. A token that expires in mid-scan
 * begins the scan again, once. Throws a CognitoError that ends with the next step.
 */
export async function* scanPool(options: ScanOptions): AsyncGenerator<ScanPage> {
  const { poolId } = options;
  let begun = 0;
  let token: string | undefined;
  let blank = 0;
  let again = false;
  let next: Promise<Page> | undefined = ask(options, undefined);
  while (next !== undefined) {
    let page: Page;
    try {
      page = await next;
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      if (begun > 0) {
        throw new CognitoError(
          "invalid-value",
          `Pool ${poolId} could not be read to its end: Cognito refused the token of a page twice, as it does an hour after it gave it. Run the command again, with nothing else that keeps it waiting.`,
          { cause: error },
        );
      }
      begun += 1;
      again = true;
      token = undefined;
      blank = 0;
      next = ask(options, undefined);
      continue;
    }
    const users = listedUsers(page);
    const following = page.PaginationToken || undefined;
    blank = users.length === 0 ? blank + 1 : 0;
    if (following !== undefined && (following === token || blank > MOST_BLANK_PAGES)) {
      throw new CognitoError(
        "unknown",
        `The endpoint gives page after page of pool ${poolId} without an end: check the endpoint's address.`,
      );
    }
    token = following;
    next = following === undefined ? undefined : ask(options, following);
    // A caller that stops here never looks at the page that was asked for.
    next?.catch(() => undefined);
    yield { users, again, askedAt: page.askedAt };
    again = false;
  }
}

/** How many lookups are under way at a time. The quota sets their pace. */
const LOOKUPS = 10;

interface LookOptions extends ScanOptions {
  readonly ignoresCase: boolean;
}

/**
 * Looks some users up by what names them, with a call for each: for so few users that a scan of the pool would take
 * more calls. `names` has for each user the questions that may find them: the next one is asked where the one before it
 * did not find just one who has the name for sure.
 */
export async function* scanUsers(options: LookOptions, names: Iterable<readonly UserName[]>): AsyncGenerator<ScanPage> {
  const asked = new Set<string>();
  let batch: Promise<readonly ScanPage[]>[] = [];
  const answers = async function* (): AsyncGenerator<ScanPage> {
    for (const pages of await Promise.all(batch)) yield* pages;
    batch = [];
  };
  for (const questions of names) {
    const key = JSON.stringify(questions.map(({ attribute, value }) => [attribute, value]));
    if (asked.has(key)) continue;
    asked.add(key);
    batch.push(scanUser(options, questions));
    if (batch.length >= LOOKUPS) yield* answers();
  }
  yield* answers();
}

async function scanUser(options: LookOptions, questions: readonly UserName[]): Promise<readonly ScanPage[]> {
  const pages: ScanPage[] = [];
  for (const question of questions) {
    const answer = await askFor(options, question);
    pages.push(...answer);
    const [user, another] = answer.flatMap((page) => page.users);
    if (user !== undefined && another === undefined && isSurely(user, question.attribute)) break;
  }
  return pages;
}

/** True where nobody else can have the same: a value that is verified, or a name of the user's own. */
function isSurely({ attributes }: ListedUser, attribute: string): boolean {
  return (
    attribute === "username" || attribute === "sub" || attributes.get(`${attribute}_verified`)?.toLowerCase() === "true"
  );
}

async function askFor(options: LookOptions, { attribute, value }: UserName): Promise<readonly ScanPage[]> {
  const folds = options.ignoresCase && FOLDED.has(attribute);
  const folded = (text: string): string => (folds ? text.toLowerCase() : text);
  // The list compares usernames by case, even where the pool does not.
  const spellings = folds && attribute === "username" ? new Set([value, value.toLowerCase()]) : [value];
  const pages: ScanPage[] = [];
  for (const spelling of spellings) {
    let token: string | undefined;
    let read = 0;
    do {
      const page: Page = await ask(options, token, filterOf(attribute, spelling));
      const users = listedUsers(page).filter((user) => folded(valueIn(user, attribute)) === folded(value));
      pages.push({ users, again: false, askedAt: page.askedAt });
      token = page.PaginationToken || undefined;
    } while (token !== undefined && (read += 1) < MOST_PAGES_OF_ONE);
    if (pages.some(({ users }) => users.length > 0)) break;
  }
  return pages;
}

/** Attributes whose values are equal in any case where the pool ignores case. */
const FOLDED: ReadonlySet<string> = new Set(["username", "email", "preferred_username"]);

async function ask(options: ScanOptions, token: string | undefined, filter?: string): Promise<Page> {
  const { cognito, lists, poolId, reads = { withinMs: READS_WITHIN_MS }, signal, random = Math.random } = options;
  const input = defined({ UserPoolId: poolId, Limit: PAGE_USERS, Filter: filter, PaginationToken: token });
  const pace = { governor: lists, priority: PRIORITY, sparesThrottles: true };
  const call = { operation: "ListUsers", pool: poolId, reads, pace, signal, random } as const;
  const response = await retryRead(call, async (ending) => {
    try {
      const askedAt = performance.now();
      const answer = await cognito.within({ signal: ending }, (sdk) => sdk.listUsers(input));
      return { ok: true, askedAt, page: LISTED_PAGE.safeParse(answer) };
    } catch (thrown) {
      return refusalOf(thrown, ending);
    }
  });
  if (response.ok) {
    if (response.page.success) return { ...response.page.data, askedAt: response.askedAt };
    throw new CognitoError(
      "misconfigured",
      `The endpoint answered for the users of pool ${poolId} not in Cognito's form: check the endpoint's address.`,
    );
  }
  const { failure } = response;
  if (failure.kind === "invalid-value" && token !== undefined) throw new TokenRefused();
  throw new CognitoError(failure.kind, `The users of pool ${poolId} could not be listed. ${failure.advice}`);
}
