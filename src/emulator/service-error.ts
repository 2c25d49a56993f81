/**
 * An error as Cognito answers it. The wire status is 400 for every error of the client's making, whatever the SDK's
 * model says of it, and 500 for Cognito's own.
 */
export class ServiceError extends Error {
  readonly status: number;

  constructor(name: string, message: string, status: number = statusOf(name)) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

const STATUS: ReadonlyMap<string, number> = new Map([
  ["InternalErrorException", 500],
  ["InternalFailure", 500],
  ["ServiceUnavailable", 503],
  ["ServiceUnavailableException", 503],
]);

function statusOf(name: string): number {
  return STATUS.get(name) ?? 400;
}

/** What Cognito says with an error whose text does not depend on the request. Used by scripted faults. */
const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["AccessDeniedException", "User is not authorized to perform this operation with an explicit deny"],
  ["AliasExistsException", "An account with the given email already exists."],
  ["CodeDeliveryFailureException", "The verification message could not be delivered."],
  ["ExpiredTokenException", "The security token included in the request is expired"],
  ["InternalErrorException", "Something went wrong"],
  ["InvalidEmailRoleAccessPolicyException", "Cognito is not allowed to use your email identity"],
  ["InvalidLambdaResponseException", "Unrecognizable lambda output"],
  ["InvalidParameterException", "Invalid parameter."],
  ["InvalidSmsRoleAccessPolicyException", "Role does not have permission to publish with SNS"],
  ["InvalidSmsRoleTrustRelationshipException", "Role does not have a trust relationship allowing Cognito to assume it"],
  ["InvalidSignatureException", "The request signature we calculated does not match the signature you provided."],
  [
    "LimitExceededException",
    "Exceeded daily email limit for the operation or the account. If a higher limit is required, please configure your user pool to use your own Amazon SES configuration for sending email.",
  ],
  ["MissingAuthenticationTokenException", "Missing Authentication Token"],
  ["NotAuthorizedException", "User is not authorized."],
  ["OperationNotEnabledException", "The operation is not enabled in this Region."],
  ["PasswordResetRequiredException", "Password reset required for the user"],
  ["ResourceNotFoundException", "User pool does not exist."],
  ["ThrottlingException", "Rate exceeded"],
  ["TooManyRequestsException", "Rate exceeded"],
  ["UnexpectedLambdaException", "CustomMessage invocation failed due to error AccessDeniedException."],
  ["UnrecognizedClientException", "The security token included in the request is invalid."],
  ["UserLambdaValidationException", "CustomMessage failed with error Rejected."],
  ["UserNotConfirmedException", "User is not confirmed."],
  ["UserNotFoundException", "User does not exist."],
]);

/** The error of this name with the text that Cognito is known to send, and its usual status. */
export function namedError(name: string, message?: string, status?: number): ServiceError {
  return new ServiceError(name, message ?? MESSAGES.get(name) ?? "The request failed.", status);
}

export function invalidParameter(message: string): ServiceError {
  return new ServiceError("InvalidParameterException", message);
}

export function notAuthorized(message: string): ServiceError {
  return new ServiceError("NotAuthorizedException", message);
}
