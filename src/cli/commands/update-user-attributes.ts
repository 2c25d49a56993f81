/** `poolsync update-user-attributes`: a user's own change with the user's own token, in the AWS CLI's words. */
import type { Command } from "commander";
import { CognitoError } from "../../cognito/cognito-error.ts";
import { saidRefusal } from "../../cognito/heard-calls.ts";
import { createOwnWriter, type OwnAnswer } from "../../cognito/own-writer.ts";
import { readPoolProfile } from "../../cognito/pool-profile.ts";
import { createUserDirectory } from "../../cognito/user-directory.ts";
import { choosePool, type ChosenPool } from "../../config/config.ts";
import { claimsOf, hasEnded, type TokenClaims } from "../../core/access-token.ts";
import { checkOwnRequest, type OwnRequest } from "../../core/attribute-request.ts";
import { attributeOf, textOf } from "../../core/payload.ts";
import { canonicalUsername, type PoolProfile } from "../../core/pool-schema.ts";
import { withOwned } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import { inOwnTurn } from "../../delivery/own-turn.ts";
import type { Pool } from "../../delivery/pool.ts";
import { adviceToUser } from "../aws/advice.ts";
import { dryRun } from "../aws/dry-run.ts";
import { hasEngine, refuseNow } from "../aws/engine-there.ts";
import { ask, risksOf } from "../aws/question.ts";
import type { RequestInput } from "../aws/request-input.ts";
import { modeOf, modeOptions, requestOptions, type OneFlags } from "../aws/request-options.ts";
import { runRequests } from "../aws/request-run.ts";
import { openSession, type Session } from "../aws/session.ts";
import { answered, checkUnits, failureOf, refusedText, requestFaults } from "../aws/telling.ts";
import { usageError } from "../aws/usage-error.ts";
import { carryThrough } from "../aws/waited-change.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError, MAYBE_WRITTEN, readEarly } from "../../app/app-error.ts";
import type { Io } from "../io.ts";
import { openConfig } from "../../app/opening.ts";
import type { Context } from "../program.ts";

const OPERATION = "UpdateUserAttributes";
/** Of one call: connect and request time-outs, and a margin. */
const LEASE_MARGIN_MS = 5000;
/** Stands for the pool of a token that does not say it: then --region or AWS_REGION must. */
const UNSAID = "unsaid_pool";

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
    return withOwned(async (own) => {
      const session = openSession(opened, { io, flags, mode }, own);
      return answerAll((request) => one(session, request), { atOnce: config.concurrency, userOf });
    });
  });
}

/** Requests with the same of it are carried out one after the other. */
function userOf({ AccessToken: token }: RequestInput): string {
  const claims = typeof token === "string" ? claimsOf(token) : undefined;
  return claims === undefined ? String(token) : `${claims.pool} ${claims.sub}`;
}

/** Carries one request out, and answers what is printed. */
async function one(session: Session, input: RequestInput): Promise<string> {
  const { config, flags, mode } = session;
  const checked = checkOwnRequest(input);
  if ("faults" in checked) throw requestFaults(checked.faults);
  const { request } = checked;
  const claims = claimsOf(request.token);
  const chosen = choosePool(config, claims?.pool ?? UNSAID, flags);
  if (mode === "wait" || mode === "now") {
    const pool = await queuePool(session, chosen, claims);
    if (pool !== undefined && claims !== undefined) return throughQueue(session, pool, { request, claims, input });
    return atOnce(session, chosen, { request, claims, input });
  }
  if (claims === undefined) {
    throw usageError(`--${mode === "queue" ? "queue" : "dry-run"}: Expected a token that says its pool and its user`);
  }
  if (hasEnded(request.token, Date.now())) {
    const what = mode === "queue" ? "queued" : "looked up";
    throw new CommandError("token-expired", `Nothing was ${what}. ${adviceToUser("token-expired")}`);
  }
  if (mode === "dryRun") return look(session, chosen, { request, claims });
  const pool = await withCredentials(session.pool(chosen), "--queue reads the pool's schema first");
  return throughQueue(session, pool, { request, claims, input });
}

interface Own {
  readonly request: OwnRequest;
  readonly claims: TokenClaims;
  readonly input: RequestInput;
}

/** What a process without AWS credentials, or with the wrong ones, meets where it would read a pool. */
const NO_RIGHTS: readonly string[] = [
  "credentials-missing",
  "credentials-expired",
  "credentials-refused",
  "access-denied",
];

