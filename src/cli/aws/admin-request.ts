/** One request of `admin-update-user-attributes`: looked at, sent now, or put through the engine. */
import { createAttributeWriter } from "../../cognito/attribute-writer.ts";
import { callRefusal, type CallRefusal } from "../../cognito/recorded-calls.ts";
import { accountOf } from "../../cognito/listed-user.ts";
import { findByName, type NameSearch } from "../../cognito/name-search.ts";
import { createTokenWriter } from "../../cognito/token-writer.ts";
import { readPoolProfile } from "../../cognito/pool-profile.ts";
import { retryRead } from "../../cognito/read-retry.ts";
import { sendOnce } from "../../cognito/send-once.ts";
import { createUserDirectory, type UserDirectory } from "../../cognito/user-directory.ts";
import { createUserSearch } from "../../cognito/user-search.ts";
import { choosePool, type ChosenPool } from "../../config/config.ts";
import { checkAdminRequest, type AdminRequest } from "../../core/attribute-request.ts";
import type { ListedUser } from "../../core/comparison.ts";
import type { Question } from "../../core/identifier.ts";
import type { PoolProfile } from "../../core/pool-schema.ts";
import { closest } from "../../feeds/closest.ts";
import { adviceOnce } from "../../core/advice.ts";
import { dryRun } from "./dry-run.ts";
import { ask, risksOf } from "./question.ts";
import type { RequestInput } from "./request-input.ts";
import { type RequestContext } from "./request-context.ts";
import {
  answered,
  checkUnits,
  failureOf,
  NOBODY,
  refusedText,
  requestFaults,
  severalHaveIt,
  MAYBE_WRITTEN,
} from "./refusal-text.ts";
import { changeThroughEngine } from "./change-result.ts";
import { AppError, readEarly } from "../../app/app-error.ts";

const OPERATION = "AdminUpdateUserAttributes";

/** Carries one request out, and answers what is printed. */
export async function answerAdminRequest(context: RequestContext, input: RequestInput): Promise<string> {
  const { config, flags, mode } = context;
  const named = input["UserPoolId"];
  const setting =
    typeof named === "string" && Object.hasOwn(config.poolSettings, named) ? config.poolSettings[named] : undefined;
  const checked = checkAdminRequest(setting === undefined ? input : { ...input, UserPoolId: setting.id });
  if ("faults" in checked) throw requestFaults(checked.faults);
  const { request } = checked;
  const chosen = choosePool(config, request.pool, flags);
  switch (mode) {
    case "dryRun":
      return look(context, chosen, request);
    case "now":
      return sendNow(context, chosen, request, input);
    case "wait":
    case "queue":
      return throughEngine(context, chosen, request, input);
  }
}

async function throughEngine(
  context: RequestContext,
  chosen: ChosenPool,
  { username, units, clientMetadata }: AdminRequest,
  input: RequestInput,
): Promise<string> {
  const { io, flags } = context;
  const pool = await context.pool(chosen);
  const callOptions = clientMetadata === undefined ? {} : { callOptions: { clientMetadata } };
  const result = await changeThroughEngine(context, pool, { username, units, ...callOptions });
  if (result.is === "queued") return result.text;
  const { user, delivered } = result;
  const unknown = delivered.refusal?.kind === "user-not-found";
  const suggestion = unknown ? await nearMiss(context, chosen, result.username) : undefined;
  const failure = failureOf(io, flags, user, delivered, { suggestion });
  if (failure !== undefined) throw failure;
  return answered(context, OPERATION, { outcomes: delivered.outcomes, input });
}

async function nearMiss(
  { cognito, signal }: RequestContext,
  chosen: ChosenPool,
  username: string,
): Promise<string | undefined> {
  const names = await createUserSearch(cognito(chosen)).similar(chosen.id, username, signal);
  const same = names.find((name) => name.toLowerCase() === username.toLowerCase());
  return same ?? closest(username, names, 1)[0];
}

async function sendNow(
  context: RequestContext,
  chosen: ChosenPool,
  request: AdminRequest,
  input: RequestInput,
): Promise<string> {
  const { io, flags, reads, signal } = context;
  const cognito = context.cognito(chosen);
  const profile = await readEarly(signal, readPoolProfile(cognito, chosen.id, { reads, signal }));
  checkUnits(profile, request.units);
  if (flags.force !== true) await ask(io, risksOf(profile, request.units), signal);
  const updates = context.governor(chosen.id, chosen.ratePerSecond);
  const directory = createUserDirectory(cognito);
  const calls = { writer: createAttributeWriter(cognito), tokenWriter: createTokenWriter(cognito), directory };
  const found = await find(context, profile, directory, request.username);
  const { username, user } = found;
  const sent = await sendOnce(
    { ...calls, profile, updates, callMs: cognito.callMs, reads, clientMetadata: request.clientMetadata },
    { username, person: user === undefined ? {} : { account: accountOf(user) } },
    request.units,
    signal,
  ).catch((cause: unknown) => {
    if (!signal.aborted) throw cause;
    throw new AppError("interrupted", MAYBE_WRITTEN, { cause, category: "interrupted" });
  });
  if (sent.ok) {
    const outcomes = new Map([...sent.outcomes].map(([unit, is]) => [unit, { is }]));
    return answered(context, OPERATION, { outcomes, input });
  }
  if (!("refusal" in sent)) {
    throw new AppError(
      sent.kind,
      `\`${sent.unit}\` was not written: ${sent.reason}. ${adviceOnce(sent.kind, sent.reason)}`,
    );
  }
  throw await refused(context, chosen, username, sent.refusal);
}

async function refused(
  context: RequestContext,
  chosen: ChosenPool,
  username: string,
  refusal: CallRefusal,
): Promise<AppError> {
  const { kind, operation, advice } = refusal;
  const suggestion = kind === "user-not-found" ? await nearMiss(context, chosen, username) : undefined;
  const instead = operation === "ListUsers" ? advice : adviceOnce(kind);
  return new AppError(kind, refusedText(refusal, { suggestion, instead }));
}

/** Whose the name is. Throws an AppError where that is nobody's, several people's, or the pool does not say. */
async function find(
  { reads, signal }: RequestContext,
  profile: PoolProfile,
  directory: UserDirectory,
  name: string,
  more: Pick<NameSearch, "mayBill"> = {},
): Promise<{ readonly username: string; readonly user?: ListedUser; readonly by?: Question }> {
  const call = { operation: "ListUsers", pool: profile.id, reads, signal } as const;
  const finding = findByName({ profile, directory, read: (once) => retryRead(call, once), ...more }, name);
  const found = await readEarly(signal, finding);
  if (!found.ok) throw new AppError(found.failure.kind, refusedText(callRefusal("ListUsers", found, [name])));
  if (found.is === "one") return found;
  throw found.is === "none" ? new AppError(NOBODY.kind, refusedText(NOBODY)) : severalHaveIt(found.usernames);
}

async function look(context: RequestContext, chosen: ChosenPool, request: AdminRequest): Promise<string> {
  const { reads, signal } = context;
  const cognito = context.cognito(chosen);
  const profile = await readEarly(signal, readPoolProfile(cognito, chosen.id, { reads, signal }));
  checkUnits(profile, request.units);
  const { units } = request;
  const directory = createUserDirectory(cognito);
  const found = await find(context, profile, directory, request.username, { mayBill: () => false });
  const given = await dryRun({ ...context, ...found, directory, profile, units });
  if ("text" in given) return given.text;
  throw await refused(context, chosen, given.username, given.refusal);
}
