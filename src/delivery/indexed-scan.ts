/**
 * A scan of a pool that notes in the account index who has which value of some attributes. What it notes counts once it has
 * come to its end: whoever stops before, or fails, leaves the index as it was.
 */
import { randomUUID } from "node:crypto";
import { valueIn } from "../cognito/listed-user.ts";
import type { ScanPage } from "../cognito/pool-scan.ts";
import { canonicalAlias, isAliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Keyring } from "../store/keyring.ts";
import { sealAccount } from "../store/sealed-account.ts";
import type { Store } from "../store/store.ts";

export interface IndexDeps {
  readonly store: Pick<Store, "accounts" | "now">;
  /** By whose keys values are named. */
  readonly keyring: Pick<Keyring, "linkDigest" | "seal">;
  readonly profile: PoolProfile;
}

/** What names a value of an attribute: one text for spellings that the pool takes for the same. */
export function indexedValue(profile: PoolProfile, attribute: string, value: string): string {
  return isAliasAttribute(attribute) ? canonicalAlias(profile, { attribute, value }) : value;
}

export async function* indexedScan(
  pages: AsyncIterable<ScanPage>,
  attributes: readonly string[],
  { store, keyring, profile }: IndexDeps,
): AsyncGenerator<ScanPage> {
  const { accounts } = store;
  // Before the first page is asked for. A scan that begins again keeps it: too early is never wrong.
  const beganAt = await store.now();
  const scan = randomUUID();
  const scans = attributes.map((attribute) => ({ pool: profile.id, attribute, scan, beganAt }));
  let adds = scans.map(() => 0);
  let isWhole = false;

  async function note(users: readonly ListedUser[]): Promise<void> {
    for (const [index, of] of scans.entries()) {
      const seen = users.flatMap((user) => {
        const value = indexedValue(profile, of.attribute, valueIn(user, of.attribute));
        return value === "" ? [] : [sealAccount(keyring, of, { value, sub: user.sub })];
      });
      if (seen.length === 0) continue;
      await accounts.add(of, seen);
      adds[index] = (adds[index] ?? 0) + 1;
    }
  }

  try {
    for await (const page of pages) {
      if (page.again) {
        for (const of of scans) await accounts.drop(of);
        adds = scans.map(() => 0);
      }
      await note(page.users);
      yield page;
    }
    for (const [index, of] of scans.entries()) await accounts.finish(of, adds[index] ?? 0);
    isWhole = true;
  } finally {
    // Where the store does not answer, what is left goes by itself, or with the next scan.
    if (!isWhole) await Promise.all(scans.map((of) => accounts.drop(of).catch(() => undefined)));
  }
}
