/** Writes attributes of one user: one AdminUpdateUserAttributes a call, which the caller has paced. */
import { AdminUpdateUserAttributesCommand } from "@aws-sdk/client-cognito-identity-provider";
import type { Attribute } from "../core/contact.ts";
import type { CognitoClient } from "./client.ts";
import { notBegun, refusalOf } from "./fault.ts";
import type { Refusal } from "./fault.ts";

export type WriteAnswer = { readonly ok: true } | Refusal;

export interface WriteOptions {
  readonly signal: AbortSignal;
  /**
   * By performance.now(): from then on the request is not sent. It is looked at as the last thing before the wire,
   * because a process that was suspended goes on in the middle of its work, before any timer can abort it.
   */
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
        ...(clientMetadata === undefined ? {} : { ClientMetadata: { ...clientMetadata } }),
      };
      if (signal.aborted) return notBegun(signal);
      const command = new AdminUpdateUserAttributesCommand(input);
      command.middlewareStack.add(notSentAfter(notAfter), NOT_SENT_AFTER);
      try {
        await cognito.sdk.send(command, { abortSignal: signal });
        return { ok: true };
      } catch (thrown) {
        if (thrown instanceof TooLateToSend) return notBegun(AbortSignal.abort());
        return refusalOf(thrown, signal);
      }
    },
  };
}

/** The time to send had passed. Nothing was sent. */
export class TooLateToSend extends Error {}

/** The last thing before the wire. */
export const NOT_SENT_AFTER = { step: "deserialize", priority: "low", name: "notAfter" } as const;

/** Middleware of the SDK that throws TooLateToSend from `notAfter` on, by performance.now(). */
export function notSentAfter(
  notAfter: number,
): <In, Out>(next: (args: In) => Promise<Out>) => (args: In) => Promise<Out> {
  return (next) => (args) => {
    if (performance.now() >= notAfter) throw new TooLateToSend();
    return next(args);
  };
}
