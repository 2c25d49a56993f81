/** Why a plan leaves a row or a value out. */
export const PLAN_FAULTS = {
  "user-unknown": "Expected the row to name a user of the pool; nobody in it matches.",
  "user-ambiguous": "Expected the row to name one user of the pool; several match.",
  "name-given-away":
    "Another row gives this row's name to somebody else, so that it would mean another person once that is written; name people by the username or the sub.",
  "protected-user": "The user is protected in poolsync.yaml, and is never written.",
  "protected-attribute": "The attribute is protected in poolsync.yaml, and is never written.",
  "rows-disagree":
    "Expected the rows of one user to agree; correct the source, or set `duplicates: last` so that the last one stands.",
  "alias-owned": "Another user of the pool has this value and keeps it; correct the source.",
  "alias-wanted-twice": "Several rows want this value for different users; correct the source.",
  "alias-swap":
    "Users would swap this value among themselves, which Cognito does in no order; give one of them another value first.",
  "alias-chain":
    "Another user still has this value, and gives it up in the same feed; the next run writes it, once that is done.",
  altered: "What was there before was altered in the store, so it is not put back; find out who can write to it.",
  "changed-since-plan": "The user was changed after the plan was made, so the plan is not applied to them; plan again.",
} as const;
export type PlanFault = keyof typeof PLAN_FAULTS;

export function isPlanFault(reason: string): reason is PlanFault {
  return Object.hasOwn(PLAN_FAULTS, reason);
}
