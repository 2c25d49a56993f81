import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { AdminUpdateUserAttributesCommand } from "@aws-sdk/client-cognito-identity-provider";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.ts";
import { createClient } from "../emulator/sdk-client.ts";
import { USER, username, VALUE, value } from "./needles.ts";

const UPDATE = "AdminUpdateUserAttributes";
export const REFUSALS = "eu-west-1_Refusals";

/** Cognito quotes what it was sent. */
export const quoting = (label: string): string =>
  `1 validation error detected: Value '${value(label)}' at 'userAttributes.1.member.value' of ${username(label)} failed to satisfy constraint`;

/** What befalls one user of one pool and leaves the others alone. Those that `times` ends are applied in the end. */
export const REFUSED: readonly (readonly [error: string, times?: number])[] = [
  ["AliasExistsException"],
  ["InvalidParameterException"],
  ["UserLambdaValidationException"],
  ["UserNotFoundException"],
  ["LimitExceededException"],
  ["CodeDeliveryFailureException"],
  ["UserNotConfirmedException"],
  ["PasswordResetRequiredException"],
  ["InternalErrorException"],
  ["UnexpectedLambdaException"],
  ["InvalidLambdaResponseException"],
  ["SomethingNewException"],
  ["TooManyRequestsException", 4],
  ["ThrottlingException", 1],
];

/** What holds a pool, its addresses or the process: each befalls a pool of its own, once. */
export const HELD = [
  "ResourceNotFoundException",
  "OperationNotEnabledException",
  "InvalidSmsRoleAccessPolicyException",
  "InvalidEmailRoleAccessPolicyException",
  "ExpiredTokenException",
  "UnrecognizedClientException",
  "AccessDeniedException",
  "RequestExpired",
  "UnknownOperationException",
  "NotAuthorizedException",
] as const;

export const poolOf = (error: string): string => `eu-west-1_${error}`;

/** An emulator that refuses as the tables say, and says whom and what in each message. */
export async function startQuotingEmulator(t: TestContext): Promise<Emulator> {
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0 });
  t.after(() => emulator.close());
  const pool = emulator.pools.add({ id: REFUSALS });
  for (const [error, times] of REFUSED) {
    const name = username(error);
    pool.addUser({ username: name });
    const rule = { operation: UPDATE, username: name, error, message: quoting(error) };
    emulator.faults.add(times === undefined ? rule : { ...rule, times });
  }
  const broken = [
    ["http", { kind: "http", status: 503, body: `<html>${quoting("http")}</html>` }],
    ["garbled", { kind: "http", status: 200, body: `{"${value("garbled")}` }],
    ["reset", { kind: "reset" }],
    ["hang", { kind: "hang" }],
    ["look", "InternalErrorException"],
  ] as const;
  for (const [label, error] of broken) {
    pool.addUser({ username: username(label) });
    const operation = label === "look" ? "ListUsers" : UPDATE;
    const rule = { pool: REFUSALS, operation, times: 1, error, message: quoting(label) };
    emulator.faults.add(label === "look" ? rule : { ...rule, username: username(label) });
  }
  for (const error of HELD) {
    const held = emulator.pools.add({ id: poolOf(error) });
    for (const label of [error, `second ${error}`]) held.addUser({ username: username(label.replace(" ", ".")) });
    // The first user who is not authorised is buried, and the second holds the pool.
    const times = error === "NotAuthorizedException" ? 2 : 1;
    emulator.faults.add({ operation: UPDATE, pool: poolOf(error), times, error, message: quoting(error) });
  }
  const client = createClient(emulator.url);
  t.after(() => client.destroy());
  const UserAttributes = [{ Name: "given_name", Value: "x" }];
  const asked = { UserPoolId: REFUSALS, Username: username("InvalidParameterException"), UserAttributes };
  await assert.rejects(client.send(new AdminUpdateUserAttributesCommand(asked)), (error: Error) => {
    assert.ok(error.message.includes(VALUE) && error.message.includes(USER), "the emulator quotes what it was sent");
    return true;
  });
  return emulator;
}
