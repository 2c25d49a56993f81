/** `poolsync admin-update-user-attributes`: one user, in the AWS CLI's words, through poolsync's pace, order and books. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { createAttributeWriter } from "../../cognito/attribute-writer.ts";
import type { CognitoClient } from "../../cognito/client.ts";
import { saidRefusal, type SaidRefusal } from "../../cognito/heard-calls.ts";
import { createOwnWriter } from "../../cognito/own-writer.ts";
import { readPoolProfile } from "../../cognito/pool-profile.ts";
import { createQuotaGovernor } from "../../cognito/quota-governor.ts";
import { sendOnce } from "../../cognito/send-once.ts";
import { createUserDirectory } from "../../cognito/user-directory.ts";
import { createUserSearch } from "../../cognito/user-search.ts";
import { choosePool, type ChosenPool, type Config } from "../../config.ts";
import { checkAdminRequest, type AdminRequest } from "../../core/attribute-request.ts";
import { compareUnit } from "../../core/comparison.ts";
import { canonicalUsername, checkUnit, type PoolProfile } from "../../core/pool-schema.ts";
import { closest } from "../../feeds/closest.ts";
import { withOwned, type Own } from "../../lifecycle.ts";
import type { Pool } from "../../queues/pool.ts";
import { createPace } from "../../store/postgres/pace.ts";
import { answerText } from "../aws/answer.ts";
import { ask, risksOf } from "../aws/question.ts";
import type { RequestInput } from "../aws/request-input.ts";
import { modeOf, modeOptions, requestOptions, type Mode, type OneFlags } from "../aws/request-options.ts";
import { runRequests } from "../aws/request-run.ts";
import { failureOf, invalidUnits, NOBODY, refusedText, requestFaults } from "../aws/telling.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../failure-report.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { openChosenPool, openClients, openConfig, openEngineOf, type Opened } from "../open.ts";
import type { Context } from "../program.ts";
import { adviceOf } from "../settling.ts";
import { table } from "../table.ts";

const OPERATION = "AdminUpdateUserAttributes";
/** How long a result is waited for: back-offs and other processes' leases included. */
const WAIT_MS = 60_000;

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

/** What the requests of one command share. */
interface Session extends Opened {
  readonly io: Io;
  readonly flags: OneFlags;
  readonly mode: Mode;
  readonly signal: AbortSignal;
  /** Opened when first needed, and then shared. */
  readonly cognito: (chosen: ChosenPool) => CognitoClient;
  readonly pool: (chosen: ChosenPool) => Promise<Pool>;
  readonly own: Own;
}

async function run(io: Io, input: string | undefined, flags: OneFlags): Promise<number> {
  const mode = modeOf(flags);
  return runRequests(io, OPERATION, input, flags, async (answerAll) => {
    const opened = await openConfig(io, flags);
    const { config, log } = opened;
    if (mode === "now") refuseNow(config);
    return withOwned(async (own) => {
      const clients = openClients(config, own);
      const cognito = ({ region, profile, endpoint }: ChosenPool): CognitoClient =>
        clients.of({
          region,
          ...(profile === undefined ? {} : { profile }),
          ...(endpoint === undefined ? {} : { endpoint }),
        });
      let engine: ReturnType<typeof openEngineOf> | undefined;
      const pools = new Map<string, Promise<Pool>>();
      const pool = (chosen: ChosenPool): Promise<Pool> => {
        const opening = (engine ??= openEngineOf(config, own, log));
        const open = async (): Promise<Pool> =>
          openChosenPool({ config, log, engine: await opening, clients, own }, chosen);
        const known = pools.get(chosen.id) ?? open();
        pools.set(chosen.id, known);
        return known;
      };
      const session: Session = { ...opened, io, flags, mode, own, cognito, pool, signal: io.interrupts.drain };
      return answerAll((request) => one(session, request));
    });
  });
}

