/** Dead letters as people see them. The command line shows usernames; values are masked unless they are asked for. */
import type { Letter } from "../core/letter.ts";
import { timeOf } from "../core/version.ts";
import { mannerOf, personOf, valueOf, type Keyring } from "../store/keyring.ts";
import { contactOf, type UnitValue } from "../core/unit.ts";
import { adviceToUser } from "../cli/aws/advice.ts";
import { adviceOf } from "../app/runs/settling.ts";

/** What a letter is about, opened. */
export interface LetterView {
  readonly id: string;
  readonly kind: string;
  readonly reason: string;
  /** The key of the user who has the value, where it is known. */
  readonly owner?: string;
  readonly pool: string;
  readonly username: string;
  readonly attribute: string;
  /** Masked, or as it is. */
  readonly value: string;
  readonly verified?: string;
  /** Client metadata that goes with it, its texts masked or as they are. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** `UpdateUserAttributes` where the user's own token was to make it. */
  readonly call?: string;
  /** Of the account that it is for, where somebody has looked. */
  readonly sub?: string;
  /** How the change named its person, where that was not the username: the attribute and its value, masked or as it is. */
  readonly namedBy?: string;
  readonly run: string;
  /** ISO 8601: when the value was true, by its source's clock. */
  readonly version: string;
  readonly buriedAt: string;
  readonly advice: string;
}

export function viewLetter(letter: Letter, keyring: Keyring, showValues: boolean): LetterView {
  const { id, kind, reason, owner, pool, unit, run, version, buriedAt } = letter;
  const body = keyring.open(letter.body);
  const value = valueOf(body);
  const { clientMetadata, token } = mannerOf(body);
  const { account, name } = personOf(body);
  return {
    id,
    kind,
    reason,
    ...(owner === undefined ? {} : { owner }),
    pool,
    username: printable(keyring.open(letter.username)),
    attribute: unit,
    value: valueText(value, showValues),
    ...(value.kind === "text" && value.verified !== undefined ? { verified: value.verified } : {}),
    ...(clientMetadata === undefined ? {} : { metadata: metadataText(clientMetadata, showValues) }),
    ...(token === undefined ? {} : { call: "UpdateUserAttributes" }),
    run,
    version: new Date(timeOf(version)).toISOString(),
    buriedAt: new Date(buriedAt).toISOString(),
    ...(account === undefined ? {} : { sub: account.sub }),
    ...(name === undefined
      ? {}
      : { namedBy: `${name.attribute} ${showValues ? printable(name.value) : mask(name.value)}` }),
    // What lies there without its token is sent by nobody.
    advice: token === undefined ? adviceOf(kind, reason) : adviceToUser(kind, reason),
  };
}

function metadataText(metadata: Readonly<Record<string, string>>, show: boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, text]) => [printable(name), show ? printable(text) : mask(text)]),
  );
}

/** A value as it may be shown. */
export function valueText(value: UnitValue, show: boolean): string {
  switch (value.kind) {
    case "text":
      return show ? printable(value.text) : mask(value.text);
    case "clear":
      return "(cleared)";
    case "as-is":
      return value.verified ? "(verified, as it is)" : "(not verified, as it is)";
  }
}

/** What the pool has of an attribute, as it may be shown: masked, unless it is a flag, which says of nobody who they are. */
export function shownValue(name: string, text: string): string {
  return contactOf(name) === undefined ? mask(text) : printable(text);
}

const SHORTEST_SHOWN = 4;

/** `j***@e***.com` for an address, `J***` for other text, `***` where one letter would be much of it. */
export function mask(text: string): string {
  if (Array.from(text).length < SHORTEST_SHOWN) return "***";
  const [, name, host, end] = /^([^@\s]+)@([^@\s]+?)(\.[^.@\s]+)?$/.exec(text) ?? [];
  if (name !== undefined && host !== undefined) return `${first(name)}***@${first(host)}***${printable(end ?? "")}`;
  return `${first(text)}***`;
}

function first(text: string): string {
  return printable(Array.from(text)[0] ?? "");
}

/** Text from a feed cannot move the terminal's cursor or colour it. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\uFFFD");
}
