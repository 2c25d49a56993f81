/** `poolsync update-user-attributes`: a user's own change with the user's own token, in the AWS CLI's words. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { saidRefusal } from "../../cognito/heard-calls.ts";
import { createOwnWriter, type OwnAnswer } from "../../cognito/own-writer.ts";
import { createQuotaGovernor } from "../../cognito/quota-governor.ts";
import { choosePool } from "../../config.ts";
import { claimsOf, type TokenClaims } from "../../core/access-token.ts";
import { checkOwnRequest, type OwnRequest } from "../../core/attribute-request.ts";
import type { Attribute } from "../../core/contact.ts";
import { withOwned } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import { inOwnTurn } from "../../queues/own-turn.ts";
import { createPace } from "../../store/postgres/pace.ts";
import { answerText } from "../aws/answer.ts";
import { modeOf, modeOptions, requestOptions, type OneFlags } from "../aws/request-options.ts";
import { runRequests } from "../aws/request-run.ts";
import { refusedText, requestFaults } from "../aws/telling.ts";
import { usageError } from "../aws/usage-error.ts";
import { CommandError } from "../failure-report.ts";
import { columnsOf, type Io } from "../io.ts";
import { openClients, openConfig, openEngineOf } from "../open.ts";
import type { Context } from "../program.ts";

const OPERATION = "UpdateUserAttributes";
/** Of one call: connect and request time-outs, and a margin. */
const LEASE_MARGIN_MS = 5000;
/** Stands for the pool of a token that does not say it: then --region or AWS_REGION must. */
const UNSAID = "unsaid_pool";
const TOKEN_ADVICE =
  "The token has ended, was revoked or lacks the scope aws.cognito.signin.user.admin, or the app client may not write the attribute: sign in again, or have an administrator use admin-update-user-attributes.";

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

Needs no AWS credentials. The call is made at once: the token is kept nowhere,
so --queue and --dry-run are refused. A token on the command line can be read by
others on the machine: file:// cannot.`,
    )
    .action(context.act((input: string | undefined, flags: OneFlags) => run(context.io, input, flags)));
}

async function run(io: Io, input: string | undefined, flags: OneFlags): Promise<number> {
  const mode = modeOf(flags);
  if (mode === "queue" || mode === "dryRun") {
    throw usageError(
      "Expected neither --queue nor --dry-run: a token is not kept for later, and what is there can only be read by an administrator (admin-update-user-attributes --dry-run)",
    );
  }
  return runRequests(io, OPERATION, input, flags, async (answerAll) => {
    const { config } = await openConfig(io, flags);
    return withOwned(async (own) => {
      const clients = openClients(config, own);
      const hasEngine = config.redisUrl !== undefined || existsSync(join(config.dataDir, "poolsync.json"));
      const engine = hasEngine ? await openEngineOf(config, own) : undefined;
      const pace = engine?.store.pace ?? createPace(() => Date.now());
      const governors = new Map<string, ReturnType<typeof createQuotaGovernor>>();
      return answerAll(async (said) => {
        const checked = checkOwnRequest(said);
        if ("faults" in checked) throw requestFaults(checked.faults);
        const { request } = checked;
        const claims = claimsOf(request.token);
        const { region, endpoint, ratePerSecond } = choosePool(config, claims?.pool ?? UNSAID, flags);
        const bucket = await bucketOf(engine, claims, region);
        const updates =
          governors.get(bucket) ??
          own(
            createQuotaGovernor({
              pace,
              bucket,
              ceilingPerSecond: ratePerSecond,
              concurrency: config.concurrency,
            }),
            (governor) => governor.close(),
          );
        governors.set(bucket, updates);
        const cognito = clients.of({ region, ...(endpoint === undefined ? {} : { endpoint }) });
        const writer = createOwnWriter(cognito);
        const signal = io.interrupts.drain;
        let answer: OwnAnswer | undefined;
        const call = async (): Promise<boolean> => {
          const slot = await updates.acquire({ priority: 0, signal });
          try {
            const written = await writer.write(request.token, attributesOf(request), {
              clientMetadata: request.clientMetadata,
              signal,
            });
            if (!written.ok) {
              if (written.failure.outcome === "wait" && written.failure.answered) await slot.throttled();
              throw refused(request, written);
            }
            ({ answer } = written);
            return true;
          } finally {
            slot.done();
          }
        };
        if (engine === undefined || claims === undefined) await call();
        else {
          const { pool, username } = claims;
          const leaseMs = cognito.callMs + LEASE_MARGIN_MS;
          await inOwnTurn(engine, { pool, username, units: request.units, leaseMs, signal }, call);
        }
        return answerText(OPERATION, answer ?? {}, said, flags, columnsOf(io.stdout));
      });
    });
  });
}

/** The pace that the pool's other calls have, where the namespace knows its account; else one of this Region's own. */
async function bucketOf(engine: Engine | undefined, claims: TokenClaims | undefined, region: string): Promise<string> {
  const targets = (await engine?.store.targets()) ?? [];
  const account = targets.find(({ pool }) => pool === claims?.pool)?.arn.split(":")[4] ?? "";
  return `${account}:${region}:UserUpdate`;
}

function attributesOf({ units }: OwnRequest): Attribute[] {
  return units.map(({ name, value }) => ({ Name: name, Value: value.kind === "text" ? value.text : "" }));
}

function refused(request: OwnRequest, refusal: Parameters<typeof saidRefusal>[1]): CommandError {
  const values = [request.token, ...attributesOf(request).map(({ Value }) => Value)];
  const said = saidRefusal(OPERATION, refusal, values);
  const advice = said.kind === "not-authorized" ? TOKEN_ADVICE : said.advice;
  return new CommandError(said.kind, refusedText({ ...said, advice }));
}
