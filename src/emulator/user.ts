import type { Contact } from "./contact.ts";

export const USER_STATUSES = [
  "UNCONFIRMED",
  "CONFIRMED",
  "RESET_REQUIRED",
  "FORCE_CHANGE_PASSWORD",
  "EXTERNAL_PROVIDER",
] as const;
type UserStatus = (typeof USER_STATUSES)[number];

export type Attributes = ReadonlyMap<string, string>;

/** A user as the directory keeps it. Maps are replaced, never changed, so that an older one can still be shown. */
export interface User {
  /** Its place in the order of creation, which no other user of the pool ever has. */
  readonly ordinal: number;
  readonly username: string;
  readonly sub: string;
  readonly createdAt: number;
  modifiedAt: number;
  enabled: boolean;
  status: UserStatus;
  /** Without `sub`. A deleted attribute is absent. */
  attributes: Attributes;
  /** New values that wait for their confirmation. */
  held: ReadonlyMap<Contact, string>;
  /** What a lagging ListUsers still shows, oldest first. */
  past: readonly (ShownState & { readonly until: number })[];
  /** How long ListUsers does not show what becomes of this user. */
  readonly listLagMs: number;
  /** Set once: a deleted user changes no more, and a new one of the same username is another user. */
  deletedAt: number | undefined;
}

/** What a list shows of a user, beside what never changes. */
export interface ShownState {
  readonly attributes: Attributes;
  readonly modifiedAt: number;
}

/** Copies for tests and demos: changing one changes no user. */
export interface UserView {
  readonly username: string;
  readonly sub: string;
  readonly status: UserStatus;
  readonly enabled: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  /** New values that wait for their confirmation. */
  readonly held: Readonly<Record<string, string>>;
}

export function viewUser(user: User): UserView {
  return {
    username: user.username,
    sub: user.sub,
    status: user.status,
    enabled: user.enabled,
    attributes: Object.fromEntries(user.attributes),
    held: Object.fromEntries(user.held),
  };
}

/** A list of `{ Name, Value }` with `sub` in front, as Cognito answers it. */
export function listAttributes(user: User, attributes: Attributes): { Name: string; Value: string }[] {
  const listed = [{ Name: "sub", Value: user.sub }];
  for (const [name, value] of attributes) listed.push({ Name: name, Value: value });
  return listed;
}
