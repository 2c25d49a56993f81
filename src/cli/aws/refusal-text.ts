/** What became of a request, as the AWS CLI tells of it, and under it what poolsync knows. */
import type { CallRefusal } from "../../cognito/recorded-calls.ts";
import type { RequestFault } from "../../core/attribute-request.ts";
import { checkUnit, type PoolProfile } from "../../core/pool-schema.ts";
import type { Unit } from "../../core/unit.ts";
import type { InvalidUnit } from "../../core/change.ts";
import type { ChangeResult } from "../../delivery/direct.ts";
import { commandLine } from "../command-line.ts";
import { AppError } from "../../app/app-error.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { printable } from "../../core/masking.ts";
import { adviceOf, adviceOnce } from "../../core/advice.ts";
import { answerText } from "./answer.ts";
import type { RequestInput } from "./request-input.ts";
import type { Operation } from "./skeleton.ts";
import type { OneFlags } from "./request-options.ts";
import { usageError } from "./usage-error.ts";

/** Said where a signal cut the one call of a command, or what was before it. */
export const MAYBE_WRITTEN = "Interrupted. Whether the change was written is not known: look, and try again.";

/** A request that Cognito would refuse as it stands. */
export function requestFaults(faults: readonly RequestFault[]): AppError {
  return usageError(["Parameter validation failed:", ...faults.map(({ detail }) => detail)].join("\n"));
}

/** A request whose attributes are not what the pool takes. */
export function invalidUnits(units: readonly InvalidUnit[]): AppError {
  const details = units.map(({ detail }) => detail);
  return new AppError("invalid-value", ["Nothing was written:", ...details].join("\n"));
}

/** Throws for units that the pool does not take. */
export function checkUnits(profile: PoolProfile, units: readonly Unit[]): void {
  const invalid = units.flatMap((unit) => checkUnit(profile, unit) ?? []);
  if (invalid.length > 0) throw invalidUnits(invalid);
}

/** What is printed where all went well: with `--json` what became of each attribute, else the call's answer. */
export function answered(
  { io, flags }: { readonly io: Io; readonly flags: OneFlags },
  operation: Operation,
  {
    outcomes,
    input,
    answer = {},
  }: {
    readonly outcomes: ReadonlyMap<string, { readonly is: string }>;
    readonly input: RequestInput;
    readonly answer?: object;
  },
): string {
  const unchanged = [...outcomes].filter(([, { is }]) => is === "unchanged").map(([unit]) => unit);
  if (unchanged.length > 0 && io.stderr.isTTY === true) {
    tell(io, `There already, and not sent: ${unchanged.join(", ")}.`);
  }
  if (flags.json === true) {
    const attributes = [...outcomes].map(([name, { is }]) => ({ name, outcome: is }));
    return `${JSON.stringify({ attributes, ...answer }, undefined, 2)}\n`;
  }
  return answerText(operation, answer, input, flags, columnsOf(io.stdout));
}

/** The AWS CLI's line, the advice, and a username that may have been meant. */
export function refusedText(
  { name, operation, message, advice }: CallRefusal,
  { suggestion, instead = advice }: { readonly suggestion?: string | undefined; readonly instead?: string } = {},
): string {
  const lines = [`An error occurred (${name}) when calling the ${operation} operation: ${message}`.trimEnd(), instead];
  if (suggestion !== undefined) lines.push(`Did you mean \`${suggestion}\`?`);
  return lines.join("\n");
}

/** Nobody has the alias by which the user was named: Cognito would say the same of the username. */
export const NOBODY: CallRefusal = {
  operation: "AdminUpdateUserAttributes",
  name: "UserNotFoundException",
  message: "User does not exist.",
  kind: "user-not-found",
  advice: adviceOnce("user-not-found"),
};

const MOST_NAMED = 5;

/** Of the aliases that pools let several users have, nobody's has been verified, or several. */
export function severalHaveIt(usernames: readonly string[]): AppError {
  const listed = usernames.slice(0, MOST_NAMED).map((name) => `\`${printable(name)}\``);
  const more = usernames.length > listed.length ? ` and ${usernames.length - listed.length} more` : "";
  return new AppError(
    "user-ambiguous",
    `Several users of the pool have this address or number (${listed.join(", ")}${more}): name one by the username.`,
  );
}

/** Undefined where every attribute is applied, or was there. */
export function failureOf(
  io: Io,
  flags: OneFlags,
  user: string,
  { outcomes, refusal }: ChangeResult,
  {
    suggestion,
    adviseOn = adviceOf,
  }: { readonly suggestion?: string | undefined; readonly adviseOn?: (kind: string, reason?: string) => string } = {},
): AppError | undefined {
  const lines = refusal === undefined ? [] : [refusedText(refusal, { suggestion, instead: adviseOn(refusal.kind) })];
  const all = [...outcomes];
  const [died] = all.flatMap(([, outcome]) => (outcome.is === "dead" ? [outcome] : []));
  const named = (is: string): string[] => all.filter(([, outcome]) => outcome.is === is).map(([unit]) => unit);
  const overtaken = [...named("superseded"), ...named("stale")];
  const pending = named("pending");
  for (const [unit, outcome] of all) {
    if (outcome.is !== "dead") continue;
    const { kind, reason, letter } = outcome;
    const show = commandLine(io, ["dead", "show", letter], flags);
    lines.push(`\`${unit}\` was not written (${kind === reason ? kind : `${kind}: ${reason}`}): ${show}`);
    if (refusal === undefined) lines.push(adviseOn(kind, reason));
  }
  if (overtaken.length > 0) lines.push(`Something newer is there, or on its way, of ${overtaken.join(", ")}.`);
  if (pending.length > 0) {
    lines.push(
      `${pending.join(", ")} stays queued, for user ${user}: workers deliver it, or the next command for this user.`,
    );
  }
  const text = lines.filter((line) => line !== "").join("\n");
  if (died !== undefined) return new AppError(died.kind, text);
  if (pending.length > 0) return new AppError("still-queued", text);
  return overtaken.length > 0 ? new AppError("overtaken", text) : undefined;
}
