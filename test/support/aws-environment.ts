/** What the SDK finds in the environment of a test: AWS's documented example keys, and no files of this machine. */
export const AWS_ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  AWS_REGION: "eu-west-1",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_CONFIG_FILE: "/nonexistent/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
} as const;

/** Sets it for this process, with `changes` over it; an undefined one is taken away. Answers what puts it all back. */
export function exampleAws(changes: Readonly<Record<string, string | undefined>> = {}): () => void {
  const wanted = {
    AWS_PROFILE: undefined,
    AWS_DEFAULT_PROFILE: undefined,
    AWS_DEFAULT_REGION: undefined,
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: undefined,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: undefined,
    AWS_SESSION_TOKEN: undefined,
    AWS_ENDPOINT_URL: undefined,
    ...AWS_ENVIRONMENT,
    ...changes,
  };
  const before = Object.keys(wanted).map((name) => [name, process.env[name]] as const);
  const set = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(wanted)) set(name, value);
  return () => {
    for (const [name, value] of before) set(name, value);
  };
}
