/** `--dry-run` of one user's change: read with ListUsers, which bills nobody, and nothing is sent. */
import type { UserDirectory } from "../../cognito/user-directory.ts";
import { retryRead, type Reads } from "../../cognito/read-retry.ts";
import { callRefusal, type CallRefusal } from "../../cognito/recorded-calls.ts";
import { compareAsked, type ListedUser } from "../../core/comparison.ts";
import type { Question } from "../../core/identifier.ts";
import type { PoolProfile } from "../../core/pool-schema.ts";
import type { Unit } from "../../core/unit.ts";
import { readEarly } from "../../app/app-error.ts";
import { columnsOf, type Io } from "../io.ts";
import { printable } from "../../core/masking.ts";
import { indent, table } from "../../views/table.ts";
import type { OneFlags } from "./request-options.ts";
import { NOBODY } from "./refusal-text.ts";

export interface DryRun {
  readonly io: Io;
  readonly flags: OneFlags;
  readonly directory: UserDirectory;
  readonly profile: PoolProfile;
  /** Canonical. */
  readonly username: string;
  /** What the pool has of them, where that was found out with whose the name is. */
  readonly user?: ListedUser | undefined;
  /** How they were named, where that was not by the username. */
  readonly by?: Question;
  /** They have passed `checkUnit`. */
  readonly units: readonly Unit[];
  readonly reads: Reads;
  readonly signal: AbortSignal;
}

/** What would change, and whom Cognito would write to. */
export async function dryRun(
  deps: DryRun,
): Promise<{ readonly text: string } | { readonly refusal: CallRefusal; readonly username: string }> {
  const { io, flags, directory, profile, username, units, reads, signal } = deps;
  const read = async () => {
    const ignoresCase = !profile.caseSensitive;
    return retryRead({ operation: "ListUsers", pool: profile.id, reads, signal }, (ending) =>
      directory.readUser(profile.id, { username }, { ignoresCase, signal: ending }),
    );
  };
  const found = deps.user ? { ok: true as const, user: deps.user } : await readEarly(signal, read());
  if (!found.ok) return { refusal: callRefusal("ListUsers", found, [username]), username };
  if (found.user === undefined) return { refusal: NOBODY, username };
  const { user } = found;
  const changes = units.map((unit) => {
    const { is, ...more } = compareAsked(profile, unit, user);
    return {
      attribute: unit.name,
      would: is,
      message: "message" in more && more.message,
      ...("reason" in more ? { reason: more.reason } : {}),
    };
  });
  const { by = "username" } = deps;
  const whose = by === "username" ? undefined : { username: printable(user.username), by };
  if (flags.json === true)
    return { text: `${JSON.stringify({ ...(whose && { found: whose }), changes }, undefined, 2)}\n` };
  const rows = changes.map(({ attribute, would, message, reason = "" }) => [
    attribute,
    reason === "" ? would : `${would} (${reason})`,
    message ? "Cognito asks the person to verify it" : "none",
  ]);
  const columns = [{ title: "ATTRIBUTE", shrinks: true }, { title: "WOULD" }, { title: "MESSAGE", shrinks: true }];
  const width = columnsOf(io.stdout);
  const who = whose ? indent("", `Found by ${by}: ${whose.username}.`, width) : "";
  return { text: `${who}${table(columns, rows, width)}` };
}
