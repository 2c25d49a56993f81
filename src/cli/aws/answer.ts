/** How an answer is printed: as PowerShell's `-Select` picks, `--query` asks, and `--output` forms it. */
import { JMESPathError, search } from "@aws-lambda-powertools/jmespath";
import { z } from "zod";
import { quoted } from "../../core/quoted.ts";
import { answerLines } from "./answer-lines.ts";
import { answerTable } from "./answer-table.ts";
import type { RequestInput } from "./request-input.ts";
import type { Operation } from "./skeleton.ts";
import { usageError } from "./usage-error.ts";

export const OUTPUTS = ["json", "text", "table"] as const;

export interface AnswerFlags {
  readonly query?: string;
  readonly output?: (typeof OUTPUTS)[number];
  readonly select?: string;
}

/** Members of each operation's answer. */
const FIELDS: Readonly<Record<Operation, readonly string[]>> = {
  AdminUpdateUserAttributes: [],
  UpdateUserAttributes: ["CodeDeliveryDetailsList"],
};

/** The parameters of the cmdlets by their names in lower case, and the request's members. */
const PARAMETERS: Readonly<Record<string, string>> = {
  userpoolid: "UserPoolId",
  username: "Username",
  userattributes: "UserAttributes",
  userattribute: "UserAttributes",
  clientmetadata: "ClientMetadata",
};

/** Throws an AppError for a `--query` or `--select` that cannot be, before anything is sent. */
export function checkAnswerFlags(operation: Operation, { query, select }: AnswerFlags): void {
  if (query !== undefined) asked(query, {});
  if (select === undefined || select === "*") return;
  const words = select.startsWith("^") ? Object.keys(PARAMETERS) : FIELDS[operation].map((name) => name.toLowerCase());
  if (/^\^AccessToken$/i.test(select)) {
    throw usageError("--select: Expected another parameter than AccessToken: a token is never printed");
  }
  if (!words.includes(select.replace("^", "").toLowerCase())) {
    const fields = ["*", ...FIELDS[operation], ...new Set(Object.values(PARAMETERS).map((name) => `^${name}`))];
    throw usageError(`--select: Expected one of ${fields.join(", ")}, got ${quoted(select)}`);
  }
}

/** What is printed of one answer, tables as wide as `width` where they can be; blank where the AWS CLI prints nothing. */
export function answerText(
  operation: Operation,
  answer: object,
  input: RequestInput,
  flags: AnswerFlags,
  width: number,
): string {
  const { query, output = "json" } = flags;
  const picked = select(operation, answer, input, flags.select);
  const value = query === undefined ? picked : asked(query, picked);
  switch (output) {
    case "json":
      return isBlankObject(value) ? "" : `${JSON.stringify(value ?? null, undefined, 4)}\n`;
    case "text":
      return answerLines(value);
    case "table":
      return answerTable(operation, value, width);
  }
}

function select(operation: Operation, answer: object, input: RequestInput, what = "*"): unknown {
  if (what === "*") return answer;
  const wanted = what.toLowerCase();
  if (wanted.startsWith("^")) {
    return input[PARAMETERS[wanted.slice(1)] ?? ""] ?? null;
  }
  const field = FIELDS[operation].find((name) => name.toLowerCase() === wanted) ?? "";
  return Reflect.get(answer, field) ?? null;
}

/** What a JMESPath expression finds, which the library knows as JSON. */
function asked(query: string, value: unknown): unknown {
  try {
    return search(query, z.json().parse(value));
  } catch (error) {
    if (!(error instanceof JMESPathError)) throw error;
    // A fault of types shows itself only with an answer at hand; then the call has been made.
    throw usageError(`Bad value for --query: ${error.message}`, error);
  }
}

function isBlankObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
