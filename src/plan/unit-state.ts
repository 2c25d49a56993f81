/** What a user has of a unit, as the pool lists it, and a name for it. */
import type { ListedUser } from "../core/comparison.ts";
import { contactOf, isContact } from "../core/unit.ts";
import type { Keyring } from "../store/keyring.ts";
import type { PlannedUnit } from "./planned-row.ts";

export type UnitState = NonNullable<PlannedUnit["was"]>;

/** The value, and of an address or number its flag. */
export function stateOf(name: string, { attributes }: Pick<ListedUser, "attributes">): UnitState {
  const contact = contactOf(name) ?? name;
  const value = attributes.get(contact) ?? "";
  return isContact(contact) ? { value, flag: attributes.get(`${contact}_verified`) ?? "" } : { value };
}

/** Equal names are equal values, flags included. */
export function stateName(keyring: Keyring, name: string, { value, flag = "" }: UnitState): string {
  return keyring.valueDigest(name, { kind: "text", text: JSON.stringify([value, flag]) });
}
