/** A change as an application says it, and what poolsync makes of it. What comes from JavaScript is checked here. */
import { metadataOf, type RequestFault } from "../../core/attribute-request.ts";
import type { Change } from "../../core/change.ts";
import { contactOf, isContact, VERIFIED, type Unit, type UnitValue, type Verified } from "../../core/unit.ts";
import type { Ordinal } from "../../core/version.ts";

export interface UserChange {
  /** A user pool's id. */
  readonly pool: string;
  /**
   * The username, or what people sign in with instead: an address, a number, a preferred username or the `sub`. Whose
   * that is is asked of the pool when the change is queued, and again before it is sent.
   */
  readonly username: string;
  /**
   * Wanted values by attribute name, custom ones with their `custom:`. Null clears. `email_verified` and
   * `phone_number_verified` as `"true"` or `"false"` set the flag of the value that is there.
   */
  readonly attributes: Readonly<Record<string, string | null>>;
  /** What becomes of the flag of an e-mail address or phone number that changes: needed where one is given. */
  readonly verified?: Verified;
  /** What the pool's Lambda triggers are given with the call. Values of different metadata go in calls of their own. */
  readonly clientMetadata?: Readonly<Record<string, string>>;
  /** The source's time and sequence; the store's own time where it is absent. */
  readonly version?: Ordinal;
}

/** Throws a TypeError that never holds a value. */
export function changeOf(said: UserChange): Change {
  const { pool, username, attributes, verified, version } = said;
  for (const [name, text] of Object.entries({ pool, username })) {
    if (typeof text !== "string") throw new TypeError(`Expected \`${name}\` to be text, got ${kindOf(text)}`);
  }
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) {
    throw new TypeError(`Expected \`attributes\` to be an object of values by name, got ${kindOf(attributes)}`);
  }
  if (verified !== undefined && !VERIFIED.includes(verified)) {
    throw new TypeError(`Expected \`verified\` to be one of ${VERIFIED.join(", ")}`);
  }
  const units = Object.entries(attributes).map(([name, value]) => unitOf(name, value, verified, attributes));
  const faults: RequestFault[] = [];
  const callOptions = metadataOf(faults, said.clientMetadata);
  const [fault] = faults;
  if (fault) throw new TypeError(fault.detail.replaceAll("ClientMetadata", "clientMetadata"));
  return {
    username,
    units,
    ...(version === undefined ? {} : { version }),
    ...(callOptions.clientMetadata === undefined ? {} : { callOptions }),
  };
}

function unitOf(
  name: string,
  value: unknown,
  verified: Verified | undefined,
  attributes: UserChange["attributes"],
): Unit {
  const contact = contactOf(name);
  if (contact !== undefined) {
    if (Object.hasOwn(attributes, contact)) {
      throw new TypeError(
        `Expected \`${name}\` not to come with \`${contact}\`: say \`verified\` of the change instead`,
      );
    }
    if (value !== "true" && value !== "false") throw new TypeError(`Expected \`${name}\` to be "true" or "false"`);
    return { name, value: { kind: "as-is", verified: value === "true" } };
  }
  if (value === null) return { name, value: { kind: "clear" } };
  if (typeof value !== "string") throw new TypeError(`Expected \`${name}\` to be text or null, got ${kindOf(value)}`);
  if (value === "") throw new TypeError(`Expected \`${name}\` to be text or null, got "": null clears an attribute`);
  if (!isContact(name)) return { name, value: { kind: "text", text: value } };
  if (verified === undefined) {
    throw new TypeError(
      `Expected \`verified\` to be mark, ask or keep, got nothing: \`${name}\` without it would become unverified, and could lock the user out`,
    );
  }
  const text: UnitValue = { kind: "text", text: value, verified };
  return { name, value: text };
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
