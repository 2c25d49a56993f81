/** Why rows of a page were not written, as the store keeps it for those who ask later: by opaque keys, without values. */
import type { Exception, ExceptionKind } from "../store/exceptions.ts";
import type { Keyring } from "../store/keyring.ts";
import type { RowIssue } from "./row-issue.ts";

const KINDS: Readonly<Record<string, ExceptionKind>> = {
  "user-unknown": "unmatched",
  "user-ambiguous": "unmatched",
  "name-given-away": "unmatched",
  "rows-disagree": "disagreeing",
};

const STALE = "stale";

/** The key of a name of which nobody has found the user. */
export function nameKey(keyring: Pick<Keyring, "linkDigest">, pool: string, name: string): string {
  return keyring.linkDigest(pool, "row", name.toLowerCase());
}

export interface RowExceptions {
  /** `found`: the name is the canonical username. A row that names nobody is in the report only. */
  add(issue: RowIssue, name: string | undefined, found: boolean): void;
  stale(user: string, unit: string, line: number | undefined): void;
  /** What was added since it was taken last. */
  take(): Omit<Exception, "at">[];
}

export function createRowExceptions(
  keyring: Pick<Keyring, "linkDigest" | "userKey">,
  pool: string,
  run: string,
): RowExceptions {
  let exceptions: Omit<Exception, "at">[] = [];
  return {
    add({ line, attribute = "", reason }, name, found) {
      if (name === undefined || name === "") return;
      const about = found ? keyring.userKey(pool, name) : nameKey(keyring, pool, name);
      exceptions.push({ about, unit: attribute, kind: KINDS[reason] ?? "invalid", run, line, reason });
    },
    stale(user, unit, line) {
      const place = line === undefined ? {} : { line };
      exceptions.push({ about: user, unit, kind: STALE, run, ...place, reason: STALE });
    },
    take() {
      const taken = exceptions;
      exceptions = [];
      return taken;
    },
  };
}
