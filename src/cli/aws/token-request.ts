/** One request of `update-user-attributes`: looked at, sent at once, or put through the queue with its token sealed. */
import { CognitoError } from "../../cognito/cognito-error.ts";
import { callRefusal } from "../../cognito/recorded-calls.ts";
import { createTokenWriter, type TokenAnswer } from "../../cognito/token-writer.ts";
import { readPoolProfile } from "../../cognito/pool-profile.ts";
import { createUserDirectory } from "../../cognito/user-directory.ts";
import { choosePool, type ChosenPool } from "../../config/config.ts";
import { claimsOf, hasEnded, type TokenClaims } from "../../core/access-token.ts";
import { checkTokenRequest, type TokenRequest } from "../../core/attribute-request.ts";
import { attributeOf, textOf } from "../../core/payload.ts";
import { canonicalUsername, type PoolProfile } from "../../core/pool-schema.ts";
import type { Engine } from "../../queues/engine.ts";
import { makeTokenChange } from "../../delivery/token-change.ts";
import type { Pool } from "../../delivery/pool.ts";
import { demandNoPause } from "../../app/gates/pause.ts";
import { DIRECT } from "../../store/runs.ts";
import { adviceToUser } from "../../core/advice.ts";
import { dryRun } from "./dry-run.ts";
import { hasEngine } from "./engine-guard.ts";
import { ask, risksOf } from "./question.ts";
import type { RequestInput } from "./request-input.ts";
import { type RequestContext } from "./request-context.ts";
import { answered, checkUnits, failureOf, refusedText, requestFaults, MAYBE_WRITTEN } from "./refusal-text.ts";
import { usageError } from "./usage-error.ts";
import { changeThroughEngine } from "./change-result.ts";
import { AppError, readEarly } from "../../app/app-error.ts";

const OPERATION = "UpdateUserAttributes";
/** Of one call: connect and request time-outs, and a margin. */
const LEASE_MARGIN_MS = 5000;
/** Stands for the pool of a token that does not say it: then --region or AWS_REGION must. */
const NOT_GIVEN = "unsaid_pool";

/** Carries one request out, and answers what is printed. */
export async function answerTokenRequest(context: RequestContext, input: RequestInput): Promise<string> {
  const { config, flags, mode } = context;
  const checked = checkTokenRequest(input);
  if ("faults" in checked) throw requestFaults(checked.faults);
  const { request } = checked;
  const claims = claimsOf(request.token);
  const chosen = choosePool(config, claims?.pool ?? NOT_GIVEN, flags);
  if (mode === "wait" || mode === "now") {
    const pool = await queuePool(context, chosen, claims);
    if (pool !== undefined && claims !== undefined) return throughQueue(context, pool, { request, claims, input });
    return atOnce(context, chosen, { request, claims, input });
  }
  if (claims === undefined) {
    throw usageError(`--${mode === "queue" ? "queue" : "dry-run"}: Expected a token that says its pool and its user`);
  }
  if (hasEnded(request.token, Date.now())) {
    const what = mode === "queue" ? "queued" : "looked up";
    throw new AppError("token-expired", `Nothing was ${what}. ${adviceToUser("token-expired")}`);
  }
  if (mode === "dryRun") return look(context, chosen, { request, claims });
  const pool = await withCredentials(context.pool(chosen), "--queue reads the pool's schema first");
  return throughQueue(context, pool, { request, claims, input });
}

interface SealedRequest {
  readonly request: TokenRequest;
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
  context: RequestContext,
  chosen: ChosenPool,
  claims: TokenClaims | undefined,
): Promise<Pool | undefined> {
  const { config, mode } = context;
  const mayQueue = mode === "wait" && config.key !== undefined && hasEngine(config);
  if (!mayQueue || claims === undefined || claims.expiresAt <= Date.now()) return undefined;
  return context.pool(chosen).catch((error: unknown) => {
    if (error instanceof CognitoError && NO_RIGHTS.includes(error.kind)) return undefined;
    throw error;
  });
}

