/**
 * What a refused call means for its units, for the others of the claim, and for what is sent next. Whom Cognito's answer
 * speaks of is known from the failure's kind, or is found out by sending the units in halves.
 */
import type { Failure } from "./failure.ts";
import { culprits, halves } from "./isolation.ts";

/** Units that went in one call. */
export interface SentUnits {
  readonly names: readonly string[];
  /** The names of the attributes that were sent for them. */
  readonly sent: readonly string[];
  /** Why the call failed that they were split from. */
  readonly splitBy?: Failure;
}

export type Judgement =
  /** It speaks of no unit: those that were sent are tried again as the failure says, and no other is sent now. */
  | { readonly is: "put-off" }
  /** It speaks of the user, or of what went beside the values: whatever goes alike is refused alike. */
  | { readonly is: "alike" }
  /** Apart the units fail for another reason than together: they need one another, and fail for the first reason. */
  | { readonly is: "together"; readonly failure: Failure }
  /** Nobody knows which unit it speaks of. */
  | { readonly is: "halved"; readonly parts: readonly (readonly string[])[] }
  /** These units are at fault, and the rest is sent again. */
  | { readonly is: "at-fault"; readonly names: readonly string[]; readonly rest: readonly string[] };

/** `message` is Cognito's own, which may name what it speaks of. */
export function judgeRefusal(failure: Failure, message: string, { names, sent, splitBy }: SentUnits): Judgement {
  if (failure.outcome !== "bury") return { is: "put-off" };
  if (failure.scope === "claim") return { is: "alike" };
  if (splitBy && splitBy.kind !== failure.kind) return { is: "together", failure: splitBy };
  const atFault = culprits(failure.kind, message, sent);
  if (atFault) return { is: "at-fault", names: atFault, rest: names.filter((name) => !atFault.includes(name)) };
  return names.length > 1 ? { is: "halved", parts: halves(names) } : { is: "at-fault", names, rest: [] };
}
