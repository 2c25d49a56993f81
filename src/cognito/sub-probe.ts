/**
 * Whether a pool's service takes a sub for a username. Cognito does, of its own users; some stand-ins do not. It is
 * never guessed: only where AdminGetUser answers a username with this very sub, and then knows no user of that sub, are
 * the pool's users written by username.
 */
import { calledName, type Person } from "../core/person.ts";
import type { UserDirectory } from "./user-directory.ts";

export interface SubProbe {
  /** The `Username` of a call. */
  called(username: string, person: Person): string;
  /** A call with this `Username` went through. */
  wentThrough(username: string, called: string): void;
  /** Nobody was found by this `Username`, which is a sub: true where the call is to be made by the username. */
  isInVain(username: string, sub: string, signal: AbortSignal): Promise<boolean>;
}

/** `onUsernames` is called once, when it turns out that the service takes no sub. */
export function createSubProbe(
  poolId: string,
  directory: Pick<UserDirectory, "subBehind">,
  onUsernames: () => void = () => undefined,
): SubProbe {
  let takes: "unknown" | "subs" | "usernames" = "unknown";
  let last: Promise<unknown> = Promise.resolve();

  async function ask(username: string, sub: string, signal: AbortSignal): Promise<boolean> {
    if (takes !== "unknown" || username === sub) return takes === "usernames" && username !== sub;
    const named = await directory.subBehind(poolId, username, { signal });
    if (!named.ok || named.sub !== sub) return false;
    const known = await directory.subBehind(poolId, sub, { signal });
    if (known.ok) takes = "subs";
    if (known.ok || known.failure.kind !== "user-not-found") return false;
    // They may have been deleted between the two questions.
    const again = await directory.subBehind(poolId, username, { signal });
    if (!again.ok || again.sub !== sub) return false;
    takes = "usernames";
    onUsernames();
    return true;
  }

  return {
    called: (username, person) => (takes === "usernames" ? username : calledName(username, person)),
    wentThrough(username, called) {
      if (username !== called) takes = "subs";
    },
    isInVain(username, sub, signal) {
      // One at a time: what is found out of one user's is so for the pool.
      const asking = last.then(() => ask(username, sub, signal));
      last = asking.catch(() => undefined);
      return asking;
    },
  };
}