async function withCredentials<T>(reading: Promise<T>, why: string): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    if (!(cause instanceof CognitoError) || !NO_RIGHTS.includes(cause.kind)) throw cause;
    throw new AppError(
      cause.kind,
      `${why}, which a user's token may not: it needs AWS credentials. Give some, or leave the option out: the call itself needs none.`,
      { cause },
    );
  }
}

async function throughQueue(
  context: RequestContext,
  pool: Pool,
  { request, claims, input }: SealedRequest,
): Promise<string> {
  const { io, flags } = context;
  const { token, units, clientMetadata } = request;
  const callOptions = { token, ...(clientMetadata === undefined ? {} : { clientMetadata }) };
  const result = await changeThroughEngine(context, pool, { username: claims.username, units, callOptions });
  if (result.is === "queued") return result.text;
  const { user, delivered } = result;
  const failure = failureOf(io, flags, user, delivered, { adviseOn: adviceToUser });
  if (failure !== undefined) throw failure;
  return answered(context, OPERATION, { outcomes: delivered.outcomes, input, answer: delivered.tokenAnswer ?? {} });
}

/** The call is made now, in the user's turn where an engine says whose that is. */
async function atOnce(
  context: RequestContext,
  chosen: ChosenPool,
  { request, claims, input }: Omit<SealedRequest, "claims"> & { readonly claims: TokenClaims | undefined },
): Promise<string> {
  const { config, io, flags, signal } = context;
  const { token, units, clientMetadata } = request;
  if (flags.force !== true) await ask(io, risksOf(undefined, units), signal);
  const engine = hasEngine(config) ? await context.engine() : undefined;
  if (engine !== undefined && flags.despitePause !== true) {
    await demandNoPause(engine.store, { pool: chosen.id, feed: DIRECT });
  }
  const bucket = await bucketOf(engine, claims, chosen.region);
  const updates = context.governor(bucket, chosen.ratePerSecond, engine?.store.pace);
  const cognito = context.cognito(chosen);
  const writer = createTokenWriter(cognito);
  let answer: TokenAnswer = {};
  const call = async (): Promise<boolean> => {
    const slot = await updates.acquire({ priority: 0, signal });
    try {
      engine?.store.lost.throwIfAborted();
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
      await makeTokenChange(engine, { pool, username, units, leaseMs, signal }, call);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new AppError("interrupted", MAYBE_WRITTEN, { cause: error, category: "interrupted" });
  }
  const outcomes = new Map(units.map(({ name }) => [name, { is: "applied" }]));
  return answered(context, OPERATION, { outcomes, input, answer });
}

async function look(
  context: RequestContext,
  chosen: ChosenPool,
  { request, claims }: Omit<SealedRequest, "input">,
): Promise<string> {
  const { reads, signal } = context;
  const cognito = context.cognito(chosen);
  const profile: PoolProfile = await withCredentials(
    readEarly(signal, readPoolProfile(cognito, chosen.id, { reads, signal })),
    "--dry-run reads what is there with ListUsers",
  );
  checkUnits(profile, request.units);
  const username = canonicalUsername(profile, claims.username);
  const directory = createUserDirectory(cognito);
  const given = await dryRun({ ...context, directory, profile, username, units: request.units });
  if ("text" in given) return given.text;
  const { refusal } = given;
  const instead = refusal.operation === "ListUsers" ? refusal.advice : adviceToUser(refusal.kind);
  throw new AppError(refusal.kind, refusedText(refusal, { instead }));
}

/** The pace that the pool's other calls have, where the namespace knows its account; else one of this Region's own. */
async function bucketOf(engine: Engine | undefined, claims: TokenClaims | undefined, region: string): Promise<string> {
  const targets = (await engine?.store.targets()) ?? [];
  const account = targets.find(({ pool }) => pool === claims?.pool)?.arn.split(":")[4] ?? "";
  return `${account}:${region}:UserUpdate`;
}

function refused(request: TokenRequest, refusal: Parameters<typeof callRefusal>[1]): AppError {
  const values = [request.token, ...request.units.map(({ value }) => textOf(value))];
  const given = callRefusal(OPERATION, refusal, values);
  return new AppError(given.kind, refusedText(given, { instead: adviceToUser(given.kind) }));
}
