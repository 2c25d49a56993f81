/** What it would take to look at each row's user, instead of everybody in the pool. It is counted as rows are taken. */
import type { UserName } from "../cognito/pool-scan.ts";
import { isAskable } from "../core/pool-reading.ts";
import type { PoolProfile } from "../core/pool-schema.ts";

export interface Asking {
  /** Whom rows name. */
  readonly users: number;
  /** Calls, at the most; undefined where looks do not find everybody whom a scan finds. */
  readonly looks: number | undefined;
  /**
   * The list minds the case of usernames where the pool does not: some user may be spelled in a third way, and not be
   * found by a look.
   */
  readonly mayMiss: boolean;
}

export interface RowAsking extends Pick<Asking, "mayMiss"> {
  /** The questions that find one row's user. */
  add(questions: readonly UserName[]): void;
  /** Of all rows, which name so many users. */
  of(users: number): Asking;
}

export function createRowAsking({ caseSensitive }: Pick<PoolProfile, "caseSensitive">): RowAsking {
  let [rows, looks, isFindable, mayMiss] = [0, 0, true, false];
  return {
    add(questions) {
      rows += 1;
      looks += questions.length;
      isFindable &&= questions.every(({ attribute, value }) => isAskable(attribute, value));
      const username = questions.find(({ attribute }) => attribute === "username")?.value;
      if (caseSensitive || username === undefined) return;
      mayMiss = true;
      if (username !== username.toLowerCase()) looks += 1;
      // Who is not found as a username would be taken for whoever has it as a preferred one.
      if (questions.some(({ attribute }) => attribute === "preferred_username")) isFindable = false;
    },
    get mayMiss() {
      return mayMiss;
    },
    of: (users) => ({ users, mayMiss, looks: isFindable ? Math.ceil((looks * users) / Math.max(1, rows)) : undefined }),
  };
}
