import { defined } from "../core/defined.ts";
import { IDENTIFIERS } from "../core/identifier.ts";
import { visible } from "../core/text.ts";
import { contactOf, flagOf, isContact } from "../core/unit.ts";
import type { Verified } from "../core/unit.ts";
import { asSpelled, spelledLike } from "./column-spelling.ts";
import { closest, normalName } from "./closest.ts";
import { columnName, columnPath, EACH } from "./column-path.ts";
import { allNames, knownColumns, type Columns } from "./columns.ts";
import { FeedError } from "./feed-error.ts";
import { columnsOf, mappedColumns } from "./mapping.ts";
import type { AttributeMapping, Mapping } from "./mapping.ts";
import { vendorMeaning } from "./vendor-headers.ts";

/** The standard attributes of every user pool, but for `sub`, which nobody can write. */
const STANDARD_ATTRIBUTES: readonly string[] = [
  "address",
  "birthdate",
  "email",
  "email_verified",
  "family_name",
  "gender",
  "given_name",
  "locale",
  "middle_name",
  "name",
  "nickname",
  "phone_number",
  "phone_number_verified",
  "picture",
  "preferred_username",
  "profile",
  "updated_at",
  "website",
  "zoneinfo",
];

/** Names of columns that say which user a row is about. A `sub` beside a username is left alone. */
const USERNAME_HEADERS = [["username", "user_name", "cognito:username"], ["sub"]];
/** In the header of Cognito's own import, and no attribute. */
const IMPORT_ONLY: ReadonlySet<string> = new Set(["cognito:mfa_enabled"]);
/** How many columns one message lists. */
const LISTED = 20;

export interface HeaderOptions {
  /** What the feed is called in messages. */
  readonly name: string;
  /** The attributes of the pool's schema (`email`, `custom:cost_center`). Without it every `custom:` name is taken as it is. */
  readonly attributes?: readonly string[];
  readonly usernameColumn?: string;
  /** What becomes of the flag of a changed e-mail address or phone number. */
  readonly verified?: Verified;
  readonly ignoreUnknown?: boolean;
}

/**
 * The mapping that the columns' names say by themselves. White space around values is trimmed, as Cognito's own import
 * does, and blank means nothing. Throws one FeedError with all that is wrong with the columns.
 */
export function mapHeaders(given: Columns, options: HeaderOptions): Mapping {
  refuseData(given.names, options.name);
  const names = options.attributes ?? STANDARD_ATTRIBUTES;
  const usernameColumn = usernameColumnOf(given, options);
  const problems: string[] = [];
  const columns = new Map<string, string>();
  const ids: string[] = [];
  const unknown: string[] = [];
  for (const header of given.names) {
    if (header === usernameColumn) continue;
    if (USERNAME_HEADERS.flat().includes(normalName(header)) || IMPORT_ONLY.has(normalName(header))) {
      ids.push(header);
      continue;
    }
    const attribute = attributeOf(header, names, options.attributes === undefined);
    const taken = attribute === undefined ? undefined : columns.get(attribute);
    if (attribute === undefined) unknown.push(header);
    else if (taken !== undefined) problems.push(`columns ${show(taken)} and ${show(header)} both mean ${attribute}`);
    else columns.set(attribute, header);
  }
  // What lies deep is called by somebody else's names: `user.name` is no username, and `address.type` no address.
  unknown.push(...given.unknown(knownColumns([usernameColumn, ...given.names], [])));
  if (unknown.length > 0 && !options.ignoreUnknown) problems.push(unknownProblem(showable(unknown, given), names));
  const attributes: AttributeMapping[] = [];
  for (const [name, column] of columns) {
    const contact = contactOf(name);
    // A flag beside its address or number speaks of the value in the same row, and is a part of it.
    if (contact !== undefined && columns.has(contact)) continue;
    const flag = flagOf(name);
    const verifiedColumn = flag === undefined ? undefined : columns.get(flag);
    if (isContact(name) && options.verified === undefined && verifiedColumn === undefined)
      problems.push(verifiedProblem(name, column));
    attributes.push(
      defined({
        name,
        column,
        transforms: [{ kind: "trim" as const }],
        onBlank: "skip" as const,
        verified: isContact(name) ? options.verified : undefined,
        verifiedColumn,
      }),
    );
  }
  if (attributes.length === 0 && problems.length === 0) {
    problems.push("no column besides the username is an attribute of the pool");
  }
  if (problems.length > 0) throw columnsError(options.name, problems);
  const identifier = IDENTIFIERS.find((known) => known === normalName(usernameColumn) || known === usernameColumn);
  return {
    usernameColumn,
    ...defined({ identifier: identifier === "username" ? undefined : identifier }),
    attributes,
    ignored: options.ignoreUnknown ? [...ids, ...unknown] : ids,
    unknown: options.ignoreUnknown ? "ignore" : "refuse",
  };
}

