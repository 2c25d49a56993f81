/**
 * Compares the users who want an address, number or preferred username for sign-in with the user who has it. An alias
 * has one owner: Cognito either refuses the second, or moves it silently away from the first. So a value that is not
 * free is not written, and the plan says why.
 */

import type { Attribute, Contacts } from "./contact.ts";
import type { PoolProfile } from "./pool-schema.ts";
import { contactOf, flagOf, isContact } from "./unit.ts";

/** What people may sign in with beside a username. */
export type AliasAttribute = "email" | "phone_number" | "preferred_username";

export interface Alias {
  readonly attribute: AliasAttribute;
  readonly value: string;
}

export function isAliasAttribute(name: string): name is AliasAttribute {
  return isContact(name) || name === "preferred_username";
}

/** One spelling for one alias: folded where the pool ignores case. */
export function canonicalAlias(profile: Pick<PoolProfile, "caseSensitive">, { attribute, value }: Alias): string {
  return profile.caseSensitive || attribute === "phone_number" ? value : value.toLowerCase();
}

/**
 * The alias that these attributes of one unit would give to the user, and take from its owner: an address or number of
 * an alias pool that the call says is verified, or a preferred username. Undefined where they take nothing: in a pool
 * whose usernames are addresses or numbers Cognito itself refuses the second user.
 */
export function aliasTaken(
  { aliasAttributes }: Pick<PoolProfile, "aliasAttributes">,
  sent: readonly Attribute[],
  contacts: Contacts | undefined,
): Alias | undefined {
  const valueOf = (name: string): string => sent.find(({ Name }) => Name === name)?.Value ?? "";
  for (const { Name, Value } of sent) {
    const attribute = contactOf(Name) ?? Name;
    if (!isAliasAttribute(attribute) || !aliasAttributes.includes(attribute)) continue;
    if (attribute === "preferred_username") return Value === "" ? undefined : { attribute, value: Value };
    if (valueOf(flagOf(attribute) ?? "") !== "true") continue;
    // The flag alone speaks of the value that is there.
    const value = sent.some((sentAttribute) => sentAttribute.Name === attribute)
      ? valueOf(attribute)
      : (contacts?.[attribute]?.value ?? "");
    if (value !== "") return { attribute, value };
  }
  return undefined;
}

export type AliasFault = "alias-owned" | "alias-wanted-twice" | "alias-swap" | "alias-chain";

/** One user wants one alias that is not theirs. Users are named by whatever names them apart. */
export interface AliasClaim {
  readonly claimant: string;
  /** Others want the same value. */
  readonly contested: boolean;
  /** Who has it; absent where it is free. */
  readonly owner?: string | undefined;
}

/** What the owner of an alias is about to do with it. */
export type AliasStep =
  | { readonly is: "stays" }
  /** The owner gives it up, and wants a value that is another user's, or nobody's. */
  | { readonly is: "moves"; readonly to?: string | undefined };

const LONGEST_CHAIN = 1000;

/**
 * What keeps a claim from being written, or undefined.
 *
 * - `alias-wanted-twice`: two users want it, and neither is better than the other.
 * - `alias-owned`: its owner keeps it, or cannot give it up because what the owner wants is kept by another.
 * - `alias-swap`: its owner wants, perhaps through others, what the claimant has. There is no order in which Cognito
 *   would take such writes.
 * - `alias-chain`: its owner gives it up in the same plan. Once that is written the next run takes the claim, so each
 *   run moves one link, and no alias ever has two claims under way.
 */
export function judgeClaim(
  { claimant, contested, owner }: AliasClaim,
  stepOf: (owner: string) => AliasStep,
): AliasFault | undefined {
  if (owner === claimant) return undefined;
  if (contested) return "alias-wanted-twice";
  if (owner === undefined) return undefined;
  let at = owner;
  for (let steps = 0; steps < LONGEST_CHAIN; steps += 1) {
    const step = stepOf(at);
    if (step.is === "stays") return "alias-owned";
    if (step.to === undefined) return "alias-chain";
    if (step.to === claimant) return "alias-swap";
    // The others swap among themselves, so they keep what they have.
    if (step.to === owner) return "alias-owned";
    at = step.to;
  }
  return "alias-chain";
}
