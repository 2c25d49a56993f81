/** Asks a pool with ListUsers, which bills nobody, for the user who has a name. Nothing is cached here. */
import { defined } from "../core/defined.ts";
import type { ListedUser } from "../core/comparison.ts";
import { type Identifier, identifierOf, type Question, questionsOf } from "../core/identifier.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import type { Refusal } from "./fault.ts";
import type { Look, UserDirectory } from "./user-directory.ts";

export type Found =
  /** `by` is the question that found the user; absent where the text was taken as a username without a question. */
  | { readonly is: "one"; readonly username: string; readonly user?: ListedUser; readonly by?: Question }
  | { readonly is: "none"; readonly by: Question }
  | { readonly is: "many"; readonly by: Question; readonly usernames: readonly string[] };

export interface NameSearch {
  readonly profile: PoolProfile;
  readonly directory: Pick<UserDirectory, "readUser" | "resolve" | "subBehind">;
  /** Makes one call, paced and tried again as the caller wants it. */
  readonly read: <T extends { readonly ok: true }>(
    call: (ending: AbortSignal) => Promise<T | Refusal>,
  ) => Promise<T | Refusal>;
  /** False for a user who is not to be written: AdminGetUser, which bills, is not asked for them. Absent: for all. */
  readonly mayBill?: ((found: ListedUser) => boolean) | undefined;
}

/** The username is canonical. */
export async function findByName(
  { profile, directory, read, mayBill }: NameSearch,
  text: string,
  given?: Identifier,
): Promise<({ readonly ok: true } & Found) | (Refusal & { readonly by: Question })> {
  const questions = questionsOf(profile, text, given);
  // The list of users lags: a text that may be a username is taken for one even where nobody is listed with it.
  const mayBeNew = identifierOf(profile, text, given) === "username";
  for (const by of questions) {
    // A text that can only be a username by now needs no question.
    if (mayBeNew && by === "username" && by === questions.at(-1)) break;
    const answer = await read((signal) => ask(directory, profile, by, text, { signal }));
    if (!answer.ok) return { ...answer, by };
    if (answer.is === "one") {
      const { user } = answer;
      const found = { ok: true, is: "one", username: canonicalUsername(profile, user.username), user, by } as const;
      // The list compares usernames by case even where the pool does not, so somebody may have this username all the
      // same.
      if (by !== "preferred_username" || profile.caseSensitive || mayBill?.(user) === false) return found;
      const other = await read((signal) => namesake(directory, profile, text, user, signal));
      if (!other.ok) return { ...other, by };
      if (other.is === "unlisted") return { ok: true, is: "one", username: canonicalUsername(profile, text) };
      if (other.is === "another") {
        const { user: named } = other;
        return {
          ok: true,
          is: "one",
          username: canonicalUsername(profile, named.username),
          user: named,
          by: "username",
        };
      }
      return found;
    }
    if (answer.is === "many") return { ...answer, by };
  }
  const [by = "username"] = questions;
  return mayBeNew ? { ok: true, is: "one", username: canonicalUsername(profile, text) } : { ok: true, is: "none", by };
}

async function ask(
  directory: NameSearch["directory"],
  profile: PoolProfile,
  by: Question,
  text: string,
  { signal }: Pick<Look, "signal">,
) {
  const look = defined({ signal, ignoresCase: !profile.caseSensitive });
  if (by !== "username") return directory.resolve(profile.id, by, text, look);
  // The list compares usernames by case, even where the pool does not.
  for (const username of new Set([text, canonicalUsername(profile, text)])) {
    const read = await directory.readUser(profile.id, { username }, look);
    if (!read.ok) return read;
    if (read.user !== undefined) return { ok: true, is: "one", user: read.user } as const;
  }
  return { ok: true, is: "none" } as const;
}

/**
 * Asks Cognito itself for the user of a username that somebody else has as a preferred username. Where it may not be
 * asked, the answer is the user that was found.
 */
async function namesake(
  directory: NameSearch["directory"],
  profile: PoolProfile,
  text: string,
  found: ListedUser,
  signal: AbortSignal,
): Promise<Namesake | Refusal> {
  const nobody = { ok: true, is: "nobody" } as const;
  const named = await directory.subBehind(profile.id, text, { signal });
  if (!named.ok) return named.failure.outcome === "wait" || named.failure.outcome === "retry" ? named : nobody;
  if (named.sub === found.sub) return nobody;
  const read = await directory.readUser(profile.id, { sub: named.sub }, { signal });
  if (!read.ok) return read;
  return read.user === undefined ? { ok: true, is: "unlisted" } : { ok: true, is: "another", user: read.user };
}

type Namesake =
  | { readonly ok: true; readonly is: "nobody" }
  | { readonly ok: true; readonly is: "another"; readonly user: ListedUser }
  /** A user that the list does not show yet. */
  | { readonly ok: true; readonly is: "unlisted" };
