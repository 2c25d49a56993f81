/** A pool whose people are named by address, and a clock: who was asked for a minute ago is asked for again. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { isComplete, type RunSummary } from "../../src/app/runs/run-summary.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { runCommand, type Said } from "../cli/command-run.ts";
import { setApp, type AppOptions, type Asked } from "./app-stage.ts";
import { putMadeDirectory } from "./made-directory.ts";
import { movableClock } from "./movable-clock.ts";
import { byHand, POOL } from "./pool-stage.ts";

/** Longer than a process uses an answer of its own. */
export const STALE_MS = 61_000;
export const ANN = "ann@example.com";

/** In both an address names one person, and may pass to another. */
export const SIGN_INS = [
  ["an alias pool", { aliasAttributes: ["email", "phone_number"] }],
  ["a pool whose users sign in with e-mail", { usernameAttributes: ["email", "phone_number"] }],
] as const satisfies readonly (readonly [string, PoolDefinition])[];

type Values = Readonly<Record<string, string>>;

export interface PeopleOptions extends Omit<AppOptions, "putData"> {
  /** The embedded engine goes by this process's clock; without it Redis is quicker. */
  readonly movesClock?: boolean;
}

export type People = Awaited<ReturnType<typeof setPeople>>;

export async function setPeople(t: TestContext, { movesClock = false, ...options }: PeopleOptions = {}) {
  // The emulator and every store go by it.
  const clock = movableClock();
  t.after(() => clock.putBack());
  const definition = { schema: [{ name: "cost_center" }], ...options.pool };
  const app = await setApp(t, { ...options, pool: definition, ...(movesClock ? { putData: putMadeDirectory } : {}) });
  const { emulator, pool, at } = app;
  /** By the name that a test gives them, as the pool knows them. */
  const subs = new Map<string, string>();
  const inPool = (who: string): string => pool.user(subs.get(who) ?? who)?.username ?? who;
  const wordsOf = (name: string, words: readonly string[]): string[] => {
    return ["admin-update-user-attributes", "--user-pool-id", POOL, "--username", name, "--user-attributes", ...words];
  };

  return {
    ...app,
    clock,
    inPool,
    /** Sends a change without an engine, as no use case does. */
    sendNow: (name: string, ...words: readonly string[]): Promise<Said> =>
      runCommand([...wordsOf(name, words), "--now", "--data-dir", at("nowhere")]),
    /** Tells what a change would do, which needs no engine either. */
    dryRun: (name: string, ...words: readonly string[]): Promise<Said> =>
      runCommand([...wordsOf(name, words), "--dry-run", "--data-dir", at("nowhere")]),
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
    /** A file of one column beside the name, all of which is applied, or there already. */
    async syncText(text: string, asked: Asked = {}): Promise<RunSummary> {
      const [usernameColumn = ""] = text.split(",");
      const summary = await app.sync(await app.file(text), { usernameColumn, ...asked });
      assert.ok(isComplete(summary));
      return summary;
    },
  };
}

/** The address of the one goes to the other, as somebody in the console gives it to them. */
export async function passOn(people: People, from = "alee", to = "achu"): Promise<void> {
  await people.byHand(from, { email: `former-${ANN}`, email_verified: "true" });
  await people.byHand(to, { email: ANN, email_verified: "true" });
}
