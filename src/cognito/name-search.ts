/** Asks a pool whose a name is, with ListUsers, which bills nobody. Nothing is remembered here. */
import { defined } from "../core/defined.ts";
import type { ListedUser } from "../core/comparison.ts";
import { type Identifier, identifierOf, type Question, questionsOf } from "../core/identifier.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import type { Refusal } from "./fault.ts";
import type { Look, UserDirectory } from "./user-directory.ts";

export type Found =
  /** `by` is the question that found them; absent where the username was taken for what it is. */
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
}

/** The username is canonical. */
export async function findByName(
  { profile, directory, read }: NameSearch,
  text: string,
  given?: Identifier,
): Promise<({ readonly ok: true } & Found) | (Refusal & { readonly by: Question })> {
  const questions = questionsOf(profile, text, given);
  // The list of users lags: what may be a username is taken for one although nobody has it.
  const mayBeNew = identifierOf(profile, text, given) === "username";
  for (const by of questions) {
    // What can be nothing else any more needs no question.
    if (mayBeNew && by === "username" && by === questions.at(-1)) break;
    const answer = await read((signal) => ask(directory, profile, by, text, { signal }));
    if (!answer.ok) return { ...answer, by };
    if (answer.is === "one") {
      const { user } = answer;
      const found = { ok: true, is: "one", username: canonicalUsername(profile, user.username), user, by } as const;
      // The list minds the case of usernames where the pool does not: so somebody may have this one all the same.
      if (by !== "preferred_username" || profile.caseSensitive) return found;
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
  // Of usernames the list minds the case, also where the pool does not.
  for (const username of new Set([text, canonicalUsername(profile, text)])) {
    const read = await directory.readUser(profile.id, { username }, look);
    if (!read.ok) return read;
    if (read.user !== undefined) return { ok: true, is: "one", user: read.user } as const;
  }
  return { ok: true, is: "none" } as const;
}

/**
 * Who has a username that somebody else has as a preferred one, by Cognito itself; where it may not be asked, it is who
 * was found.
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
  /** Somebody whom the list does not show yet. */
  | { readonly ok: true; readonly is: "unlisted" };
