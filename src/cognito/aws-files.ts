/** AWS's own configuration files, read by AWS's own reader. */
import { loadSharedConfigFiles } from "@smithy/core/config";
import { defined } from "../core/defined.ts";
import type { AwsFiles } from "../core/call-target.ts";

const SERVICES = "services.";

/** Files that are not there hold nothing. In the credentials file a profile's keys go before those of the other file. */
export async function readAwsFiles(environment: Readonly<Record<string, string | undefined>>): Promise<AwsFiles> {
  const { AWS_CONFIG_FILE: configFilepath, AWS_SHARED_CREDENTIALS_FILE: filepath } = environment;
  // A variable that is blank counts as not set.
  const { configFile, credentialsFile } = await loadSharedConfigFiles(
    defined({ configFilepath: configFilepath || undefined, filepath: filepath || undefined }),
  );
  const sections = Object.entries(configFile);
  const profiles = new Map(sections.filter(([name]) => !OTHERS.test(name)));
  for (const [name, keys] of Object.entries(credentialsFile)) profiles.set(name, { ...profiles.get(name), ...keys });
  const services = sections.flatMap(([name, keys]) =>
    name.startsWith(SERVICES) ? [[name.slice(SERVICES.length), keys] as const] : [],
  );
  return { profiles: Object.fromEntries(profiles), services: Object.fromEntries(services) };
}

/** Sections that are no profile. */
const OTHERS = /^(services|sso-session)\./;