function refuseNow({ redisUrl, dataDir }: Config): void {
  if (redisUrl === undefined && !existsSync(join(dataDir, "poolsync.json"))) return;
  const where = redisUrl === undefined ? `a data directory (${dataDir})` : "REDIS_URL";
  throw new CommandError(
    "engine-there",
    `Nothing was written: there is ${where}, and an older value that waits in it could overwrite this one. Leave --now out: the change then goes before all that is queued.`,
    { exitCode: EXIT.guarded },
  );
}

/** Carries one request out, and answers what is printed. */
async function one(session: Session, input: RequestInput): Promise<string> {
  const { config, flags, mode } = session;
  const named = input["UserPoolId"];
  const setting =
    typeof named === "string" && Object.hasOwn(config.poolSettings, named) ? config.poolSettings[named] : undefined;
  const checked = checkAdminRequest(setting === undefined ? input : { ...input, UserPoolId: setting.id });
  if ("faults" in checked) throw requestFaults(checked.faults);
  const { request } = checked;
  const chosen = choosePool(config, request.pool, flags);
  switch (mode) {
    case "dryRun":
      return dryRun(session, chosen, request);
    case "now":
      return sendNow(session, chosen, request, input);
    case "wait":
    case "queue":
      return throughEngine(session, chosen, request, input);
  }
}

