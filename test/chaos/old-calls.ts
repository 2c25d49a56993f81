/** What an older process was answered that came back after the upgrade, and what it left: nothing. */
import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { z } from "zod";
import { FORMAT } from "../../src/store/redis/format.ts";
import { verdict, type Verdict } from "./verdict.ts";

export interface OldCalls {
  heard(line: string): void;
  /** How many calls were refused because their keys are taken, by script. */
  readonly refused: Readonly<Record<string, number>>;
  /** How many did not come to the keys, because Redis was away or took no writes. */
  readonly notCarriedOut: number;
  /** Those that were answered anything else, the first few. */
  readonly wrong: readonly string[];
}

const call = z.union([
  z.object({ script: z.string(), failed: z.string() }),
  z.object({ script: z.string(), answer: z.string() }),
]);
/** What Redis says of a key of another type. */
const TAKEN = /WRONGTYPE|not an integer/;
/** What a client says of Redis, and Redis of itself, that has nothing to do with the keys. */
const AWAY =
  /ECONN|EPIPE|Connection is closed|max retries|ended|timed out|^(OOM|NOREPLICAS|READONLY|LOADING|MISCONF|UNKILLABLE|MASTERDOWN)|command not allowed/i;

export function createOldCalls(): OldCalls {
  const refused: Record<string, number> = {};
  const wrong: string[] = [];
  let notCarriedOut = 0;
  return {
    refused,
    wrong,
    get notCarriedOut() {
      return notCarriedOut;
    },
    heard(line) {
      const told = call.parse(JSON.parse(line));
      if ("answer" in told) return void wrong.push(`${told.script} was answered ${told.answer}`);
      if (TAKEN.test(told.failed)) refused[told.script] = (refused[told.script] ?? 0) + 1;
      else if (AWAY.test(told.failed)) notCarriedOut += 1;
      else wrong.push(`${told.script} failed for another reason: ${told.failed}`);
    },
  };
}

/** Keys of format 1 that hold anything, by name. */
export const OF_FORMAT_1 =
  /^(mailboxes|ledger|due:.+|books|runs|run-index|identities|cursors|letters|letter-times|pools|arrivals|holds)$/;
/** What stands in their place. */
export const IN_PLACE = /^taken over by a newer version of poolsync/;

/** Before the first process starts: the namespace is one of format 1, and knows the pool. */
export async function beginAsFormat1(redis: Redis, namespace: string, pool: string, endpoint: string): Promise<void> {
  const target = {
    pool,
    endpoint,
    region: "eu-west-1",
    arn: `arn:aws:cognito-idp:eu-west-1:123456789012:userpool/${pool}`,
  };
  const digestKey = randomBytes(32).toString("base64url");
  await redis.hset(`{poolsync:${namespace}}:memory`, "format", "1", "key", "none", "digest-key", digestKey);
  await redis.hset(`{poolsync:${namespace}}:targets`, pool, JSON.stringify(target));
}

/** 16: no call of the older process was carried out, and the namespace has the new format, and no key of the older one. */
export function judgeOldProcess(calls: Omit<OldCalls, "heard">, format: string, oldKeys: readonly string[]): Verdict {
  const wrong = [...calls.wrong, ...oldKeys.map((key) => `${key} is there again`)];
  if (format !== FORMAT) wrong.push(`the namespace has format ${format}`);
  const { refused, notCarriedOut } = calls;
  if (Object.keys(refused).length === 0) wrong.push("no call of the older process came to its keys");
  return verdict(16, "an older process that comes back changes nothing", { ...refused, notCarriedOut }, wrong);
}
