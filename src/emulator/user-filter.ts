import { invalidParameter } from "./service-error.ts";
import type { Attributes, User } from "./user.ts";

/** `attribute = "value"` or `attribute ^= "prefix"`, the only two forms there are. */
export interface UserFilter {
  readonly name: string;
  readonly kind: "equal" | "prefix";
  readonly value: string;
}

/** Searchable attributes, and whether their case counts (API reference of ListUsers). Custom ones are not among them. */
const SEARCHABLE: ReadonlyMap<string, "exact" | "folded"> = new Map([
  ["username", "exact"],
  ["status", "exact"],
  ["sub", "folded"],
  ["email", "folded"],
  ["phone_number", "folded"],
  ["name", "folded"],
  ["given_name", "folded"],
  ["family_name", "folded"],
  ["preferred_username", "folded"],
  ["cognito:user_status", "folded"],
]);

/** Throws InvalidParameterException for a filter that Cognito does not know. A blank filter is none. */
export function parseFilter(text: string): UserFilter | undefined {
  if (text.trim() === "") return undefined;
  const match = /^\s*([^\s=^"]+)\s*(\^?=)\s*"((?:[^"\\]|\\.)*)"\s*$/su.exec(text);
  if (match === null) throw invalidParameter("Invalid filter expression.");
  const [, name = "", operator, quoted = ""] = match;
  if (!SEARCHABLE.has(name)) throw invalidParameter(`Invalid search attribute: ${name}`);
  return { name, kind: operator === "=" ? "equal" : "prefix", value: quoted.replace(/\\(.)/gsu, "$1") };
}

function searched(name: string, user: User, attributes: Attributes): string | undefined {
  switch (name) {
    case "username":
      return user.username;
    case "sub":
      return user.sub;
    case "status":
      return user.enabled ? "Enabled" : "Disabled";
    case "cognito:user_status":
      return user.status;
    default:
      return attributes.get(name);
  }
}

/** Does a user with these attributes, which a lagging list may show in an older state, match? */
export function matchesFilter(filter: UserFilter, user: User, attributes: Attributes): boolean {
  const held = searched(filter.name, user, attributes);
  if (held === undefined) return false;
  const fold = (text: string): string => (SEARCHABLE.get(filter.name) === "folded" ? text.toLowerCase() : text);
  return filter.kind === "equal" ? fold(held) === fold(filter.value) : fold(held).startsWith(fold(filter.value));
}
