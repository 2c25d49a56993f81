/** Writes attributes of one user with the user's own token: one UpdateUserAttributes, unsigned, which the caller has paced. */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import type { Attribute } from "../core/contact.ts";
import type { CognitoClient } from "./client.ts";
import { notBegun, refusalOf, type Refusal } from "./fault.ts";

/** Where Cognito sent a code, masked by Cognito itself. */
export interface CodeDelivery {
  readonly Destination?: string | undefined;
  readonly DeliveryMedium?: string | undefined;
  readonly AttributeName?: string | undefined;
}

export interface TokenAnswer {
  /** Absent where no code was sent. */
  readonly CodeDeliveryDetailsList?: readonly CodeDelivery[] | undefined;
}

export interface TokenWriter {
  /** A blank value deletes. Whatever goes wrong is an answer; nothing is thrown. No credentials are looked for. */
  write(
    token: string,
    attributes: readonly Attribute[],
    options: {
      readonly clientMetadata?: Readonly<Record<string, string>> | undefined;
      readonly signal: AbortSignal;
      /** By performance.now(): from then on the request is not sent. */
      readonly notAfter?: number;
    },
  ): Promise<{ readonly ok: true; readonly answer: TokenAnswer } | Refusal>;
}

const TEXT = z.string().exactOptional();
const ANSWER = z.object({
  CodeDeliveryDetailsList: z
    .array(z.object({ Destination: TEXT, DeliveryMedium: TEXT, AttributeName: TEXT }))
    .exactOptional(),
});

export function createTokenWriter(cognito: CognitoClient): TokenWriter {
  return {
    async write(token, attributes, { clientMetadata, signal, notAfter }) {
      const within = AbortSignal.any([signal, AbortSignal.timeout(cognito.callMs)]);
      const input = {
        AccessToken: token,
        UserAttributes: [...attributes],
        ...defined({ ClientMetadata: clientMetadata && { ...clientMetadata } }),
      };
      if (signal.aborted) return notBegun(signal);
      try {
        const limits = { signal: within, notAfter };
        const { CodeDeliveryDetailsList } = await cognito.within(limits, (sdk) => sdk.updateUserAttributes(input));
        const answer = ANSWER.safeParse(defined({ CodeDeliveryDetailsList }));
        return { ok: true, answer: answer.success ? answer.data : {} };
      } catch (thrown) {
        return refusalOf(thrown, within);
      }
    },
  };
}
