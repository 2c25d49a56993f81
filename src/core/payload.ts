/**
 * How a unit is sent. Most units are an attribute, sent as it is wanted. What is sent for an e-mail address or phone
 * number, or for the flag of one, depends on what the pool has. Values share a call where they are sent in one manner,
 * the oldest first; each flag that stands alone goes after all of them in a call of its own, because what it must be
 * depends on what they leave there.
 */
import { planContact, type Attribute, type ContactPlan, type Contacts } from "./contact.ts";
import { together, type CallOptions, type Together } from "./call-options.ts";
import type { PoolProfile } from "./pool-schema.ts";
import { isFlag, isPlain, type Unit, type UnitValue } from "./unit.ts";

/** A value as an attribute; blank deletes it. */
export function textOf(value: UnitValue): string {
  return value.kind === "text" ? value.text : "";
}

/** The attribute of a plain unit, and of any unit of a user's own call, which says nothing of flags. */
export function attributeOf({ name, value }: Unit): Attribute {
  return { Name: name, Value: textOf(value) };
}

/**
 * What is sent for a unit to a user who has these contacts, undefined where that is not known. A plain unit is always
 * sent: whether it is there already is not looked at here.
 */
export function planUnit(
  profile: Pick<PoolProfile, "caseSensitive">,
  unit: Unit,
  contacts: Contacts | undefined,
): ContactPlan {
  if (isPlain(unit.name)) return { do: "send", attributes: [attributeOf(unit)] };
  return planContact(profile, unit.name, unit.value, contacts);
}

/** Which of some units go in which call, by name, in the order of the calls. */
export function inCalls(
  names: readonly string[],
  mannerOf: (name: string) => CallOptions,
  versionOf: (name: string) => string,
): Together[] {
  const values = names.filter((name) => !isFlag(name));
  const flags = names.filter(isFlag);
  return [
    ...together(values, mannerOf, versionOf),
    ...flags.map((name) => ({ callOptions: mannerOf(name), names: [name] })),
  ];
}
