import { namedError } from "./service-error.ts";

/** Which access keys the emulator knows. Where nothing is said, every signed request is taken. */
export interface KnownCredentials {
  readonly allowed?: readonly string[] | undefined;
  readonly expired?: readonly string[] | undefined;
}

/**
 * Looks at who signed, not at the signature. Throws MissingAuthenticationTokenException for a request that nobody
 * signed, ExpiredTokenException and UnrecognizedClientException for keys that are listed as such or not at all.
 */
export function checkCredentials(authorization: string | undefined, known: KnownCredentials | undefined): void {
  const accessKey = /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\//.exec(authorization ?? "")?.[1];
  if (accessKey === undefined) throw namedError("MissingAuthenticationTokenException");
  if (known?.expired?.includes(accessKey)) throw namedError("ExpiredTokenException");
  if (known?.allowed !== undefined && !known.allowed.includes(accessKey))
    throw namedError("UnrecognizedClientException");
}
