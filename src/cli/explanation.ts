/** One user's path through poolsync, as one document: what is there, what is wanted, and what stands in between. */
import type { CognitoClient } from "../cognito/client.ts";
import { createUserDirectory } from "../cognito/user-directory.ts";
import { createUserSearch } from "../cognito/user-search.ts";
import { compareUnit, type ListedUser } from "../core/comparison.ts";
import type { Held, UserState } from "../core/mailbox.ts";
import { checkUnit, type PoolProfile } from "../core/pool-schema.ts";
import { isContact, type Unit } from "../core/unit.ts";
import { timeOf } from "../core/version.ts";
import type { Engine } from "../queues/engine.ts";
import { valueOf, type Keyring } from "../store/keyring.ts";
import { mask, printable, valueText, viewLetter, type LetterView } from "./letter-view.ts";
import { adviceOf } from "./settling.ts";

export interface Explanation {
  readonly pool: {
    readonly id: string;
    readonly region: string;
    readonly ignoresCase: boolean;
    /** What people sign in with, beside the username. */
    readonly signIn: readonly string[];
    /** Whose old value stays until the person has confirmed the new one. */
    readonly heldUntilConfirmed: readonly string[];
  };
  /** The key under which logs and jobs speak of the user. */
  readonly user: string;
  readonly username: string;
  /** As ListUsers shows the user, values masked; null where it does not. */
  readonly listed: { readonly status: string; readonly attributes: Readonly<Record<string, string>> } | null;
  readonly pending: readonly PendingUnit[];
  readonly ledger: readonly { readonly attribute: string; readonly version: string; readonly known: boolean }[];
  readonly letters: readonly LetterView[];
  readonly aliases: readonly { readonly attribute: string; readonly value: string; readonly owner: string | null }[];
  readonly holds: readonly { readonly scope: string; readonly kind: string; readonly advice: string }[];
  /** What is in the way, or why nothing is, each a sentence. */
  readonly because: readonly string[];
}

export interface PendingUnit {
  readonly attribute: string;
  /** Masked. */
  readonly value: string;
  readonly version: string;
  readonly run: string;
  readonly attempts: number;
  readonly faults: number;
  readonly deaths: number;
  /** A process has it in hand until then. */
  readonly inHandUntil?: string;
  /** It waits until then. */
  readonly notBefore?: string;
  /** What its delivery would do now: `set`, `change`, `clear`, `unchanged`, `awaiting`, or why it would be refused. */
  readonly would: string;
}

export interface ExplainMeans {
  readonly engine: Engine;
  readonly cognito: CognitoClient;
  readonly profile: PoolProfile;
  readonly signal: AbortSignal;
}

export async function explain(means: ExplainMeans, username: string): Promise<Explanation> {
  const { engine, cognito, profile, signal } = means;
  const { store, keyring } = engine;
  const user = keyring.userKey(profile.id, username);
  const state = await store.mailboxes.read(user);
  const found = await createUserSearch(cognito).find(profile.id, username, {
    ignoresCase: !profile.caseSensitive,
    signal,
  });
  const listed = found.ok ? found.user : undefined;
  const letters: LetterView[] = [];
  const wanted: Unit[] = [];
  for await (const letter of store.letters.list({ pool: profile.id, user })) {
    letters.push(viewLetter(letter, keyring, false));
    if (letter.kind === "alias-exists") wanted.push({ name: letter.unit, value: valueOf(keyring.open(letter.body)) });
  }
  const pending = pendingOf(state, keyring, profile, listed);
  const holds = (await store.holds.list())
    .filter(({ pool }) => pool === profile.id)
    .map(({ scope, kind }) => ({ scope, kind, advice: adviceOf(kind) }));
  wanted.push(...unitsOf(state, keyring).map(({ unit }) => unit));
  return {
    pool: {
      id: profile.id,
      region: profile.region,
      ignoresCase: !profile.caseSensitive,
      signIn: [...profile.usernameAttributes, ...profile.aliasAttributes],
      heldUntilConfirmed: profile.requireVerificationBeforeUpdate,
    },
    user,
    username: printable(username),
    listed:
      listed === undefined
        ? null
        : {
            status: listed.status,
            attributes: Object.fromEntries([...listed.attributes].map(([name, value]) => [name, shown(name, value)])),
          },
    pending,
    ledger: Object.entries(state.ledger).map(([attribute, { version, digest }]) => ({
      attribute,
      version: iso(timeOf(version)),
      known: digest !== "",
    })),
    letters,
    aliases: await owners(means, wanted),
    holds,
    because: reasons(state, found.ok ? listed !== undefined : undefined, pending, letters, holds),
  };
}