/** The pool that a change may be queued for; undefined where the token could not be sealed, or nobody may read the pool. */
async function queuePool(
  session: Session,
  chosen: ChosenPool,
  claims: TokenClaims | undefined,
): Promise<Pool | undefined> {
  const { config, mode } = session;
  const mayQueue = mode === "wait" && config.key !== undefined && hasEngine(config);
  if (!mayQueue || claims === undefined || claims.expiresAt <= Date.now()) return undefined;
  return session.pool(chosen).catch((error: unknown) => {
    if (error instanceof CognitoError && NO_RIGHTS.includes(error.kind)) return undefined;
    throw error;
  });
}

async function withCredentials<T>(reading: Promise<T>, why: string): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    if (!(cause instanceof CognitoError) || !NO_RIGHTS.includes(cause.kind)) throw cause;
    throw new CommandError(
      cause.kind,
      `${why}, which a user's token may not: it needs AWS credentials. Give some, or leave the option out: the call itself needs none.`,
      { cause },
    );
  }
}

async function throughQueue(session: Session, pool: Pool, { request, claims, input }: Own): Promise<string> {
  const { io, flags } = session;
  const { token, units, clientMetadata } = request;
  const manner = { token, ...(clientMetadata === undefined ? {} : { clientMetadata }) };
  const carried = await carryThrough({ ...session, pool }, { username: claims.username, units, manner });
  if (carried.is === "queued") return carried.text;
  const { user, delivered } = carried;
  const failure = failureOf(io, flags, user, delivered, { adviseOn: adviceToUser });
  if (failure !== undefined) throw failure;
  return answered(session, OPERATION, { outcomes: delivered.outcomes, input, answer: delivered.ownAnswer ?? {} });
}

/** The call is made now, in the user's turn where an engine says whose that is. */
async function atOnce(
  session: Session,
  chosen: ChosenPool,
  { request, claims, input }: Omit<Own, "claims"> & { readonly claims: TokenClaims | undefined },
): Promise<string> {
  const { config, io, flags, signal } = session;
  const { token, units, clientMetadata } = request;
  if (flags.force !== true) await ask(io, risksOf(undefined, units), signal);
  const engine = hasEngine(config) ? await session.engine() : undefined;
  const bucket = await bucketOf(engine, claims, chosen.region);
  const updates = session.governor(bucket, chosen.ratePerSecond, engine?.store.pace);
  const cognito = session.cognito(chosen);
  const writer = createOwnWriter(cognito);
  let answer: OwnAnswer = {};
  const call = async (): Promise<boolean> => {
    const slot = await updates.acquire({ priority: 0, signal });
    try {
      engine?.store.foreign.throwIfAborted();
      const written = await writer.write(token, units.map(attributeOf), { clientMetadata, signal });
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
  try {
    if (engine === undefined || claims === undefined) await call();
    else {
      const { pool, username } = claims;
      const leaseMs = cognito.callMs + LEASE_MARGIN_MS;
      await inOwnTurn(engine, { pool, username, units, leaseMs, signal }, call);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandError("interrupted", MAYBE_WRITTEN, { cause: error, exitCode: EXIT.interrupted });
  }
  const outcomes = new Map(units.map(({ name }) => [name, { is: "applied" }]));
  return answered(session, OPERATION, { outcomes, input, answer });
}

async function look(session: Session, chosen: ChosenPool, { request, claims }: Omit<Own, "input">): Promise<string> {
  const { reads, signal } = session;
  const cognito = session.cognito(chosen);
  const profile: PoolProfile = await withCredentials(
    readEarly(signal, readPoolProfile(cognito, chosen.id, { reads, signal })),
    "--dry-run reads what is there with ListUsers",
  );
  checkUnits(profile, request.units);
  const username = canonicalUsername(profile, claims.username);
  const directory = createUserDirectory(cognito);
  const said = await dryRun({ ...session, directory, profile, username, units: request.units });
  if ("text" in said) return said.text;
  const { refusal } = said;
  const instead = refusal.operation === "ListUsers" ? refusal.advice : adviceToUser(refusal.kind);
  throw new CommandError(refusal.kind, refusedText(refusal, { instead }));
}

/** The pace that the pool's other calls have, where the namespace knows its account; else one of this Region's own. */
async function bucketOf(engine: Engine | undefined, claims: TokenClaims | undefined, region: string): Promise<string> {
  const targets = (await engine?.store.targets()) ?? [];
  const account = targets.find(({ pool }) => pool === claims?.pool)?.arn.split(":")[4] ?? "";
  return `${account}:${region}:UserUpdate`;
}

function refused(request: OwnRequest, refusal: Parameters<typeof saidRefusal>[1]): CommandError {
  const values = [request.token, ...request.units.map(({ value }) => textOf(value))];
  const said = saidRefusal(OPERATION, refusal, values);
  return new CommandError(said.kind, refusedText(said, { instead: adviceToUser(said.kind) }));
}