export interface ColumnOptions {
  readonly name: string;
  readonly ignoreUnknown?: boolean;
  /**
   * What becomes of an attribute whose column is missing. `refuse`: that is an error. `guard`: it is left out, and a
   * guard stops the plan; the column that took the place of the missing one may be there. `leave`: it is left out.
   */
  readonly missing: "refuse" | "guard" | "leave";
}

/**
 * The mapping from the configuration as far as the feed has its columns; what it lacks is `missing`. No column may be
 * left over unless it is ignored, or a guard stops the plan anyway. Throws one FeedError with all that is wrong: nothing
 * can be planned without the username, the version or any attribute.
 */
export function fitColumns(configured: Mapping, given: Columns, options: ColumnOptions): Mapping {
  const headers = showable(allNames(given), given);
  const { mapping, doubles } = asSpelled(configured, given);
  if (doubles.length > 0) {
    const each = doubles.map(
      ({ column, names }) =>
        `column ${show(column)} of the mapping means each of ${names.map(show).join(" and ")}: rename one of them, or put it under \`ignore\``,
    );
    throw columnsError(options.name, each);
  }
  const mapped = mappedColumns(mapping);
  const unknown = given.unknown(knownColumns(mapped, mapping.ignored));
  const lacks = (column: string): boolean => !given.has(column);
  if (unknown.length > 0 || [...mapped].some(lacks)) refuseData(given.names, options.name);
  const missing = mapping.attributes.flatMap((attribute) =>
    columnsOf(attribute)
      .filter(lacks)
      .slice(0, 1)
      .map((column) => {
        const [likely] = likelyColumns(column, showable(unknown, given));
        return defined({ attribute: attribute.name, column, likely: likely && short(likely) });
      }),
  );
  const attributes = mapping.attributes.filter((attribute) => !columnsOf(attribute).some(lacks));
  const leavesOut = options.missing !== "refuse" && attributes.length > 0;
  const needed = [mapping.usernameColumn, mapping.versionColumn].filter((column) => column !== undefined);
  const absent = new Set((leavesOut ? needed : [...mapped]).filter(lacks));
  const problems = [...absent].map(
    (column) =>
      `column ${show(column)} of the mapping is not there${orClosest(likelyColumns(column, headers))}: map the one that took its place, or take it out`,
  );
  const guarded = options.missing === "guard" && missing.length > 0;
  if (unknown.length > 0 && mapping.unknown === "refuse" && !options.ignoreUnknown && !guarded) {
    const shown = showable(unknown, given);
    const count = shown.length === 1 ? "1 column is" : `${shown.length} columns are`;
    problems.push(
      `${count} not in the mapping: ${list(shown.map(show))} (map them, or ignore them with --ignore-unknown)`,
    );
  }
  for (const column of mapped) {
    if (given.has(column) && columnPath(column)?.includes(EACH) && !given.names.includes(column)) {
      problems.push(
        `column ${show(column)} is that of all elements of a list: name one element, as ${show(column.replaceAll("[*]", "[0]"))}`,
      );
    }
  }
  if (absent.size > 0) throw new FeedError("renamed", misfit(options.name, problems));
  if (problems.length > 0) throw columnsError(options.name, problems);
  if (missing.length === 0) return mapping;
  return { ...mapping, attributes, missing, ignored: [...mapping.ignored, ...unknown] };
}

/** A file without a header has somebody's data where names are expected, which must not get into a message. */
function refuseData(headers: readonly string[], name: string): void {
  const data = headers.findIndex(looksLikeData);
  if (data < 0) return;
  throw new FeedError(
    "columns",
    `The first row of \`${name}\` looks like data (column ${data + 1}), not like the names of columns; add a header row.`,
  );
}

function looksLikeData(header: string): boolean {
  return /@|^\+?\d[\d\s()./:-]{5,}$/.test(header) || header.length > 200;
}

/** Deep in JSON the keys may be data, as in a list of people by their address. Those are shown by the column at the top. */
function showable(names: readonly string[], { names: top }: Columns): readonly string[] {
  const atTop = new Set(top);
  const shown = names.map((name) => {
    if (atTop.has(name)) return name;
    const path = columnPath(name.replace(/\.\*$/, ""));
    return path?.some((step) => looksLikeData(String(step))) ? `${columnName(path.slice(0, 1))}.*` : name;
  });
  return [...new Set(shown)];
}