async function throughEngine(
  session: Session,
  chosen: ChosenPool,
  request: AdminRequest,
  input: RequestInput,
): Promise<string> {
  const { io, flags, mode, signal, log } = session;
  const pool = await session.pool(chosen);
  const { profile } = pool;
  const direct = pool.direct();
  const { username, units, clientMetadata } = request;
  const manner = clientMetadata === undefined ? {} : { manner: { clientMetadata } };
  const checkedUnits = direct.check({ username, units, ...manner });
  if ("fault" in checkedUnits) throw invalidUnits([{ name: "username", ...checkedUnits.fault }]);
  if (checkedUnits.invalid.length > 0) throw invalidUnits(checkedUnits.invalid);
  const user = await pool.links.resolve(request.username, undefined, signal);
  if (user.is === "none") throw new CommandError(NOBODY.kind, refusedText(NOBODY));
  if (user.is !== "one") {
    throw new CommandError(
      "user-ambiguous",
      "Several users of the pool have this address or number: name one by the username.",
    );
  }
  if (flags.force !== true) await ask(io, risksOf(profile, request.units), signal);
  const submitted = await direct.submit({ ...checkedUnits.sound, username: user.username }, { wake: mode === "queue" });
  log.info({ pool: profile.id, user: submitted.user }, "change put");
  if (mode === "queue")
    return `${JSON.stringify({ User: submitted.user, Queued: [...submitted.versions.keys()] }, undefined, 4)}\n`;
  let delivered;
  try {
    delivered = await direct.deliverNow(submitted, { waitMs: WAIT_MS, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandError("interrupted", `Interrupted. The change stays queued, for user ${submitted.user}.`, {
      cause: error,
      exitCode: EXIT.interrupted,
    });
  }
  const unknown = delivered.refusal?.kind === "user-not-found";
  const meant = unknown ? await nearMiss(session, chosen, user.username) : undefined;
  const failure = failureOf(io, flags, submitted.user, delivered, meant);
  if (failure !== undefined) throw failure;
  return answered(session, delivered.outcomes, input);
}

/** The answer of a call that went through, which has no members. */
function answered(
  { io, flags }: Session,
  outcomes: ReadonlyMap<string, { readonly is: string }>,
  input: RequestInput,
): string {
  const unchanged = [...outcomes].filter(([, { is }]) => is === "unchanged").map(([unit]) => unit);
  if (unchanged.length > 0 && io.stderr.isTTY === true)
    tell(io, `There already, and not sent: ${unchanged.join(", ")}.`);
  if (flags.json === true) {
    const attributes = [...outcomes].map(([name, { is }]) => ({ name, outcome: is }));
    return `${JSON.stringify({ attributes }, undefined, 2)}\n`;
  }
  return answerText(OPERATION, {}, input, flags, columnsOf(io.stdout));
}

async function nearMiss(
  { cognito, signal }: Session,
  chosen: ChosenPool,
  username: string,
): Promise<string | undefined> {
  const names = await createUserSearch(cognito(chosen)).similar(chosen.id, username, signal);
  const same = names.find((name) => name.toLowerCase() === username.toLowerCase());
  return same ?? closest(username, names, 1)[0];
}

/** Throws for units that the pool does not take. */
function checkUnits(profile: PoolProfile, { units }: AdminRequest): void {
  const invalid = units.flatMap((unit) => checkUnit(profile, unit) ?? []);
  if (invalid.length > 0) throw invalidUnits(invalid);
}

async function sendNow(
  session: Session,
  chosen: ChosenPool,
  request: AdminRequest,
  input: RequestInput,
): Promise<string> {
  const { io, flags, config, own, signal } = session;
  const cognito = session.cognito(chosen);
  const profile = await readPoolProfile(cognito, chosen.id, signal);
  checkUnits(profile, request);
  if (flags.force !== true) await ask(io, risksOf(profile, request.units), signal);
  const updates = own(
    createQuotaGovernor({
      pace: createPace(() => Date.now()),
      bucket: chosen.id,
      ceilingPerSecond: chosen.ratePerSecond,
      concurrency: config.concurrency,
    }),
    (governor) => governor.close(),
  );
  const username = canonicalUsername(profile, request.username);
  const calls = {
    writer: createAttributeWriter(cognito),
    ownWriter: createOwnWriter(cognito),
    directory: createUserDirectory(cognito),
  };
  const sent = await sendOnce(
    { ...calls, profile, updates, callMs: cognito.callMs, clientMetadata: request.clientMetadata },
    username,
    request.units,
    signal,
  );
  if (sent.ok) {
    return answered(session, new Map([...sent.outcomes].map(([unit, is]) => [unit, { is }])), input);
  }
  if (!("refusal" in sent)) {
    throw new CommandError(
      sent.kind,
      `\`${sent.unit}\` was not written: ${sent.reason}. ${adviceOf(sent.kind, sent.reason)}`,
    );
  }
  throw await refused(session, chosen, username, sent.refusal);
}

async function refused(
  session: Session,
  chosen: ChosenPool,
  username: string,
  refusal: SaidRefusal,
): Promise<CommandError> {
  const meant = refusal.kind === "user-not-found" ? await nearMiss(session, chosen, username) : undefined;
  return new CommandError(refusal.kind, refusedText(refusal, meant));
}

/** What would change, read with ListUsers, which bills nobody; and whom Cognito would write to. */
async function dryRun(session: Session, chosen: ChosenPool, request: AdminRequest): Promise<string> {
  const { io, flags, signal } = session;
  const cognito = session.cognito(chosen);
  const profile = await readPoolProfile(cognito, chosen.id, signal);
  checkUnits(profile, request);
  const username = canonicalUsername(profile, request.username);
  const found = await createUserSearch(cognito).find(chosen.id, username, {
    ignoresCase: !profile.caseSensitive,
    signal,
  });
  if (!found.ok) throw await refused(session, chosen, username, saidRefusal("ListUsers", found, [username]));
  if (found.user === undefined) throw await refused(session, chosen, username, NOBODY);
  const { user } = found;
  const changes = request.units.map((unit) => {
    const { is, ...more } = compareUnit(profile, unit, user);
    return {
      attribute: unit.name,
      would: is,
      message: "message" in more && more.message,
      ...("reason" in more ? { reason: more.reason } : {}),
    };
  });
  if (flags.json === true) return `${JSON.stringify({ changes }, undefined, 2)}\n`;
  const rows = changes.map(({ attribute, would, message, reason = "" }) => [
    attribute,
    reason === "" ? would : `${would} (${reason})`,
    message ? "Cognito asks the person to verify it" : "none",
  ]);
  return table([{ title: "ATTRIBUTE" }, { title: "WOULD" }, { title: "MESSAGE" }], rows, columnsOf(io.stdout));
}
