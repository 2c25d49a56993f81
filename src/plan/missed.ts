/**
 * What the events of a feed had missed: values that its file brings, and that no event had brought. Of what may have changed
 * before the feed had events nothing is said, nor of users and attributes that poolsync had never heard of.
 */
import type { Ledger } from "../core/mailbox.ts";
import { contactOf, type Unit } from "../core/unit.ts";
import { ordinalText, timeOf, versionText, type Ordinal } from "../core/version.ts";
import type { Keyring } from "../store/keyring.ts";

/** What is settled of a unit that is sent all the same. */
export const MISSED = "missed";

/** A value that somebody asked for. */
export interface AskedValue {
  readonly version: string;
  readonly digest: string;
}

/** The events of a feed, as far as they are known. */
export interface FeedEvents {
  /** The attributes that they bring. */
  readonly attributes: ReadonlySet<string>;
  /** Epoch ms, by the store's clock: when the first of them was put. */
  readonly since: number;
  /** The whole file was put as of a later time than that: what has changed from then on has changed since. */
  readonly putSince: boolean;
  /** What waits of a user's unit, or became a dead letter. */
  asked(user: string, unit: string): Promise<readonly AskedValue[]>;
}

/** How many values, and of how many people. */
export interface MissedFigures {
  readonly values: number;
  readonly people: number;
}

export interface RowValue {
  /** The user's key. */
  readonly user: string;
  readonly ledger: Ledger | undefined;
  readonly version: Ordinal;
  readonly unit: Unit;
}

/** True for a value that differs from what is there, and that events should have brought, had they all come. */
export async function isMissed(
  events: FeedEvents,
  keyring: Pick<Keyring, "valueDigest">,
  { user, ledger = {}, version, unit }: RowValue,
): Promise<boolean> {
  const { attributes, since, putSince } = events;
  const { name, value } = unit;
  if (!attributes.has(contactOf(name) ?? name)) return false;
  const last = Object.hasOwn(ledger, name) ? ledger[name] : undefined;
  if (last === undefined || (!putSince && timeOf(last.version) < since)) return false;
  const digest = keyring.valueDigest(name, value);
  // It was brought, and somebody else has changed it since.
  if (last.digest === digest) return false;
  const whole = versionText(ordinalText(version), 0);
  return (await events.asked(user, name)).every((one) => one.digest !== digest && one.version < whole);
}