function usernameColumnOf(given: Columns, { name, usernameColumn }: HeaderOptions): string {
  if (usernameColumn !== undefined) {
    const [found = usernameColumn, other] = spelledLike(usernameColumn, given);
    if (other !== undefined) {
      throw columnsError(name, [`column ${show(usernameColumn)} means each of ${show(found)} and ${show(other)}`]);
    }
    if (given.has(found)) return found;
    throw columnsError(name, [
      `it has no column ${show(usernameColumn)} for the username${orClosest(likelyColumns(usernameColumn, showable(allNames(given), given)))}`,
    ]);
  }
  for (const wanted of USERNAME_HEADERS) {
    const found = given.names.filter((header) => wanted.includes(normalName(header)));
    if (found.length === 1 && found[0] !== undefined) return found[0];
    if (found.length > 1) {
      throw columnsError(name, [
        `columns ${list(found.map(show))} could all be the username; say which with --username-column`,
      ]);
    }
  }
  const names = showable(allNames(given), given);
  const [records] = /^\w+\[\*\](?=\.)/.exec(names.find((one) => one.includes("[*].")) ?? "") ?? [];
  const orList =
    records === undefined ? "" : `, or with --records where the list of records is, such as ${show(records)}`;
  const ids = names.filter((header) => vendorMeaning(header) === "username");
  const perhaps = ids.length === 0 ? "" : `, perhaps ${ids.slice(0, 3).map(show).join(" or ")}`;
  throw columnsError(name, [
    `none of its columns is called username or sub; say which one names the user with --username-column${perhaps}${orList} (there are: ${list(names.map(show))})`,
  ]);
}

/** The attribute that a header means: its very name, the same in another spelling, or a bare name of a custom one. */
function attributeOf(header: string, names: readonly string[], anyCustom: boolean): string | undefined {
  if (header === "sub") return undefined;
  if (names.includes(header)) return header;
  if (anyCustom && /^(?:custom|dev):\S/.test(header)) return header;
  const normal = normalName(header);
  const spelled = names.filter((name) => name !== "sub" && normalName(name) === normal);
  const bare = names.filter(
    (name) => name.startsWith("custom:") && normalName(name.slice("custom:".length)) === normal,
  );
  // A standard attribute goes before a custom one of the same name; two of a kind are no answer.
  const found = spelled.length > 0 ? spelled : bare;
  return found.length === 1 ? found[0] : undefined;
}

function verifiedProblem(name: string, column: string): string {
  return (
    `column ${show(column)} changes ${name}, and Cognito takes a changed value as unverified, so that people could no longer sign in with it or get messages; ` +
    `say --verified mark (the source has verified it), ask (Cognito asks each person) or keep (the flag stays as it was), or add a column ${flagOf(name)}`
  );
}

function unknownProblem(unknown: readonly string[], names: readonly string[]): string {
  const count = unknown.length === 1 ? "1 column is" : `${unknown.length} columns are`;
  const listed = unknown
    .slice(0, LISTED)
    .map((header) => `${show(header)}${orClosest(likelyAttributes(header, names))}`);
  return `${count} no attribute of the pool: ${list(listed, unknown.length)}; rename them, map them in poolsync.yaml, or ignore them with --ignore-unknown`;
}

/** Attributes that a header may mean: what a system calls so, or what is spelled nearly so. */
function likelyAttributes(header: string, names: readonly string[]): readonly string[] {
  const meaning = vendorMeaning(header);
  if (meaning === "username") return [];
  return meaning !== undefined && names.includes(meaning) ? [meaning] : closest(header, names);
}

/** Columns that may have taken the place of another: spelled nearly so, or called so by another system. */
function likelyColumns(column: string, headers: readonly string[]): readonly string[] {
  const meaning = vendorMeaning(column);
  const alike = headers.filter((header) => meaning !== undefined && vendorMeaning(header) === meaning);
  const near = closest(column, headers);
  return near.length > 0 ? near : alike.slice(0, 3);
}

function orClosest(names: readonly string[]): string {
  return names.length === 0 ? "" : ` (did you mean ${names.map(show).join(" or ")}?)`;
}

function show(name: string): string {
  return `\`${short(name)}\``;
}

/** A column's name for a message: short, on one line, and nothing in it unseen. */
function short(name: string): string {
  const flat = visible(name);
  return flat.length > 60 ? `${flat.slice(0, 59)}…` : flat;
}

function list(shown: readonly string[], total = shown.length): string {
  const listed = shown.slice(0, LISTED);
  return total > listed.length ? `${listed.join(", ")} and ${total - listed.length} more` : listed.join(", ");
}

function columnsError(name: string, problems: readonly string[]): FeedError {
  return new FeedError("columns", misfit(name, problems));
}

function misfit(name: string, problems: readonly string[]): string {
  return `The columns of \`${name}\` do not fit: ${problems.join(". Also, ")}.`;
}
