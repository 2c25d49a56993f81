/** The emulator as a process of its own, steered and read over its control endpoint. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { until } from "../support/condition.ts";
import { seedOf, type AccountSeed } from "./accounts.ts";
import type { Child, Children } from "./children.ts";
import { createJournalReader } from "./journal.ts";
import type { LoggedWrite } from "./model.ts";
import type { ServiceFault, Undo } from "./plan.ts";
import { freePort } from "./redis-processes.ts";

export const POOL = "eu-west-1_Example";

export interface Service {
  readonly port: number;
  /** Its life of now. */
  readonly child: Child;
  /**
   * Ends this life. What is returned begins the next, with all that was applied and the faults of then; undefined where
   * it is dead or suspended already.
   */
  kill(): Promise<Undo | undefined>;
  /** Begins to answer a share of the calls with this fault; what is returned ends it. */
  suffer(what: ServiceFault, share: number): Promise<Undo>;
  /** The next write of this user is applied so long after its caller gave it up. */
  applyLate(username: string, afterMs: number): Promise<void>;
  addUsers(usernames: readonly string[]): Promise<void>;
  /** Every write that was applied so far, in all lives. */
  writes(): Promise<readonly LoggedWrite[]>;
  /** Rejects where there is no such user. */
  attributesOf(username: string): Promise<Readonly<Record<string, string>>>;
  /** Rejects where there is no such user. */
  subOf(username: string): Promise<string>;
  /** How many calls met each fault. */
  errors(): Promise<Readonly<Record<string, number>>>;
  /** How often users were looked for in the list. */
  looks(): Promise<number>;
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

const counters = z.object({
  operations: z.record(z.string(), z.object({ calls: z.number(), errors: z.record(z.string(), z.number()) })),
});

const user = z.object({ sub: z.string(), attributes: z.record(z.string(), z.string()) });

export async function startService(
  children: Children,
  directory: string,
  usernames: readonly string[],
  seeds: readonly AccountSeed[] = [],
): Promise<Service> {
  const port = await freePort();
  const [journal, users] = [join(directory, "writes.jsonl"), join(directory, "users.json")];
  const known = [...usernames.map((username) => seedOf(username, Date.now())), ...seeds];
  let lives = 0;
  await writeFile(journal, "");
  await writeFile(users, JSON.stringify(known));
  async function begin(): Promise<Child> {
    let ready = false;
    const life = children.start({
      name: "emulator",
      file: "test/chaos/emulator.ts",
      args: [JSON.stringify({ port, journal, pool: POOL, users, lives })],
      env: {},
      onLine: () => (ready = true),
    });
    lives += 1;
    await until("the emulator listens", () => {
      if (!life.alive) throw new Error(`Expected the emulator to listen on port ${port}, it ended`);
      return ready;
    });
    return life;
  }
  let child = await begin();
  const url = `http://127.0.0.1:${port}/_emulator/`;

  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(url + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`Expected the emulator to take ${method} ${path}, got ${response.status}`);
    return response.json();
  }
  const suffering = new Set<object>();
  /** What lives that are over answered with. */
  const past: Record<string, number> = {};
  let pastLooks = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** One after another: nobody asks a process that is being killed. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = last.then(act, act);
    last = turn.catch(() => undefined);
    return turn;
  }
  /** The endpoint can only clear all rules, so those that go on are put again. A life begins with them. */
  async function putRules(): Promise<void> {
    if (!child.alive) return;
    await ask("DELETE", "faults");
    for (const rule of suffering) await ask("POST", "faults", rule);
  }
  async function countsOfThisLife(): Promise<{ errors: Readonly<Record<string, number>>; looks: number }> {
    const { operations } = counters.parse(await ask("GET", "counters"));
    return { errors: operations[UPDATE]?.errors ?? {}, looks: operations["ListUsers"]?.calls ?? 0 };
  }
  const userOf = async (username: string) => {
    const query = new URLSearchParams({ pool: POOL, username });
    return user.parse(await ask("GET", `users?${query.toString()}`));
  };
  const writes = createJournalReader(journal);

  return {
    port,
    get child() {
      return child;
    },
    kill: () =>
      inTurn(async () => {
        if (!child.alive || child.suspended) return undefined;
        const { errors, looks } = await countsOfThisLife();
        for (const [name, count] of Object.entries(errors)) past[name] = (past[name] ?? 0) + count;
        pastLooks += looks;
        await child.kill();
        return () =>
          inTurn(async () => {
            child = await begin();
            await putRules();
          });
      }),
    async suffer(what, share) {
      const rule = { ...RULES[what], ...(share < 1 ? { probability: share } : {}) };
      await inTurn(() => {
        suffering.add(rule);
        return putRules();
      });
      return () =>
        inTurn(() => {
          suffering.delete(rule);
          return putRules();
        });
    },
    async applyLate(username, afterMs) {
      await ask("POST", "faults", { operation: UPDATE, username, times: 1, error: { kind: "late-success", afterMs } });
    },
    async addUsers(names) {
      const late = names.map((username) => seedOf(username, Date.now()));
      known.push(...late);
      await writeFile(users, JSON.stringify(known));
      await ask("POST", "users", { pool: POOL, users: late });
    },
    writes,
    attributesOf: async (username) => (await userOf(username)).attributes,
    subOf: async (username) => (await userOf(username)).sub,
    async errors() {
      const sum = { ...past };
      const { errors } = await countsOfThisLife();
      for (const [name, count] of Object.entries(errors)) sum[name] = (sum[name] ?? 0) + count;
      return sum;
    },
    looks: async () => pastLooks + (await countsOfThisLife()).looks,
  };
}
