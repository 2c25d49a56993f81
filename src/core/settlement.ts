/** What a delivery found out about one unit of its claim. `version` is the claimed one. */
export type Settlement =
  | { readonly is: "applied"; readonly version: string }
  | {
      readonly is: "unchanged";
      readonly version: string;
      /** True where another value is there, and this one was sent and waits until the person confirms it. */
      readonly awaiting?: boolean;
      /** The mark of the account at which the look saw it. */
      readonly account?: string;
    }
  | {
      readonly is: "retry";
      readonly version: string;
      /** Epoch ms; as the stores' port takes it, ms from their now. */
      readonly at: number;
      /** What the failure counts as: answered, without an answer, or nothing (a throttle, a hold, a shutdown). */
      readonly counts: "attempt" | "fault" | "nothing";
      /** True where the call may yet be applied. */
      readonly fateUnknown: boolean;
    }
  | {
      readonly is: "bury";
      readonly version: string;
      readonly letter: string;
      readonly kind: string;
      readonly reason: string;
      /** The key of the user who has the value. */
      readonly owner?: string;
      /** What the letter keeps instead of the unit's body: it never has a user's token. */
      readonly body?: string;
      /** True where the last call may yet be applied. */
      readonly fateUnknown: boolean;
    };

export type Settlements = Readonly<Record<string, Settlement>>;
