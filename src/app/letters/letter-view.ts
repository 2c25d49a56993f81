/** Dead letters as people see them. The command line shows usernames; values are masked unless they are asked for. */
import type { Letter } from "../../core/letter.ts";
import { timeOf } from "../../core/version.ts";
import { callOptionsOf, personOf, valueOf, type Keyring } from "../../store/keyring.ts";
import { openBody, openUsername } from "../../store/sealed-unit.ts";
import { mask, printable, valueText } from "../../core/masking.ts";
import { adviceToUser, adviceOf } from "../../core/advice.ts";

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
  /** ISO 8601: when it was asked whose that name is. */
  readonly namedAt?: string;
  readonly run: string;
  /** ISO 8601: when the value was true, by its source's clock. */
  readonly version: string;
  /** The last time, as `last` has it. */
  readonly buriedAt: string;
  /** How often the fault befell the attribute, with the first and the last time. ISO 8601. */
  readonly times: number;
  readonly first: string;
  readonly last: string;
  readonly advice: string;
}

/** Stands for what was altered in the store. */
const UNREADABLE = "(altered)";

const iso = (epochMs: number): string => new Date(epochMs).toISOString();

export function viewLetter(letter: Letter, keyring: Keyring, showValues: boolean): LetterView {
  const { id, kind, reason, owner, pool, unit, run, version, times = 1, buriedAt, first = buriedAt } = letter;
  const about = { id, kind, reason, ...(owner === undefined ? {} : { owner }), pool };
  const [begun, last] = [iso(first), iso(buriedAt)];
  const when = { run, version: iso(timeOf(version)), buriedAt: last, times, first: begun, last };
  const username = openUsername(keyring, letter, letter.username);
  const body = openBody(keyring, letter, letter.body);
  if (username === undefined || body === undefined || kind === "altered") {
    const shown = username === undefined ? UNREADABLE : printable(username);
    return { ...about, username: shown, attribute: unit, value: UNREADABLE, ...when, advice: adviceOf("altered") };
  }
  const value = valueOf(body);
  const { clientMetadata, token } = callOptionsOf(body);
  const { account, name } = personOf(body);
  return {
    ...about,
    username: printable(username),
    attribute: unit,
    value: valueText(value, showValues),
    ...(value.kind === "text" && value.verified !== undefined ? { verified: value.verified } : {}),
    ...(clientMetadata === undefined ? {} : { metadata: metadataText(clientMetadata, showValues) }),
    ...(token === undefined ? {} : { call: "UpdateUserAttributes" }),
    ...when,
    ...(account === undefined ? {} : { sub: account.sub }),
    ...(name === undefined
      ? {}
      : {
          namedBy: `${name.attribute} ${showValues ? printable(name.value) : mask(name.value)}`,
          namedAt: iso(name.askedAt),
        }),
    // Nobody can send a letter without its token.
    advice: token === undefined ? adviceOf(kind, reason) : adviceToUser(kind, reason),
  };
}

function metadataText(metadata: Readonly<Record<string, string>>, show: boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, text]) => [printable(name), show ? printable(text) : mask(text)]),
  );
}