/** A flag says nothing of who somebody is. */
function shown(name: string, value: string): string {
  return name.endsWith("_verified") ? value : mask(value);
}

function unitsOf({ mailbox }: UserState, keyring: Keyring): { unit: Unit; held: Held; inHand: boolean }[] {
  const each = (units: Readonly<Record<string, Held>>, inHand: boolean) =>
    Object.entries(units).map(([name, held]) => {
      const unit: Unit = { name, value: valueOf(keyring.open(held.body)) };
      return { unit, held, inHand };
    });
  return [...each(mailbox?.claim?.units ?? {}, true), ...each(mailbox?.pending ?? {}, false)];
}

function pendingOf(
  state: UserState,
  keyring: Keyring,
  profile: PoolProfile,
  listed: ListedUser | undefined,
): PendingUnit[] {
  const { mailbox, ledger } = state;
  return unitsOf(state, keyring).map(({ unit, held, inHand }) => {
    const { version, run, attempts, faults, deaths, notBefore, digest } = held;
    return {
      attribute: unit.name,
      value: valueText(unit.value, false),
      version: iso(timeOf(version)),
      run,
      attempts,
      faults,
      deaths,
      ...(inHand && mailbox?.claim ? { inHandUntil: iso(mailbox.claim.leaseUntil) } : {}),
      ...(notBefore > 0 ? { notBefore: iso(notBefore) } : {}),
      would: wouldBe(profile, unit, listed, ledger[unit.name]?.digest === digest),
    };
  });
}

function wouldBe(profile: PoolProfile, unit: Unit, listed: ListedUser | undefined, lastSentIsEqual: boolean): string {
  const wrong = checkUnit(profile, unit);
  if (wrong) return `invalid (${wrong.reason})`;
  if (listed === undefined) return "unknown (not listed)";
  const said = compareUnit(profile, unit, listed, lastSentIsEqual);
  return said.is === "invalid" ? `invalid (${said.reason})` : said.is;
}

/** Who has the addresses, numbers and preferred usernames that the user wants, where people sign in with such. */
async function owners(
  { cognito, profile, signal }: ExplainMeans,
  wanted: readonly Unit[],
): Promise<Explanation["aliases"]> {
  const signIn = [...profile.usernameAttributes, ...profile.aliasAttributes];
  const directory = createUserDirectory(cognito);
  const found: { attribute: string; value: string; owner: string | null }[] = [];
  for (const { name, value } of wanted) {
    if (value.kind !== "text" || !signIn.includes(name)) continue;
    if (!isContact(name) && name !== "preferred_username") continue;
    const attribute = name === "email" || name === "phone_number" ? name : "preferred_username";
    const said = await directory.resolve(profile.id, attribute, value.text, {
      ignoresCase: !profile.caseSensitive,
      signal,
    });
    if (!said.ok) continue;
    const owner = said.is === "one" ? printable(said.username) : said.is === "many" ? "several users" : null;
    found.push({ attribute: name, value: mask(value.text), owner });
  }
  return found;
}

function reasons(
  { mailbox, ledger }: UserState,
  isListed: boolean | undefined,
  pending: readonly PendingUnit[],
  letters: readonly LetterView[],
  holds: Explanation["holds"],
): string[] {
  const said: string[] = [];
  if (isListed === false) said.push("The pool does not list this user: the username is another, or the user is new.");
  if (isListed === undefined) said.push("The pool could not be asked for this user.");
  for (const { scope, kind, advice } of holds) {
    said.push(`${scope === "pool" ? "The pool is" : "E-mail and phone are"} on hold (${kind}). ${advice}`);
  }
  if (mailbox?.claim) said.push("A process has the user in hand.");
  for (const { attribute, notBefore, attempts, faults } of pending) {
    if (notBefore === undefined) continue;
    said.push(`\`${attribute}\` failed ${attempts + faults} times and is tried again at ${notBefore}.`);
  }
  if (pending.length > 0 && holds.length === 0 && !mailbox?.claim) {
    said.push("What is pending is delivered by a worker, or by the next command for the pool.");
  }
  for (const { attribute, kind, reason, id, owner, advice } of letters) {
    const whose = owner === undefined ? "" : ` User ${owner} had it.`;
    said.push(
      `\`${attribute}\` is a dead letter, ${id} (${kind === reason ? kind : `${kind}: ${reason}`}).${whose} ${advice}`,
    );
  }
  if (said.length === 0) {
    said.push(
      Object.keys(ledger).length === 0
        ? "poolsync was never asked to change this user."
        : "Nothing waits: all that was asked for is written, or was overtaken.",
    );
  }
  return said;
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
