/** Looks for usernames that may have been meant, for a person at the command line, with ListUsers, which bills nobody. */
import { PAGE_USERS } from "../core/pool-reading.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { CognitoClient } from "./client.ts";
import { LISTED_PAGE, listedUsers } from "./listed-user.ts";

export interface UserSearch {
  /**
   * Usernames that begin alike, in any case: a mistyped username is probably meant to be one of them. None where it
   * fails.
   */
  similar(poolId: string, username: string, signal: AbortSignal): Promise<readonly string[]>;
}

/** So many letters at the beginning are taken for right, and of a short name half. */
const PREFIX = 3;

export function createUserSearch(cognito: CognitoClient): UserSearch {
  async function list(poolId: string, filter: string, signal: AbortSignal): Promise<readonly ListedUser[]> {
    const input = { UserPoolId: poolId, Filter: filter, Limit: PAGE_USERS };
    return listedUsers(LISTED_PAGE.parse(await cognito.within({ signal }, (sdk) => sdk.listUsers(input))));
  }
  const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`;

  return {
    async similar(poolId, username, signal) {
      const letters = Array.from(username);
      const begin = letters.slice(0, Math.min(PREFIX, Math.ceil(letters.length / 2))).join("");
      const capital = begin.slice(0, 1).toUpperCase() + begin.slice(1).toLowerCase();
      const found = new Set<string>();
      for (const prefix of new Set([begin, begin.toLowerCase(), capital, begin.toUpperCase()])) {
        try {
          for (const user of await list(poolId, `username ^= ${quoted(prefix)}`, signal)) found.add(user.username);
        } catch {
          // A hint is worth no failure of its own.
          return [...found];
        }
      }
      return [...found];
    },
  };
}
