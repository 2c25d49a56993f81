/**
 * A request as the words of a command line say it, in the AWS CLI's own ways: options as text, JSON, shorthand or
 * `file://`, above `--cli-input-json`. What comes out has the members of Cognito's API and is not checked yet.
 */
import { quoted } from "../../core/quoted.ts";
import { readParameterFile, type ReadParameter } from "./parameter-file.ts";
import { parseShorthand, ShorthandError, type Shorthand } from "./shorthand.ts";
import { parameterError } from "./usage-error.ts";

/** A member of the API's request, the option that gives it, and how the option's words are read. */
interface Member {
  readonly name: string;
  readonly option: string;
  readonly form: "text" | "structures" | "map";
}

const MEMBERS = [
  { name: "UserPoolId", option: "--user-pool-id", form: "text" },
  { name: "Username", option: "--username", form: "text" },
  { name: "AccessToken", option: "--access-token", form: "text" },
  { name: "UserAttributes", option: "--user-attributes", form: "structures" },
  { name: "ClientMetadata", option: "--client-metadata", form: "map" },
] as const satisfies readonly Member[];

/** The options of both operations, as commander gives them. A list has a word for each structure. */
export interface RequestFlags {
  readonly userPoolId?: string;
  readonly username?: string;
  readonly accessToken?: string;
  readonly userAttributes?: readonly string[];
  readonly clientMetadata?: string;
  readonly cliInputJson?: string;
}

/** Members of a request by their names in the API. */
export type RequestInput = Readonly<Record<string, unknown>>;

/** What the options say, above what `--cli-input-json` says. Throws an AppError that shows no value. */
export function requestInput(flags: RequestFlags, read: ReadParameter = readParameterFile): RequestInput {
  const { userPoolId, username, accessToken, userAttributes, clientMetadata, cliInputJson } = flags;
  const words = { userPoolId, username, accessToken, userAttributes, clientMetadata };
  const given = Object.entries(words).flatMap(([flag, value]) => {
    const member = MEMBERS.find(({ name }) => name.toLowerCase() === flag.toLowerCase());
    return member === undefined || value === undefined ? [] : [[member.name, readMember(member, value, read)] as const];
  });
  return { ...(cliInputJson === undefined ? {} : cliInput(cliInputJson, read)), ...Object.fromEntries(given) };
}

/**
 * One record of standard input. Its properties are the options, in any spelling of theirs (`UserPoolId`,
 * `user-pool-id`, `user_pool_id`), a list's also in the singular, as PowerShell's cmdlets have it. A property that is
 * blank text is not given. Throws an AppError for a property that is no option.
 */
export function recordInput(record: ReadonlyMap<string, unknown>): RequestInput {
  const members = new Map<string, unknown>();
  for (const [property, value] of record) {
    const spelling = property.replaceAll(/[-_\s]/g, "").toLowerCase();
    const member = MEMBERS.find(
      ({ name, form }) =>
        name.toLowerCase() === spelling || (form === "structures" && name.toLowerCase() === `${spelling}s`),
    );
    if (member === undefined) {
      throw parameterError(
        quoted(property).slice(1, -1),
        `Expected a property that is an option (${MEMBERS.map(({ name }) => name).join(", ")})`,
      );
    }
    if (value === "" || value === undefined) continue;
    members.set(member.name, typeof value === "string" ? readMember(member, value, readParameterFile) : value);
  }
  return Object.fromEntries(members);
}

function readMember({ option, form }: Member, words: string | readonly string[], read: ReadParameter): unknown {
  const [word = "", ...more] = typeof words === "string" ? [words] : words;
  const text = more.length === 0 ? (read(option, word) ?? word) : word;
  if (form === "text") return text;
  const isJson = /^\s*[[{]/.test(text);
  if (form === "map") return isJson ? readJson(option, text) : readShorthand(option, text, read);
  if (!isJson) {
    const all = more.length === 0 && typeof words === "string" ? apart(text) : [text, ...more];
    return all.map((item) => readShorthand(option, item, read));
  }
  const items = [text, ...more].map((item) => readJson(option, item));
  // One word is the list itself, or its only structure; several words are a structure each.
  return items.length === 1 && Array.isArray(items[0]) ? items[0] : items;
}

/** A cell of a table holds several structures as a command line does: apart by blanks, each begun by its `Name=`. */
function apart(text: string): string[] {
  return text.trim().split(/\s+(?=Name\s*@?=)/);
}

function readShorthand(option: string, text: string, read: ReadParameter): Record<string, Shorthand> {
  try {
    return parseShorthand(text, (value) => read(option, value));
  } catch (error) {
    if (error instanceof ShorthandError) throw parameterError(option, error.message, error);
    throw error;
  }
}

function readJson(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the text, which may be somebody's data: its place is all that is told.
    const [, place] = /at position (\d+)/.exec(String(error)) ?? [];
    const before = text.slice(0, Number(place ?? text.length)).split("\n");
    const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    throw parameterError(option, `Invalid JSON: Expected it to be whole, got to ${where}`);
  }
}

/** JSON as text or from a file: an object whose entries are the request's members. */
function cliInput(given: string, read: ReadParameter): RequestInput {
  const option = "--cli-input-json";
  const value = readJson(option, read(option, given) ?? given);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw parameterError(option, "Invalid type: expecting map, received something else");
  }
  return { ...value };
}
