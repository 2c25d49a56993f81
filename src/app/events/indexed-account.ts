/** Whom a value means that nobody can be asked for: the account index says who may, and the pool whether they have it still. */
import { CognitoError } from "../../cognito/cognito-error.ts";
import { valueIn } from "../../cognito/listed-user.ts";
import type { Change } from "../../core/change.ts";
import { indexedValue } from "../../delivery/indexed-scan.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Keyring } from "../../store/keyring.ts";
import { accountName, openAccount } from "../../store/sealed-account.ts";
import type { Store } from "../../store/store.ts";

export interface IndexDeps {
  readonly pool: Pick<Pool, "profile" | "names">;
  readonly store: Pick<Store, "accounts">;
  readonly keyring: Pick<Keyring, "linkDigest" | "openBytes">;
  readonly signal: AbortSignal;
}

export type IndexedWho =
  | { readonly is: "one"; readonly of: Pick<Change, "username" | "person"> }
  /** `scannedAt` (epoch ms): when the scan began that says so; 0 where there was none. */
  | { readonly is: "none" | "many"; readonly scannedAt: number };

/**
 * `since`: see Asked. Of who does not have the value any more it is not known who has: that is nobody, as far as the last scan
 * says. Rejects with a CognitoError where the pool cannot be asked, and with the signal's reason.
 */
export async function whoHas(
  { pool: { profile, names }, store, keyring, signal }: IndexDeps,
  { attribute, value: text, since }: { readonly attribute: string; readonly value: string; readonly since: number },
): Promise<IndexedWho> {
  const of = { pool: profile.id, attribute };
  const value = indexedValue(profile, attribute, text);
  const name = accountName(keyring, of, value);
  const { found, scannedAt = 0 } = await store.accounts.find(of, name);
  if (found.is === "several") return { is: "many", scannedAt };
  const sub = found.is === "one" ? openAccount(keyring, of, name, found.body) : undefined;
  if (sub === undefined) return { is: "none", scannedAt };
  const answer = await names.whose(sub, "sub", signal, { inBulk: true, since }).catch(asNone);
  if (answer.is !== "one" || answer.user === undefined) return { is: "none", scannedAt };
  const { username, person, user, askedAt = 0 } = answer;
  if (indexedValue(profile, attribute, valueIn(user, attribute)) !== value) return { is: "none", scannedAt };
  // A value that cannot be written never passes to another user.
  if (profile.attributes[attribute]?.mutable === false) return { is: "one", of: { username, person } };
  return { is: "one", of: { username, person: { ...person, name: { attribute, value: text, askedAt } } } };
}

/** Of a sub that the pool does not take there is nobody. */
function asNone(error: unknown): { readonly is: "none" } {
  if (error instanceof CognitoError && error.kind === "invalid-value") return { is: "none" };
  throw error;
}
