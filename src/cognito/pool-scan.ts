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

const PAGE_USERS = 60;
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
type Page = z.infer<typeof PAGE>;

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
    yield { users, again };
    again = false;
  }
}

/** Some users by their usernames, a call each: for so few that a scan of everybody would take more calls. */
export async function* scanUsers(
  options: ScanOptions & { readonly ignoresCase: boolean },
  usernames: Iterable<string>,
): AsyncGenerator<ScanPage> {
  const folded = (name: string): string => (options.ignoresCase ? name.toLowerCase() : name);
  for (const username of usernames) {
    const filter = `username = "${username.replace(/[\\"]/g, "\\$&")}"`;
    let token: string | undefined;
    let pages = 0;
    do {
      const page: Page = await ask(options, token, filter);
      const users = (page.Users ?? []).map(listed).filter((user) => folded(user.username) === folded(username));
      if (users.length > 0) yield { users, again: false };
      token = page.PaginationToken || undefined;
    } while (token !== undefined && (pages += 1) < MOST_PAGES_OF_ONE);
  }
}

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
      const answer = await cognito.within({ signal }, (sdk) => sdk.send(new ListUsersCommand(input)));
      const page = PAGE.safeParse(answer);
      if (page.success) return page.data;
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
