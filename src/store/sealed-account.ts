/**
 * An account as the account index keeps it: no more than its sub, sealed at the place of the value that leads to it, by
 * which nobody can tell either. A million people are a million of these, so they are short.
 */
import { MARK_LENGTH, type IndexedAccount, type IndexedAttribute } from "./account-index.ts";
import type { Keyring, Place } from "./keyring.ts";

/** Of base64: 72 bits. Two values with one name would be taken for one that two accounts have. */
const NAME_LENGTH = 12;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UUID_BYTES = 16;
/** Before a sub that is no UUID, twice where it would be as long as one. No sub begins so. */
const TEXT = "\0";

const accountPlace = ({ pool, attribute }: IndexedAttribute, name: string): Place => ["account", pool, attribute, name];

/** `value`: one spelling for all that the pool takes for the same. */
export function accountName(
  keyring: Pick<Keyring, "linkDigest">,
  { pool, attribute }: IndexedAttribute,
  value: string,
): string {
  return keyring.linkDigest(pool, attribute, value).slice(0, NAME_LENGTH);
}

export function sealAccount(
  keyring: Pick<Keyring, "linkDigest" | "seal">,
  of: IndexedAttribute,
  { value, sub }: { readonly value: string; readonly sub: string },
): IndexedAccount {
  const name = accountName(keyring, of, value);
  const mark = keyring.linkDigest(of.pool, "sub", sub).slice(0, MARK_LENGTH);
  return { name, mark, body: keyring.seal(accountPlace(of, name), packed(sub)) };
}

/** The sub; undefined where it is not what was sealed there. */
export function openAccount(
  keyring: Pick<Keyring, "openBytes">,
  of: IndexedAttribute,
  name: string,
  body: string,
): string | undefined {
  const bytes = keyring.openBytes(accountPlace(of, name), body);
  return bytes && unpacked(bytes);
}

function packed(sub: string): Uint8Array {
  if (UUID.test(sub)) return Buffer.from(sub.replaceAll("-", ""), "hex");
  const text = Buffer.from(TEXT + sub);
  return text.length === UUID_BYTES ? Buffer.from(TEXT + TEXT + sub) : text;
}

function unpacked(bytes: Buffer): string {
  if (bytes.length !== UUID_BYTES) return bytes.toString("utf8").replace(/^\0+/, "");
  const hex = bytes.toString("hex");
  return [0, 8, 12, 16, 20].map((from, index, all) => hex.slice(from, all[index + 1])).join("-");
}
