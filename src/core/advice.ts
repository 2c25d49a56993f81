/** What to do about a failure, for whoever reads of it: of a dead letter, of one call, or of a user's own call. */
import { FAILURE_KINDS, isLostPerson, LOST_PERSON, type FailureKind } from "./failure.ts";
import { TRY_AGAIN } from "./read-advice.ts";

/** What to do about a kind of failure, or about letters of a kind; blank where the kind is not known. */
export function adviceOf(kind: string, reason = ""): string {
  if (isLostPerson(reason)) return LOST_PERSON[reason];
  // `gave-up` is no failure itself: its reason is the one that was met last.
  const known = isKind(kind) ? kind : isKind(reason) ? reason : undefined;
  return known === undefined ? "" : FAILURE_KINDS[known].advice;
}

/** Where the advice of the failure table speaks of what lies there, or goes on by itself. */
const ONCE: Partial<Record<FailureKind, string>> = {
  ...TRY_AGAIN,
  aborted: "The call was cut off: look what is there, and try again.",
  "alias-exists": "Another user has this e-mail address, phone number or preferred username: give another one.",
  "user-not-found": "Create the user in the pool or correct the username, and try again.",
  "invalid-value": "Correct the value or the pool's schema, and try again.",
  "refused-by-lambda": "The pool's own Lambda trigger refused the change: read its logs, and try again.",
  "delivery-failed":
    "Cognito could not send its message: raise the e-mail or SMS limit (Cognito's own e-mail is 50 a day), and try again.",
  "user-not-ready": "The user must be confirmed or reset the password first.",
};

/** Where the call was made in the user's own right. */
const OWN: Partial<Record<FailureKind, string>> = {
  "not-authorized":
    "The token has ended, was revoked or lacks the scope aws.cognito.signin.user.admin, or the app client may not write the attribute: sign in again, or have an administrator use admin-update-user-attributes.",
  "token-expired": "The token has ended: sign in again, and make the change with the new token.",
  "user-not-found": "The user of this token is no longer in the pool: sign in again, or sign up.",
  "user-not-ready": "Confirm the account or reset the password first, and sign in again.",
};

function isKind(kind: string): kind is FailureKind {
  return Object.hasOwn(FAILURE_KINDS, kind);
}

/**
 * For one call of an administrator that was refused and left nothing behind: there is no dead letter, and nothing to
 * replay.
 */
export function adviceOnce(kind: string, reason = ""): string {
  return (isKind(kind) ? ONCE[kind] : undefined) ?? adviceOf(kind, reason);
}

/** For a user's own call. Its letter could not be replayed either, because it does not have the token. */
export function adviceToUser(kind: string, reason = ""): string {
  const known = isKind(kind) ? kind : isKind(reason) ? reason : undefined;
  return (known === undefined ? undefined : OWN[known]) ?? adviceOnce(known ?? kind, reason);
}
