import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { subjectOfToken } from "./access-token.ts";
import { countCall, countError } from "./counters.ts";
import type { Counters } from "./counters.ts";
import { checkCredentials } from "./credentials.ts";
import type { KnownCredentials } from "./credentials.ts";
import { readBody, send, sendAnswer, sendError } from "./exchange.ts";
import type { FaultRule, FaultScript, FaultedCall } from "./faults.ts";
import { OPERATIONS } from "./operations/catalogue.ts";
import type { Account, Operation } from "./operations/operation.ts";
import type { Meter } from "./quota.ts";
import { ServiceError, namedError } from "./service-error.ts";
import type { WriteRecorder } from "./write-log.ts";

/** A thousand attributes of the greatest length fit in. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const TARGET_PREFIX = "AWSCognitoIdentityProviderService.";

/** Answers one request of the API. Never throws, but where it is aborted. */
export type Api = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface ApiContext {
  readonly account: Account;
  readonly meter: Meter;
  readonly faults: FaultScript;
  readonly counters: Counters;
  readonly log: WriteRecorder;
  readonly credentials: KnownCredentials | undefined;
  /** Draws how long the next call takes, from its arrival to its answer. */
  readonly drawLatencyMs: () => number;
  readonly requestId: () => string;
  /** Aborted when the emulator closes: whatever waits is dropped. */
  readonly closing: AbortSignal;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw Object.assign(new ServiceError("SerializationException", "Unexpected token in the request body"), { cause });
  }
}

function field(body: unknown, name: string): string | undefined {
  const value: unknown = typeof body === "object" && body !== null ? Reflect.get(body, name) : undefined;
  return typeof value === "string" ? value : undefined;
}

/** The names in `UserAttributes`, as far as they can be read. */
function namesWritten(body: unknown): string[] {
  const list: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "UserAttributes") : undefined;
  return Array.isArray(list) ? list.flatMap((attribute: unknown) => field(attribute, "Name") ?? []) : [];
}

/** Resolves once the caller has closed the connection, or never. */
function callerGone(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve();
    else response.once("close", resolve);
  });
}

export function createApi(context: ApiContext): Api {
  const { account, faults, counters, log, drawLatencyMs, requestId, closing } = context;

  async function halfLatency(latencyMs: number): Promise<void> {
    if (latencyMs > 0) await wait(latencyMs / 2, undefined, { signal: closing });
  }

  return async (request, response) => {
    const id = requestId();
    const latencyMs = drawLatencyMs();
    let operation: Operation | undefined;
    try {
      operation = admit(context, request);
      const body = parseJson(await readBody(request, MAX_BODY_BYTES));
      // The write takes effect half way, so that a caller may be gone before, or after, and cannot tell.
      await halfLatency(latencyMs);
      const fault = faults.pick(describeCall(account, operation, body));
      if (fault !== undefined) {
        const error = await suffer(context, fault, { operation, body, response });
        if (error === undefined) return;
        throw error;
      }
      const act = operation.answer.bind(operation, body, account);
      const answer = response.destroyed ? log.unanswered(act) : act();
      await halfLatency(latencyMs);
      sendAnswer(response, id, answer);
    } catch (error) {
      if (closing.aborted || (request.destroyed && !request.complete)) return;
      const known = error instanceof ServiceError ? error : namedError("InternalErrorException", String(error));
      if (operation !== undefined) countError(counters, operation.name, known.name);
      else countRefusal(counters, request, known);
      request.resume();
      await halfLatency(latencyMs).catch(() => undefined);
      sendError(response, id, known);
    }
  };
}

/** What is decided at the moment of arrival, before the body is read: who asks, and whether there is a token. */
function admit({ counters, credentials, meter }: ApiContext, request: IncomingMessage): Operation {
  const target = String(request.headers["x-amz-target"] ?? "");
  const operation = target.startsWith(TARGET_PREFIX) ? OPERATIONS.get(target.slice(TARGET_PREFIX.length)) : undefined;
  if (operation === undefined) throw new ServiceError("UnknownOperationException", "");
  countCall(counters, operation.name);
  if (operation.signed) checkCredentials(request.headers.authorization, credentials);
  if (!meter.admit(operation.category)) throw namedError("TooManyRequestsException");
  return operation;
}

function describeCall(account: Account, operation: Operation, body: unknown): FaultedCall {
  const subject = subjectOfToken(field(body, "AccessToken") ?? "");
  const pool = field(body, "UserPoolId") ?? subject?.pool;
  const named = field(body, "Username") ?? subject?.username;
  const known = named === undefined ? undefined : account.pools.get(pool ?? "")?.find(named)?.username;
  const usernames = [named, known].filter((name) => name !== undefined);
  return { operation: operation.name, pool, usernames, attributes: namesWritten(body) };
}

interface Call {
  readonly operation: Operation;
  readonly body: unknown;
  readonly response: ServerResponse;
}

/** Carries a scripted fault out. Gives what is to be answered, or nothing where there is no answer any more. */
async function suffer(
  context: ApiContext,
  { error, message, status }: FaultRule,
  call: Call,
): Promise<ServiceError | undefined> {
  if (typeof error === "string") return namedError(error, message, status);
  const { counters, closing } = context;
  const { operation, response } = call;
  switch (error.kind) {
    case "reset":
      countError(counters, operation.name, "reset");
      if (error.afterWrite === true) applyUnheard(context, call);
      response.socket?.resetAndDestroy();
      return undefined;
    case "hang":
      countError(counters, operation.name, "hang");
      return undefined;
    case "http":
      countError(counters, operation.name, `http-${error.status}`);
      send(response, error.status, {}, error.body ?? "");
      return undefined;
    case "late-success":
      countError(counters, operation.name, "late-success");
      await callerGone(response);
      await wait(error.afterMs, undefined, { signal: closing });
      applyUnheard(context, call);
      return undefined;
  }
}

/** A write whose answer nobody will see; one that is refused leaves no trace but its count. */
function applyUnheard({ account, counters, log }: ApiContext, { operation, body }: Call): void {
  try {
    log.unanswered(() => operation.answer(body, account));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    countError(counters, operation.name, error.name);
  }
}

/** Calls that were refused at the door count under the name they asked for, where the emulator knows it. */
function countRefusal(counters: Counters, request: IncomingMessage, error: ServiceError): void {
  const name = String(request.headers["x-amz-target"] ?? "").slice(TARGET_PREFIX.length);
  countError(counters, OPERATIONS.has(name) ? name : "unknown", error.name);
}
