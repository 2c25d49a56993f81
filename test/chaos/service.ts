/** The emulator as a process of its own, steered and read over its control endpoint. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { until } from "../support/condition.ts";
import type { Child, Children } from "./children.ts";
import type { LoggedWrite } from "./model.ts";
import type { ServiceFault } from "./plan.ts";

export const POOL = "eu-west-1_Example";

export interface Service {
  readonly port: number;
  readonly child: Child;
  /** Begins to answer a share of the calls with this fault; what is returned ends it. */
  suffer(what: ServiceFault, share: number): Promise<() => Promise<void>>;
  /** The next write of this user is applied so long after its caller gave it up. */
  applyLate(username: string, afterMs: number): Promise<void>;
  addUsers(usernames: readonly string[]): Promise<void>;
  /** Every write that was applied so far. */
  writes(): Promise<readonly LoggedWrite[]>;
  attributesOf(username: string): Promise<Readonly<Record<string, string>>>;
  /** How many calls met each fault. */
  errors(): Promise<Readonly<Record<string, number>>>;
}

/** How long after its caller has gone a late call is applied: within the quiet time, and before a lease has ended. */
const LATE_BY_MS = 2_500;

const UPDATE = "AdminUpdateUserAttributes";
const RULES: Readonly<Record<ServiceFault, { readonly operation?: string; readonly error: unknown }>> = {
  throttled: { operation: UPDATE, error: "TooManyRequestsException" },
  reset: { operation: UPDATE, error: { kind: "reset" } },
  "reset-after-write": { operation: UPDATE, error: { kind: "reset", afterWrite: true } },
  hang: { operation: UPDATE, error: { kind: "hang" } },
  "internal-error": { operation: UPDATE, error: "InternalErrorException" },
  "http-500": { error: { kind: "http", status: 500 } },
  "late-success": { operation: UPDATE, error: { kind: "late-success", afterMs: LATE_BY_MS } },
  "lambda-refuses": { operation: UPDATE, error: "UserLambdaValidationException" },
  "credentials-expired": { error: "ExpiredTokenException" },
  "pool-gone": { error: "ResourceNotFoundException" },
};

const write = z.object({
  seq: z.number(),
  at: z.number(),
  username: z.string(),
  attributes: z.record(z.string(), z.string()),
  unheard: z.boolean().optional(),
});
const counters = z.object({
  operations: z.record(z.string(), z.object({ calls: z.number(), errors: z.record(z.string(), z.number()) })),
});

export async function startService(
  children: Children,
  directory: string,
  usernames: readonly string[],
): Promise<Service> {
  const seedFile = join(directory, "users.json");
  const pool = { id: POOL, schema: [{ name: "department" }] };
  await writeFile(seedFile, JSON.stringify({ pool, users: usernames.map((username) => ({ username })) }));
  const args = [
    "emulator",
    "--port",
    "0",
    "--json",
    "--seed-file",
    seedFile,
    "--rate",
    "unmetered",
    "--latency",
    "2-20",
  ];
  let said = "";
  const onLine = (line: string): void => void (said += line);
  const child = children.start({ name: "emulator", file: "src/cli/main.ts", args, env: {}, onLine });
  await until("the emulator says where it listens", () => said.endsWith("}"));
  const { endpoint } = z.object({ endpoint: z.string() }).parse(JSON.parse(said));
  const port = Number(new URL(endpoint).port);
  const url = `${endpoint}/_emulator/`;

  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(url + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`Expected the emulator to take ${method} ${path}, got ${response.status}`);
    return response.json();
  }
  const suffering = new Set<object>();
  let changing: Promise<unknown> = Promise.resolve();
  /** The endpoint can only clear all rules, so those that go on are put again. */
  const putRules = (): Promise<unknown> => {
    changing = changing.then(async () => {
      await ask("DELETE", "faults");
      for (const rule of suffering) await ask("POST", "faults", rule);
    });
    return changing;
  };
  const log: LoggedWrite[] = [];

  return {
    port,
    child,
    async suffer(what, share) {
      const rule = { ...RULES[what], ...(share < 1 ? { probability: share } : {}) };
      suffering.add(rule);
      await putRules();
      return async () => {
        suffering.delete(rule);
        await putRules();
      };
    },
    async applyLate(username, afterMs) {
      await ask("POST", "faults", { operation: UPDATE, username, times: 1, error: { kind: "late-success", afterMs } });
    },
    async addUsers(names) {
      await ask("POST", "users", { pool: POOL, users: names.map((username) => ({ username })) });
    },
    async writes() {
      log.push(...z.array(write).parse(await ask("GET", `log?since=${log.length}`)));
      return log;
    },
    async attributesOf(username) {
      const query = new URLSearchParams({ pool: POOL, username });
      return z
        .object({ attributes: z.record(z.string(), z.string()) })
        .parse(await ask("GET", `users?${query.toString()}`)).attributes;
    },
    async errors() {
      const { operations } = counters.parse(await ask("GET", "counters"));
      return operations[UPDATE]?.errors ?? {};
    },
  };
}
