/**
 * What a wanted unit would do to a user as the pool lists them. It decides what a plan says, and which values the pool
 * is known to have already. It does not decide what is sent: a delivery compares again.
 */
import { contactsOf, type Attribute, type Contacts } from "./contact.ts";
import { planUnit, textOf } from "./payload.ts";
import type { PoolProfile } from "./pool-schema.ts";
import { composed } from "./text.ts";
import { isPlain, type Unit } from "./unit.ts";

/** A user as ListUsers shows them. */
export interface ListedUser {
  readonly username: string;
  readonly sub: string;
  /** Epoch ms; 0 where it was not said. */
  readonly createdAt: number;
  /** `CONFIRMED`, `EXTERNAL_PROVIDER`…; blank where it was not said. */
  readonly status: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The contacts of a user whom the list shows. */
export function contactsIn(user: Pick<ListedUser, "attributes">): Contacts;
export function contactsIn(user: Pick<ListedUser, "attributes"> | undefined): Contacts | undefined;
export function contactsIn(user: Pick<ListedUser, "attributes"> | undefined): Contacts | undefined {
  return user && contactsOf((name) => user.attributes.get(name));
}

export type Comparison =
  | {
      readonly is: "set" | "change" | "clear";
      /** True where Cognito would write to the person. */
      readonly message: boolean;
    }
  | { readonly is: "unchanged" }
  /** It was sent, and counts once the person has confirmed it: it is not sent again. */
  | { readonly is: "awaiting" }
  | { readonly is: "invalid"; readonly reason: string };

/**
 * The unit has passed `checkUnit`. `lastSentIsEqual` says that the ledger has this very value as the last that was written of the unit.
 */
export function compareUnit(
  profile: PoolProfile,
  unit: Unit,
  user: Pick<ListedUser, "attributes">,
  lastSentIsEqual = false,
): Comparison {
  const { name, value } = unit;
  const current = user.attributes.get(name) ?? "";
  if (isPlain(name)) {
    const desired = textOf(value);
    if (composed(desired) === composed(current)) return { is: "unchanged" };
    return { is: desired === "" ? "clear" : current === "" ? "set" : "change", message: false };
  }
  const plan = planUnit(profile, unit, contactsIn(user));
  if (plan.do === "unchanged") return { is: "unchanged" };
  if (plan.do === "bury") return { is: "invalid", reason: plan.reason };
  if (lastSentIsEqual && mayAwait(profile, unit)) return { is: "awaiting" };
  const message = isMessaged(profile, name, plan.attributes);
  return { is: value.kind === "clear" ? "clear" : current === "" ? "set" : "change", message };
}

/**
 * What a call that a person asks for would do. It is sent although an equal value is there (`rewrite`); an address or
 * number is not, where it is there in just this spelling and with the flag that was asked for.
 */
export function compareAsked(
  profile: PoolProfile,
  unit: Unit,
  user: Pick<ListedUser, "attributes">,
): Comparison | { readonly is: "rewrite" } {
  const comparison = compareUnit({ ...profile, caseSensitive: true }, unit, user);
  return isPlain(unit.name) && comparison.is === "unchanged" ? { is: "rewrite" } : comparison;
}

/** True where success does not mean that the value is there: the pool holds it back until the person confirms it. */
export function mayAwait(profile: Pick<PoolProfile, "requireVerificationBeforeUpdate">, unit: Unit): boolean {
  const { name, value } = unit;
  return profile.requireVerificationBeforeUpdate.includes(name) && value.kind === "text" && value.verified !== "mark";
}

/** A changed address or number of a pool that verifies it, unless the same call says that it is verified. */
function isMessaged(profile: PoolProfile, name: string, sent: readonly Attribute[]): boolean {
  if (!profile.autoVerified.includes(name)) return false;
  const value = sent.find(({ Name }) => Name === name)?.Value ?? "";
  return value !== "" && !sent.some(({ Name, Value }) => Name === `${name}_verified` && Value === "true");
}

/** The names of the identity providers that a user signs in through; none for a user of the pool itself. */
export function providersOf({ attributes }: Pick<ListedUser, "attributes">): readonly string[] {
  let identities: unknown;
  try {
    identities = JSON.parse(attributes.get("identities") ?? "[]");
  } catch {
    // Whatever it is, it names no provider.
    return [];
  }
  if (!Array.isArray(identities)) return [];
  const names = identities.flatMap((identity: unknown) =>
    typeof identity === "object" && identity !== null && "providerName" in identity
      ? [String(identity.providerName)]
      : [],
  );
  return [...new Set(names)];
}
