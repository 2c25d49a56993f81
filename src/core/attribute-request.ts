/**
 * The requests AdminUpdateUserAttributes and UpdateUserAttributes as somebody wrote them, held against the lengths,
 * patterns and requirements of Cognito's service model, and turned into a change. No message holds a value.
 */
import { contactOf, flagOf, isContact, type Unit, type UnitValue } from "./unit.ts";

/** A member that Cognito would refuse. */
export interface RequestFault {
  /** `UserAttributes[0].Value` */
  readonly at: string;
  /** A whole sentence. */
  readonly detail: string;
}

export interface AttributeRequest {
  readonly units: readonly Unit[];
  /** What the pool's Lambda triggers are given with the call; absent where nothing was said. */
  readonly clientMetadata?: Readonly<Record<string, string>>;
}

export interface AdminRequest extends AttributeRequest {
  readonly pool: string;
  readonly username: string;
}

export interface TokenRequest extends AttributeRequest {
  readonly token: string;
}

export type Checked<R> = { readonly request: R } | { readonly faults: readonly RequestFault[] };

type Input = Readonly<Record<string, unknown>>;

interface TextRule {
  readonly least: number;
  readonly most: number;
  readonly pattern?: RegExp;
  /** Of the pattern, in words. */
  readonly form: string;
}

const POOL: TextRule = {
  least: 1,
  most: 55,
  pattern: /^[\w-]+_[0-9a-zA-Z]+$/,
  form: "a user pool's id such as eu-west-1_AbCdEfGhI",
};
const USERNAME: TextRule = {
  least: 1,
  most: 128,
  pattern: /^[\p{L}\p{M}\p{S}\p{N}\p{P}]+$/u,
  form: "letters, digits, signs and punctuation: no blanks, no control characters",
};
const NAME: TextRule = {
  least: 1,
  most: 32,
  pattern: /^[\p{L}\p{M}\p{S}\p{N}\p{P}\t\n\r ]+$/u,
  form: "an attribute's name such as given_name or custom:team",
};
const VALUE: TextRule = { least: 0, most: 2048, form: "text" };
const METADATA: TextRule = { least: 0, most: 131_072, form: "text" };
const TOKEN: TextRule = {
  least: 1,
  most: Infinity,
  pattern: /^[A-Za-z0-9\-_=.]+$/,
  form: "a user's access token: letters, digits, dots, dashes, underscores and equals signs",
};

/** Checks a request of AdminUpdateUserAttributes. */
export function checkAdminRequest(input: Input): Checked<AdminRequest> {
  const faults = unknownMembers(input, ["UserPoolId", "Username", "UserAttributes", "ClientMetadata"]);
  const pool = textOf(faults, "UserPoolId", input["UserPoolId"], POOL);
  const username = textOf(faults, "Username", input["Username"], USERNAME);
  const units = unitsOf(faults, input["UserAttributes"]);
  const metadata = metadataOf(faults, input["ClientMetadata"]);
  return faults.length > 0 ? { faults } : { request: { pool, username, units, ...metadata } };
}

/** Checks a request of UpdateUserAttributes, by which nobody sets a verified flag or what administrators write. */
export function checkTokenRequest(input: Input): Checked<TokenRequest> {
  const faults = unknownMembers(input, ["AccessToken", "UserAttributes", "ClientMetadata"]);
  const token = textOf(faults, "AccessToken", input["AccessToken"], TOKEN);
  const units = unitsOf(faults, input["UserAttributes"], { byToken: true });
  const metadata = metadataOf(faults, input["ClientMetadata"]);
  return faults.length > 0 ? { faults } : { request: { token, units, ...metadata } };
}

function unknownMembers(input: Input, members: readonly string[]): RequestFault[] {
  return Object.keys(input)
    .filter((name) => !members.includes(name))
    .map((name) => ({ at: name.slice(0, 80), detail: `Expected one of ${members.join(", ")}, got another member` }));
}

/** The text, or blank where it is at fault. */
function textOf(faults: RequestFault[], at: string, value: unknown, { least, most, pattern, form }: TextRule): string {
  const fault = (detail: string): string => {
    faults.push({ at, detail });
    return "";
  };
  if (value === undefined || value === null) return fault(`Expected \`${at}\`, which is required`);
  if (typeof value !== "string") return fault(`Expected \`${at}\` to be text, got ${kindOf(value)}`);
  const range = most === Infinity ? `at least ${least}` : least === 0 ? `at most ${most}` : `${least} to ${most}`;
  if (value.length < least || value.length > most) {
    return fault(`Expected \`${at}\` to have ${range} characters, got ${value.length}`);
  }
  if (pattern?.test(value) === false) return fault(`Expected \`${at}\` to be ${form}`);
  return value;
}

