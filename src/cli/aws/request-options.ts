/** The options that both operations have in the AWS CLI, in PowerShell, or of poolsync's own. */
import type { Command } from "commander";
import { choice } from "../option-values.ts";
import { cognitoOptions, engineOptions, type CognitoFlags } from "../opening.ts";
import { OUTPUTS, type AnswerFlags } from "./answer.ts";
import type { RequestFlags } from "./request-input.ts";
import { SKELETON_KINDS } from "./skeleton.ts";
import { usageError } from "./usage-error.ts";

const MODES = ["wait", "queue", "now", "dryRun"] as const;
export type Mode = (typeof MODES)[number];

export interface OneFlags extends RequestFlags, AnswerFlags, CognitoFlags {
  readonly generateCliSkeleton?: string | true;
  readonly wait?: boolean;
  readonly queue?: boolean;
  readonly now?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly despitePause?: boolean;
}

/** What comes before the members that only one of the two operations has. */
export function requestOptions(command: Command): Command {
  const kinds = SKELETON_KINDS.join(" or ");
  return command
    .argument("[input]", "`-`: many requests from standard input, NDJSON or CSV, with the options' names")
    .option("--user-attributes <attributes...>", "Name=string,Value=string …, or JSON; a blank value deletes")
    .option("--client-metadata <map>", "KeyName1=string,KeyName2=string, or JSON: for the pool's Lambda triggers")
    .option("--cli-input-json <json>", "the request as JSON or file://…; options go before it")
    .option(
      "--generate-cli-skeleton [kind]",
      `print a request or an answer to fill in (${kinds}), and send nothing`,
      choice("--generate-cli-skeleton", SKELETON_KINDS),
    );
}

export function modeOptions(command: Command): Command {
  const shaped = command
    .option("--wait", "wait for the result, before all that is queued (default)")
    .option("--queue", "queue it, print the user's key and leave")
    .option("--now", "send it without an engine, where none is configured")
    .option("--dry-run", "say what would change, and send nothing")
    .option("--force", "do not ask before attributes are cleared or a sign-in address changes")
    .option("--despite-pause", "send it although somebody has paused the pool")
    .option("--query <expression>", "a JMESPath expression over the answer")
    .option("--output <format>", "json, text or table (default: json)", choice("--output", OUTPUTS))
    .option("--select <what>", "*, a field of the answer, or ^Parameter, as PowerShell's -Select")
    .option("--no-cli-pager", "accepted: there is no pager");
  return engineOptions(cognitoOptions(shaped));
}

/** What is to be done with the request. Throws an AppError where two are said. */
export function modeOf(flags: OneFlags): Mode {
  const given = MODES.filter((mode) => flags[mode] === true);
  if (given.length > 1) throw usageError("Expected one of --wait, --queue, --now and --dry-run, got several");
  return given[0] ?? "wait";
}
