/** Writes attributes of one user: one AdminUpdateUserAttributes a call, which the caller has paced. */
import { defined } from "../core/defined.ts";
import type { Attribute } from "../core/contact.ts";
import type { CognitoClient } from "./client.ts";
import { notBegun, refusalOf } from "./fault.ts";
import type { Refusal } from "./fault.ts";

export type WriteAnswer = { readonly ok: true } | Refusal;

export interface WriteOptions {
  readonly signal: AbortSignal;
  /** By performance.now(): from then on the request is not sent. */
  readonly notAfter: number;
  /** What the pool's Lambda triggers are given with the call. */
  readonly clientMetadata?: Readonly<Record<string, string>>;
}

export interface AttributeWriter {
  /**
   * A blank value deletes. Whatever goes wrong is an answer; nothing is thrown. A `signal` that ends for lateness
   * should have a TimeoutError as its reason, as `AbortSignal.timeout()` has: any other abort counts as a shutdown.
   */
  write(
    poolId: string,
    username: string,
    attributes: readonly Attribute[],
    options: WriteOptions,
  ): Promise<WriteAnswer>;
}

export function createAttributeWriter(cognito: CognitoClient): AttributeWriter {
  return {
    async write(poolId, username, attributes, { signal, notAfter, clientMetadata }) {
      const input = {
        UserPoolId: poolId,
        Username: username,
        UserAttributes: [...attributes],
        ...defined({ ClientMetadata: clientMetadata && { ...clientMetadata } }),
      };
      if (signal.aborted) return notBegun(signal);
      try {
        await cognito.within({ signal, notAfter }, (sdk) => sdk.adminUpdateUserAttributes(input));
        return { ok: true };
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
  };
}
