import { z } from "zod";
import { ServiceError, invalidParameter } from "../service-error.ts";

/**
 * The members of requests with the constraints of Cognito's service model. A regular expression's message is its
 * source as the service prints it.
 */
export const USER_POOL_ID = z
  .string()
  .min(1)
  .max(55)
  .regex(/^[\w-]+_[0-9a-zA-Z]+$/, { error: "[\\w-]+_[0-9a-zA-Z]+" });

export const USERNAME = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\p{L}\p{M}\p{S}\p{N}\p{P}]+$/u, { error: "[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+" });

export const ATTRIBUTE_NAME = z
  .string()
  .min(1)
  .max(32)
  .regex(/^[\p{L}\p{M}\p{S}\p{N}\p{P}\t\n\r ]+$/u, { error: "[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}\\t\\n\\r ]+" });

const ATTRIBUTE = z
  .object({ Name: ATTRIBUTE_NAME, Value: z.string().max(2048).nullish() })
  .transform(({ Name, Value }) => ({ name: Name, value: Value ?? undefined }));

export const ATTRIBUTES = z.array(ATTRIBUTE);

export const CLIENT_METADATA = z.record(z.string().max(131_072), z.string().max(131_072)).nullish();

/** What stands at the path of an issue. */
function at(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    body,
  );
}

/** `userAttributes.1.member.value`: members begin in lower case, lists count from 1. */
function location(path: readonly PropertyKey[]): string {
  return path
    .map((key) =>
      typeof key === "number" ? `${key + 1}.member` : String(key).replace(/^./, (first) => first.toLowerCase()),
    )
    .join(".");
}

const JSON_TYPES: Readonly<Record<string, string>> = {
  string: "STRING_VALUE",
  number: "NUMBER_VALUE",
  boolean: "TRUE_VALUE",
};

const SERVICE_TYPES: Readonly<Record<string, string>> = { string: "String", number: "Integer", boolean: "Boolean" };

/** What the service's deserialiser says of a value of another type. It never gets to the constraints. */
function misfit(issue: z.core.$ZodIssueInvalidType, value: unknown): ServiceError {
  const wanted = SERVICE_TYPES[issue.expected];
  if (wanted === undefined) return new ServiceError("SerializationException", "Unexpected field type");
  const token = typeof value === "object" ? undefined : value === false ? "FALSE_VALUE" : JSON_TYPES[typeof value];
  if (token === undefined) {
    return new ServiceError("SerializationException", "Start of structure or map found where not expected.");
  }
  return new ServiceError("SerializationException", `${token} can not be converted to ${wanted}`);
}

function constraint(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_big":
      return `Member must have ${issue.origin === "string" ? "length" : "value"} less than or equal to ${issue.maximum}`;
    case "too_small":
      return `Member must have ${issue.origin === "string" ? "length" : "value"} greater than or equal to ${issue.minimum}`;
    case "invalid_format":
      return `Member must satisfy regular expression pattern: ${issue.message}`;
    case "invalid_value":
      return `Member must satisfy enum value set: [${issue.values.join(", ")}]`;
    default:
      return "Member must not be null";
  }
}

/**
 * Parses a request's body. Throws SerializationException for a value of the wrong type, else one
 * InvalidParameterException with every violated constraint, values echoed as the service echoes them.
 */
export function parseRequest<Request extends z.ZodType>(request: Request, body: unknown): z.infer<Request> {
  const parsed = request.safeParse(body);
  if (parsed.success) return parsed.data;
  const violations: string[] = [];
  for (const issue of parsed.error.issues) {
    const value = at(body, issue.path);
    const isAbsent = value === undefined || value === null;
    if (issue.code === "invalid_type" && !isAbsent) throw misfit(issue, value);
    const shown = isAbsent ? "null" : `'${typeof value === "string" ? value : JSON.stringify(value)}'`;
    violations.push(`Value ${shown} at '${location(issue.path)}' failed to satisfy constraint: ${constraint(issue)}`);
  }
  const plural = violations.length === 1 ? "" : "s";
  throw invalidParameter(`${violations.length} validation error${plural} detected: ${violations.join("; ")}`);
}
