/** A pool whose people are named by address, and a clock: who was asked for a minute ago is asked for again. */
import assert from "node:assert/strict";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { openPoolsync } from "../../src/index.ts";
import { until } from "../support/condition.ts";
import { movableClock } from "../support/movable-clock.ts";
import { testRedis } from "../support/redis.ts";
import { byHand, onePool, POOL, runCommand, type RunOptions, type Said } from "./command-run.ts";

/** Longer than a process uses an answer of its own. */
export const STALE_MS = 61_000;
export const ANN = "ann@example.com";

/** In both an address names one person, and may pass to another. */
export const SIGN_INS = [
  ["an alias pool", { aliasAttributes: ["email", "phone_number"] }],
  ["a pool whose users sign in with e-mail", { usernameAttributes: ["email", "phone_number"] }],
] as const satisfies readonly (readonly [string, PoolDefinition])[];

const groups = z.object({ groups: z.array(z.object({ kind: z.string(), reason: z.string(), letters: z.number() })) });
const summary = z.object({
  run: z.string(),
  healed: z.number().optional(),
  books: z.object({ applied: z.number(), unchanged: z.number(), dead: z.number() }),
});

type Values = Readonly<Record<string, string>>;

export interface PeopleOptions {
  readonly pool?: Omit<PoolDefinition, "id">;
  readonly emulator?: EmulatorOptions;
  /** Of poolsync.yaml. */
  readonly config?: string;
  readonly environment?: Values;
  /** The embedded engine goes by this process's clock; without it Redis is quicker. */
  readonly movesClock?: boolean;
}

export type People = Awaited<ReturnType<typeof setPeople>>;

export async function setPeople(t: TestContext, options: PeopleOptions = {}) {
  // The emulator and every store go by it.
  const clock = movableClock();
  t.after(() => clock.putBack());
  const definition = { schema: [{ name: "cost_center" }], ...options.pool };
  const { emulator, pool, directory } = await onePool(t, definition, options.emulator, options.movesClock === true);
  const at = (name: string): string => join(directory, name);
  const dataDir = at("data");
  await writeFile(at("poolsync.yaml"), options.config ?? "");
  const redis = options.movesClock === true ? undefined : testRedis();
  const engine: Values = redis ? { REDIS_URL: redis.url, POOLSYNC_NAMESPACE: redis.namespace } : {};
  const environment = { ...engine, ...options.environment };
  /** By the name that a test gives them, as the pool knows them. */
  const subs = new Map<string, string>();
  const inPool = (who: string): string => pool.user(subs.get(who) ?? who)?.username ?? who;
  const run = (words: readonly string[], more: RunOptions = {}): Promise<Said> => {
    const report = words[0] === "sync" || words[0] === "undo" ? ["--report", at("report.ndjson")] : [];
    const where = words.includes("--data-dir") ? [] : ["--data-dir", dataDir];
    const all = [...words, ...report, "--config", at("poolsync.yaml"), ...where];
    // What is sent at once wants no engine to be there.
    const known = words.includes("--now") ? { ...environment, REDIS_URL: "" } : environment;
    return runCommand(all, { environment: known, ...more });
  };

  return {
    emulator,
    pool,
    clock,
    dataDir,
    at,
    run,
    inPool,
    /** Somebody new, also under the username of somebody who is gone. */
    add(who: string, attributes: Values = {}): void {
      const { email } = attributes;
      const isSignIn = email !== undefined && (definition.usernameAttributes ?? []).length > 0;
      const flags = email === undefined ? {} : { email_verified: "true" };
      const { sub } = pool.addUser({ username: isSignIn ? email : who, attributes: { ...attributes, ...flags } });
      subs.set(who, sub);
    },
    remove: (who: string): void => pool.removeUser(inPool(who)),
    byHand: (who: string, attributes: Values): Promise<void> => byHand(emulator, inPool(who), attributes),
    /** What they have of it, in this order; "" where they have nothing. */
    have: (name: string, ...people: readonly string[]): string[] =>
      people.map((who) => pool.user(inPool(who))?.attributes[name] ?? ""),
    async file(text: string, name = "people.csv"): Promise<string> {
      await writeFile(at(name), text);
      // A file of the same moment would not be newer than what was put before.
      await utimes(at(name), new Date(Date.now()), new Date(Date.now()));
      return at(name);
    },
    /** A file of one column beside the name. */
    async sync(text: string, ...words: readonly string[]) {
      const path = await this.file(text);
      const [by = ""] = text.split(",");
      const said = await run(["sync", path, "--user-pool-id", POOL, "--username-column", by, ...words, "--json"]);
      assert.equal(said.code, EXIT.done, said.stderr + said.stdout);
      return summary.parse(JSON.parse(said.stdout));
    },
    update: (name: string, words: readonly string[], ...more: readonly string[]): Promise<Said> => {
      const to = ["--user-pool-id", POOL, "--username", name, "--user-attributes", ...words];
      return run(["admin-update-user-attributes", ...to, ...more]);
    },
    /** Delivers all that waits. */
    async deliver(): Promise<void> {
      const where = redis ? { redisUrl: redis.url, namespace: redis.namespace } : { dataDir };
      const poolsync = await openPoolsync({ ...where, logLevel: "silent" });
      try {
        await poolsync.deliver(POOL);
        await until("nothing is pending", async () => (await poolsync.books()).pending === 0, 20_000);
      } finally {
        await poolsync.close();
      }
    },
    /** As `kind reason letters`. */
    async letters(): Promise<string[]> {
      const { stdout } = await run(["dead", "list", "--json"]);
      return groups.parse(JSON.parse(stdout)).groups.map((group) => Object.values(group).join(" "));
    },
  };
}

/** The address of the one goes to the other, as somebody in the console gives it to them. */
export async function passOn(people: People, from = "alee", to = "achu"): Promise<void> {
  await people.byHand(from, { email: `former-${ANN}`, email_verified: "true" });
  await people.byHand(to, { email: ANN, email_verified: "true" });
}
