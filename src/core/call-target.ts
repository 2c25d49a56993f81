/**
 * Where calls to AWS go, and with whose credentials: by what was said to poolsync, by AWS's variables, and by AWS's
 * configuration files, in the order that the AWS CLI has. A call that is meant for an emulator must not reach AWS, so
 * what is named and not there is a fault, never passed over.
 */
import { defined } from "./defined.ts";
import { quoted } from "./quoted.ts";

/** The last part of a service's own variable, `AWS_ENDPOINT_URL_…`; in lower case its key in a `services` section. */
const SERVICES = ["COGNITO_IDENTITY_PROVIDER", "S3", "SQS", "STS"] as const;
export type Service = (typeof SERVICES)[number];

type Section = Readonly<Record<string, string | undefined>>;

/** AWS's configuration files as AWS's own reader gives them: keys within keys are apart by a dot. */
export interface AwsFiles {
  readonly profiles: Readonly<Record<string, Section>>;
  readonly services: Readonly<Record<string, Section>>;
}

/** A profile or an endpoint, and where it was said: `--profile`, `AWS_PROFILE`, `poolsync.yaml: pools.staff.profile`. */
export interface GivenValue {
  readonly value: string;
  readonly path: string;
}

/** What AWS's variables and files say, whichever pool is asked for. */
export interface AwsSettings extends AwsFiles {
  /** AWS_REGION. */
  readonly region?: string;
  /** AWS_DEFAULT_REGION. */
  readonly defaultRegion?: string;
  /** AWS_PROFILE, else AWS_DEFAULT_PROFILE. */
  readonly profile?: GivenValue;
  /** True where AWS_ACCESS_KEY_ID is set. */
  readonly hasKeys: boolean;
  /** AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, where it is set. */
  readonly ignoresEndpoints?: boolean;
  /** Of the variables, by service: its own goes before AWS_ENDPOINT_URL. */
  readonly endpoints: Readonly<Partial<Record<Service, GivenValue>>>;
}

/** What was said to poolsync itself: by a flag, `poolsync.yaml` or an application. It goes before all else. */
export interface GivenTarget {
  readonly service: Service;
  readonly region?: string | undefined;
  readonly profile?: GivenValue | undefined;
  readonly endpoint?: GivenValue | undefined;
  /** The Region that the pool's id begins with, where it begins with one. */
  readonly regionOfId?: string | undefined;
}

export interface CallTarget {
  readonly region?: string;
  /** Absent: AWS's own. */
  readonly endpoint?: string;
  readonly profile?: string;
  /** True where calls are signed with the keys of the environment, whatever the profile. */
  readonly keysOfEnvironment?: true;
  /** Where the profile's role is assumed, unless at AWS itself. */
  readonly roleEndpoint?: string;
}

/** The Region of a profile or of AWS_DEFAULT_REGION, which the one in the pool's id went before. */
export interface PassedRegion {
  readonly region: string;
  /** Whose it is: `AWS_DEFAULT_REGION`, `profile staff`. */
  readonly givenBy: string;
}

export interface TargetFault {
  readonly path: string;
  readonly message: string;
}

export type FoundTarget =
  | { readonly target: CallTarget; readonly passed?: PassedRegion }
  | { readonly fault: TargetFault };

/** AWS's variables; what is blank is not said. */
export function awsSettings(environment: Section, files: AwsFiles): AwsSettings {
  const value = (name: string): string | undefined => textOf(environment[name]);
  const first = (...names: readonly string[]): GivenValue | undefined =>
    names.map((path) => ({ path, value: value(path) ?? "" })).find((candidate) => candidate.value !== "");
  const region = value("AWS_REGION");
  const defaultRegion = value("AWS_DEFAULT_REGION");
  const profile = first("AWS_PROFILE", "AWS_DEFAULT_PROFILE");
  const ignores = value("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  const endpoints = SERVICES.flatMap((service) => {
    const found = first(`AWS_ENDPOINT_URL_${service}`, "AWS_ENDPOINT_URL");
    return found === undefined ? [] : [[service, found] as const];
  });
  return {
    ...files,
    hasKeys: value("AWS_ACCESS_KEY_ID") !== undefined,
    endpoints: Object.fromEntries(endpoints),
    ...defined({
      region,
      defaultRegion,
      profile,
      ignoresEndpoints: ignores === undefined ? undefined : isTrue(ignores),
    }),
  };
}