interface Named {
  readonly at: string;
  readonly name: string;
  readonly text: string;
}

function unitsOf(faults: RequestFault[], list: unknown, { byToken = false } = {}): Unit[] {
  const at = "UserAttributes";
  if (list === undefined || list === null) {
    faults.push({ at, detail: `Expected \`${at}\`, which is required` });
    return [];
  }
  if (!Array.isArray(list) || list.length === 0) {
    const got = Array.isArray(list) ? "none" : kindOf(list);
    faults.push({ at, detail: `Expected \`${at}\` to be a list of at least one attribute, got ${got}` });
    return [];
  }
  const named = new Map<string, Named>();
  for (const [index, item] of list.entries()) {
    const attribute = attributeOf(faults, `${at}[${index}]`, item);
    if (attribute === undefined) continue;
    // Two values of one request have no order: to take the last would drop a value that somebody wrote.
    if (named.has(attribute.name)) {
      faults.push({ at: attribute.at, detail: `Expected each attribute once, got \`${attribute.name}\` twice` });
    }
    named.set(attribute.name, attribute);
  }
  return [...named.values()].flatMap((attribute) => unitOf(faults, attribute, named, byToken));
}

function attributeOf(faults: RequestFault[], at: string, item: unknown): Named | undefined {
  if (typeof item !== "object" || item === null || Array.isArray(item)) {
    faults.push({ at, detail: `Expected \`${at}\` to have Name and Value, got ${kindOf(item)}` });
    return undefined;
  }
  const members = new Map<string, unknown>(Object.entries(item));
  const before = faults.length;
  for (const key of members.keys()) {
    if (key !== "Name" && key !== "Value") {
      faults.push({ at: `${at}.${key.slice(0, 80)}`, detail: "Expected Name and Value, got another member" });
    }
  }
  const name = textOf(faults, `${at}.Name`, members.get("Name"), NAME);
  const value = members.get("Value");
  if (value === undefined || value === null) {
    faults.push({
      at: `${at}.Value`,
      detail: `Expected \`${at}.Value\`: Cognito refuses an attribute without one; a blank value deletes it`,
    });
  } else if (Array.isArray(value)) {
    faults.push({
      at: `${at}.Value`,
      detail: `Expected \`${at}.Value\` to be text, got a list: quote a value that holds a comma, as Value='a,b'`,
    });
  }
  const text = typeof value === "string" ? textOf(faults, `${at}.Value`, value, VALUE) : "";
  if (typeof value !== "string" && value !== undefined && value !== null && !Array.isArray(value)) {
    textOf(faults, `${at}.Value`, value, VALUE);
  }
  return faults.length > before ? undefined : { at, name, text };
}

/** None for a flag that stands beside its contact: it is said with that. */
function unitOf(
  faults: RequestFault[],
  { at, name, text }: Named,
  all: ReadonlyMap<string, Named>,
  byToken: boolean,
): Unit[] {
  const fault = (detail: string): Unit[] => {
    faults.push({ at: `${at}.Value`, detail });
    return [];
  };
  const contact = contactOf(name);
  if (byToken && (contact !== undefined || name.startsWith("dev:"))) {
    return fault(`\`${name}\` is set by administrators only: users cannot write it with their own token`);
  }
  if (contact !== undefined) {
    if (text !== "true" && text !== "false") return fault(`Expected \`${name}\` to be true or false`);
    const beside = all.get(contact);
    if (beside === undefined) return [{ name, value: { kind: "as-is", verified: text === "true" } }];
    return beside.text === "" && text === "true"
      ? fault(`Expected \`${name}\` not to be true where \`${contact}\` is cleared`)
      : [];
  }
  if (text === "") return [{ name, value: { kind: "clear" } }];
  if (!isContact(name)) return [{ name, value: { kind: "text", text } }];
  const marked = all.get(flagOf(name) ?? "")?.text === "true";
  const value: UnitValue = { kind: "text", text, verified: marked ? "mark" : "ask" };
  return [{ name, value }];
}

/** Client metadata; none where it is absent, blank or at fault. */
export function metadataOf(
  faults: RequestFault[],
  value: unknown,
): { clientMetadata?: Readonly<Record<string, string>> } {
  const at = "ClientMetadata";
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    faults.push({ at, detail: `Expected \`${at}\` to be texts by their names, got ${kindOf(value)}` });
    return {};
  }
  const entries = Object.entries(value).map(([key, text]) => {
    textOf(faults, `a name in ${at}`, key, METADATA);
    return [key, textOf(faults, `a value in ${at}`, text, METADATA)] as const;
  });
  return entries.length === 0 ? {} : { clientMetadata: Object.fromEntries(entries) };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
