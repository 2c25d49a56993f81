import { randomBytes } from "node:crypto";
import { createKeyring, type Keyring, type KeyringOptions } from "../../src/store/keyring.ts";

/** A keyring of a namespace of its own, or of the one that has this digest key as text. */
export function testKeyring(
  secret: string = randomBytes(32).toString("base64url"),
  {
    former,
    earlier = [],
    encrypts = true,
    isSealed = () => true,
  }: { readonly former?: Buffer; readonly earlier?: readonly Buffer[] } & Partial<
    Pick<KeyringOptions, "encrypts" | "isSealed">
  > = {},
): Keyring {
  const digest = Buffer.from(secret, "base64url");
  return createKeyring({ identity: "test", keys: { data: digest, digest, earlier, former }, encrypts, isSealed });
}