/** Only a profile that is named must be there: without one, none is needed. */
export function callTarget(aws: AwsSettings, given: GivenTarget): FoundTarget {
  const named = given.profile ?? aws.profile;
  const name = named?.value ?? "default";
  const section = sectionOf(aws.profiles, name);
  if (named !== undefined && section === undefined) return { fault: noProfile(aws, named) };
  const profile = { name, section: section ?? {} };
  const { region, passed } = regionOf(aws, given, profile);
  const endpoint = endpointOf(aws, given.service, profile, given.endpoint);
  if ("fault" in endpoint) return endpoint;
  const roles = profile.section["role_arn"] === undefined ? {} : endpointOf(aws, "STS", profile);
  if ("fault" in roles) return roles;
  return {
    target: {
      ...defined({ region, endpoint: endpoint.url, profile: named && name, roleEndpoint: roles.url }),
      ...(given.profile === undefined && aws.hasKeys ? { keysOfEnvironment: true } : {}),
    },
    ...(passed === undefined ? {} : { passed }),
  };
}

interface Profile {
  readonly name: string;
  readonly section: Section;
}

function sectionOf(sections: Readonly<Record<string, Section>>, name: string): Section | undefined {
  return Object.hasOwn(sections, name) ? sections[name] : undefined;
}

function noProfile({ profiles }: AwsSettings, { value, path }: GivenValue): TargetFault {
  const names = Object.keys(profiles).slice(0, LISTED);
  const known = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`;
  const message = `Expected a profile of AWS's configuration files (${known}), got ${quoted(value)}: ${LOOK}`;
  return { path, message };
}

function regionOf(
  aws: AwsSettings,
  { region, regionOfId }: GivenTarget,
  { name, section }: Profile,
): { readonly region?: string | undefined; readonly passed?: PassedRegion } {
  const first = region ?? aws.region;
  if (first !== undefined) return { region: first };
  const givenBy = aws.defaultRegion === undefined ? `profile ${name}` : "AWS_DEFAULT_REGION";
  const last = aws.defaultRegion ?? textOf(section["region"]);
  if (regionOfId === undefined || last === undefined || last === regionOfId) return { region: regionOfId ?? last };
  return { region: regionOfId, passed: { region: last, givenBy } };
}

/** What was said to poolsync, else to AWS: its variables, then its files; nothing where those are to be ignored. */
function endpointOf(
  aws: AwsSettings,
  service: Service,
  profile: Profile,
  given?: GivenValue,
): { readonly url?: string } | { readonly fault: TargetFault } {
  const found = given ?? configuredEndpoint(aws, service, profile);
  if (found === undefined) return {};
  if ("fault" in found) return found;
  const { value, path } = found;
  if (/^https?:\/\/[^/]/i.test(value)) return { url: value };
  return { fault: { path, message: `Expected a URL such as http://127.0.0.1:9229, got ${quoted(value)}` } };
}

function configuredEndpoint(
  aws: AwsSettings,
  service: Service,
  { name, section }: Profile,
): GivenValue | { readonly fault: TargetFault } | undefined {
  const ignored = aws.ignoresEndpoints ?? isTrue(section["ignore_configured_endpoint_urls"] ?? "");
  if (ignored) return undefined;
  const variable = aws.endpoints[service];
  if (variable !== undefined) return variable;
  const path = `profile ${name}`;
  const services = textOf(section["services"]);
  const own = services === undefined ? {} : sectionOf(aws.services, services);
  if (own === undefined) {
    const message = `Expected a section [services ${services}], which the profile names: ${LOOK}`;
    return { fault: { path, message } };
  }
  const value = textOf(own[`${service.toLowerCase()}.endpoint_url`]) ?? textOf(section["endpoint_url"]);
  return value === undefined ? undefined : { value, path };
}

function textOf(value: string | undefined): string | undefined {
  return value?.trim() || undefined;
}

/** As the AWS CLI reads a switch: anything else is false. */
function isTrue(text: string): boolean {
  return text.trim().toLowerCase() === "true";
}

const LOOK = "look in ~/.aws/config, or in the file that AWS_CONFIG_FILE names";
/** How many profiles a message lists. */
const LISTED = 10;
