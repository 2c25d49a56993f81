/** `poolsync admin-update-user-attributes`: one user, in the AWS CLI's words, through poolsync's pace, order and books. */
import type { Command } from "commander";
import { withScope } from "../../lifecycle.ts";
import { refuseNow } from "../aws/engine-guard.ts";
import type { RequestInput } from "../aws/request-input.ts";
import { modeOf, modeOptions, requestOptions, type OneFlags } from "../aws/request-options.ts";
import { runRequests } from "../aws/request-run.ts";
import { requestContext } from "../aws/request-context.ts";
import type { Io } from "../io.ts";
import { openConfig } from "../opening.ts";
import type { Context } from "../command.ts";
import { answerAdminRequest } from "../aws/admin-request.ts";

const OPERATION = "AdminUpdateUserAttributes";

export function addAdminUpdateUserAttributes(program: Command, context: Context): void {
  const command = program
    .command("admin-update-user-attributes")
    .description("Change attributes of one user, as `aws cognito-idp admin-update-user-attributes`.");
  modeOptions(
    requestOptions(command)
      .option("--user-pool-id <id>", "the user pool, by id or by its name in poolsync.yaml")
      .option("--username <name>", "the user, by username or alias"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync admin-update-user-attributes --user-pool-id eu-west-1_Example \\
      --username jane --user-attributes Name=nickname,Value=Dan Name=custom:team,Value=
  $ poolsync admin-update-user-attributes - --user-pool-id eu-west-1_Example < users.ndjson

email_verified=true beside email marks it verified; without it Cognito asks the
person. Exit codes: 0 applied or there already; 1 failed, or still queued; 3 the
question was answered with no; 64 wrong usage.`,
    )
    .action(context.act((input: string | undefined, flags: OneFlags) => run(context.io, input, flags)));
}

async function run(io: Io, input: string | undefined, flags: OneFlags): Promise<number> {
  const mode = modeOf(flags);
  return runRequests(io, OPERATION, input, flags, async (answerAll) => {
    const opened = await openConfig(io, flags, "warn");
    const { config } = opened;
    if (mode === "now") refuseNow(config);
    return withScope(async (scope) => {
      const requests = await requestContext(opened, { io, flags, mode }, scope);
      return answerAll((request) => answerAdminRequest(requests, request), { atOnce: config.concurrency, userOf });
    });
  });
}

/** Requests with the same of it are carried out one after the other. */
function userOf({ UserPoolId: pool, Username: username }: RequestInput): string {
  return JSON.stringify([pool, typeof username === "string" ? username.toLowerCase() : username]);
}
