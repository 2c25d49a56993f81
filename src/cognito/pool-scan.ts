/**
 * Reads a whole pool with ListUsers, page by page, paced in UserList: it bills nobody, unlike AdminGetUser. No filter,
 * so that one chain of pages has everybody once; no choice of attributes, because Cognito fails a page where one user
 * lacks one of them. Pages may be short or blank: only a missing token ends the scan.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ListUsersCommand } from "@aws-sdk/client-cognito-identity-provider";
import { z } from "zod";
import { fullJitter } from "../core/backoff.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { CognitoClient } from "./client.ts";
import { CognitoError } from "./cognito-error.ts";
import { refusalOf, type Refusal } from "./fault.ts";
import type { QuotaGovernor } from "./quota-governor.ts";

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
  readonly signal?: AbortSignal;
  readonly random?: () => number;
}

/** The most users that one call lists. */
export const PAGE_USERS = 60;
/** A scan goes after the lookups of deliveries, which people wait for. */
const PRIORITY = 9;
const TRIES = 8;
const FIRST_WAIT_MS = 200;
/** Blank pages in a row beyond which a chain of tokens is taken for endless. */
const MOST_BLANK_PAGES = 1000;
const MOST_PAGES_OF_ONE = 100;

const PAGE = z.object({
  Users: z
    .array(
      z.object({
        Username: z.string(),
        UserStatus: z.string().nullish(),
        Attributes: z.array(z.object({ Name: z.string(), Value: z.string().nullish() })).nullish(),
      }),
    )
    .nullish(),
  PaginationToken: z.string().nullish(),
});
type Page = z.infer<typeof PAGE> & { readonly askedAt: number };

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
    const users = (page.Users ?? []).map(listed);
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

/** So many lookups are under way at a time: their pace is that of the quota. */
const LOOKUPS = 10;

/** Some users by what names them, a call each: for so few that a scan of everybody would take more calls. */
export async function* scanUsers(
  options: ScanOptions & { readonly ignoresCase: boolean },
  names: Iterable<UserName>,
): AsyncGenerator<ScanPage> {
  const asked = new Set<string>();
  let batch: Promise<readonly ScanPage[]>[] = [];
  const answers = async function* (): AsyncGenerator<ScanPage> {
    for (const pages of await Promise.all(batch)) yield* pages;
    batch = [];
  };
  for (const name of names) {
    const key = JSON.stringify([name.attribute, name.value]);
    if (asked.has(key)) continue;
    asked.add(key);
    batch.push(scanUser(options, name));
    if (batch.length >= LOOKUPS) yield* answers();
  }
  yield* answers();
}

async function scanUser(
  options: ScanOptions & { readonly ignoresCase: boolean },
  { attribute, value }: UserName,
): Promise<readonly ScanPage[]> {
  const folds = options.ignoresCase && FOLDED.has(attribute);
  const folded = (text: string): string => (folds ? text.toLowerCase() : text);
  const valueOf = (user: ListedUser): string =>
    attribute === "username" ? user.username : (user.attributes.get(attribute) ?? "");
  // Of usernames the list minds the case, also where the pool does not.
  const spellings = folds && attribute === "username" ? new Set([value, value.toLowerCase()]) : [value];
  const pages: ScanPage[] = [];
  for (const spelling of spellings) {
    const filter = `${attribute} = "${spelling.replace(/[\\"]/g, "\\$&")}"`;
    let token: string | undefined;
    let read = 0;
    do {
      const page: Page = await ask(options, token, filter);
      const users = (page.Users ?? []).map(listed).filter((user) => folded(valueOf(user)) === folded(value));
      pages.push({ users, again: false, askedAt: page.askedAt });
      token = page.PaginationToken || undefined;
    } while (token !== undefined && (read += 1) < MOST_PAGES_OF_ONE);
    if (pages.some(({ users }) => users.length > 0)) break;
  }
  return pages;
}

/** What a pool that ignores case takes for the same in any. */
const FOLDED: ReadonlySet<string> = new Set(["username", "email", "preferred_username"]);

async function ask(options: ScanOptions, token: string | undefined, filter?: string): Promise<Page> {
  const { cognito, lists, poolId, signal, random = Math.random } = options;
  const input = {
    UserPoolId: poolId,
    Limit: PAGE_USERS,
    ...(filter === undefined ? {} : { Filter: filter }),
    ...(token === undefined ? {} : { PaginationToken: token }),
  };
  for (let tries = 1; ; tries += 1) {
    const slot = await lists.acquire({ priority: PRIORITY, ...(signal ? { signal } : {}) });
    let refusal: Refusal;
    try {
      const askedAt = performance.now();
      const answer = await cognito.within({ signal }, (sdk) => sdk.send(new ListUsersCommand(input)));
      const page = PAGE.safeParse(answer);
      if (page.success) return { ...page.data, askedAt };
      throw new CognitoError(
        "misconfigured",
        `The endpoint answered for the users of pool ${poolId} not in Cognito's form: check the endpoint's address.`,
      );
    } catch (thrown) {
      if (thrown instanceof CognitoError) throw thrown;
      signal?.throwIfAborted();
      refusal = refusalOf(thrown, signal);
      if (refusal.failure.outcome === "wait") await slot.throttled();
    } finally {
      slot.done();
    }
    const { failure } = refusal;
    if (failure.outcome === "wait") {
      // The pace has slowed down, and says when the next try is due: a throttle is no failure.
      tries -= 1;
      continue;
    }
    if (failure.kind === "invalid-value" && token !== undefined) throw new TokenRefused();
    if (failure.outcome !== "retry" || tries >= TRIES) {
      // Nothing in the request is a person's: its advice is about values.
      const advice = failure.kind === "invalid-value" ? "Check the pool's id and the endpoint." : failure.advice;
      throw new CognitoError(failure.kind, `The users of pool ${poolId} could not be listed. ${advice}`);
    }
    await sleep(fullJitter(tries, FIRST_WAIT_MS, random()), undefined, signal ? { signal } : {});
  }
}

function listed({ Username, UserStatus, Attributes }: NonNullable<Page["Users"]>[number]): ListedUser {
  const attributes = new Map((Attributes ?? []).map(({ Name, Value }) => [Name, Value ?? ""]));
  return { username: Username, sub: attributes.get("sub") ?? Username, status: UserStatus ?? "", attributes };
}
