/** `poolsync update-user-attributes`: a user's own change with the user's own token, in the AWS CLI's words. */
import type { Command } from "commander";
import { claimsOf } from "../../core/access-token.ts";
import { withScope } from "../../lifecycle.ts";
import { refuseNow } from "../aws/engine-guard.ts";
import type { RequestInput } from "../aws/request-input.ts";
import { modeOf, modeOptions, requestOptions, type OneFlags } from "../aws/request-options.ts";
import { runRequests } from "../aws/request-run.ts";
import { requestContext } from "../aws/request-context.ts";
import { usageError } from "../aws/usage-error.ts";
import type { Io } from "../io.ts";
import { openConfig } from "../opening.ts";
import type { Context } from "../command.ts";
import { answerTokenRequest } from "../aws/token-request.ts";

const OPERATION = "UpdateUserAttributes";

export function addUpdateUserAttributes(program: Command, context: Context): void {
  const command = program
    .command("update-user-attributes")
    .description("Change a user's own attributes with the user's token, as `aws cognito-idp update-user-attributes`.");
  modeOptions(requestOptions(command).option("--access-token <token>", "the user's own access token"))
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync update-user-attributes --access-token file://token.txt \\
      --user-attributes Name=nickname,Value=Dan

Needs no AWS credentials: then the call is made at once, and the token is kept
nowhere. With POOLSYNC_KEY and credentials it goes through the queue, where the
token is sealed; --queue leaves it there, until the token ends at the latest. A
token on the command line can be read by others on the machine: file:// cannot.`,
    )
    .action(context.act((input: string | undefined, flags: OneFlags) => run(context.io, input, flags)));
}

async function run(io: Io, input: string | undefined, flags: OneFlags): Promise<number> {
  const mode = modeOf(flags);
  return runRequests(io, OPERATION, input, flags, async (answerAll) => {
    const opened = await openConfig(io, flags, "warn");
    const { config } = opened;
    if (mode === "now") refuseNow(config);
    if (mode === "queue" && config.key === undefined) {
      throw usageError(
        "Expected POOLSYNC_KEY with --queue: without it the token would be stored in clear. Leave --queue out: the call is then made at once, and the token is kept nowhere.",
      );
    }
    return withScope(async (scope) => {
      const requests = await requestContext(opened, { io, flags, mode }, scope);
      return answerAll((request) => answerTokenRequest(requests, request), { atOnce: config.concurrency, userOf });
    });
  });
}

/** Requests with the same of it are carried out one after the other. */
function userOf({ AccessToken: token }: RequestInput): string {
  const claims = typeof token === "string" ? claimsOf(token) : undefined;
  return claims === undefined ? String(token) : `${claims.pool} ${claims.sub}`;
}
