/** What the steps of the model test have in common: who there is, what a model remembers, and how a command is made. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ALL, feedGate, poolGate } from "../../src/core/gate.ts";
import type { Units } from "../../src/core/mailbox.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import type { Selection } from "../../src/store/mailboxes.ts";
import type { Store } from "../../src/store/store.ts";
import type { openMemoryStore } from "../support/memory-store.ts";

export const USERS = ["ann", "bob", "cem"] as const;
export const POOLS = ["alpha", "beta"] as const;
export const RUNS = ["run-1", "run-2"] as const;
export const CANCELLABLE = RUNS[1];
/** What may be paused. Runs are of no pool of these, but of `any`, and each of a feed of its own. */
export const GATES = [ALL, poolGate("any"), feedGate(`feed of ${RUNS[0]}`), feedGate(`feed of ${RUNS[1]}`)] as const;
/** The last two are not names of attributes, but of what every plain object has already. */
export const UNITS = ["given_name", "email", "email_verified", "custom:x", "__proto__", "constructor"] as const;
export const LEASE_MS = 3000;

export type User = (typeof USERS)[number];
export type Unit = (typeof UNITS)[number];

/** A worker between its claim and its last settle. */
export interface Flight {
  readonly user: User;
  readonly token: string;
  readonly leaseMs: number;
  units: Units;
}

/** What the rules hold, and what the commands need to remember. */
export interface Model {
  readonly memory: ReturnType<typeof openMemoryStore>;
  flights: Flight[];
  tokens: number;
  readonly letters: string[];
  readonly cursors: Map<string, string>;
  /** The newest ordinal that was put of each unit of each user, and not refused as too far ahead. */
  readonly newest: Map<string, { user: User; unit: Unit; ordinal: string }>;
  /** Units that were set aside at least once, or discarded. */
  readonly buried: Set<string>;
  /** Units that were put by the run that may be cancelled. */
  readonly cancellable: Set<string>;
}

export interface Real {
  /** Two processes on Redis; the embedded store has one. */
  readonly stores: readonly [Store, Store];
  setClock(ms: number): Promise<void>;
  /** Redis sends a claim again after a lost connection, and must be given the same answer. */
  readonly answersTwice: boolean;
}

export type Command = fc.AsyncCommand<Model, Real>;

/** A user belongs to one pool. */
export const poolOf = (user: User) => (user === "bob" ? POOLS[1] : POOLS[0]);

export function freshModel(memory: Model["memory"]): Model {
  return {
    memory,
    flights: [],
    tokens: 0,
    letters: [],
    cursors: new Map(),
    newest: new Map(),
    buried: new Set(),
    cancellable: new Set(),
  };
}

type Run = (model: Model, store: Store, real: Real) => Promise<void>;

/** Each process may take each step. */
export function command(text: string, run: Run): fc.Arbitrary<Command> {
  return fc.nat(1).map((process) => ({
    check: () => true,
    run: (model, real) => run(model, process === 0 ? real.stores[0] : real.stores[1], real),
    toString: () => (process === 0 ? text : `${text} (by the other process)`),
  }));
}

export async function sameDocuments(model: Model, store: Store, users: readonly User[]): Promise<void> {
  for (const user of users) {
    const wanted = await model.memory.store.mailboxes.read(user);
    assert.deepEqual(await store.mailboxes.read(user), wanted, `the documents of ${user}`);
  }
}

export async function passBoth(model: Model, real: Real, ms: number): Promise<void> {
  model.memory.clock.advance(ms);
  await real.setClock(model.memory.clock.nowMs);
}

export interface ClaimWanted {
  readonly user: User;
  readonly leaseMs: number;
  readonly selection: Selection;
}

export async function claimBoth(model: Model, store: Store, real: Real, { user, leaseMs, selection }: ClaimWanted) {
  const token = `token-${(model.tokens += 1)}`;
  const answer = await model.memory.store.mailboxes.claim(user, token, leaseMs, selection);
  assert.deepEqual(await store.mailboxes.claim(user, token, leaseMs, selection), answer);
  if (answer.is === "claimed") {
    if (real.answersTwice) {
      assert.deepEqual(await store.mailboxes.claim(user, token, leaseMs, selection), answer);
    }
    model.flights.push({ user, token, leaseMs, units: answer.units });
  }
  await sameDocuments(model, store, [user]);
  return answer;
}

export async function settleBoth(
  model: Model,
  store: Store,
  flight: Flight,
  settlements: Record<string, Settlement>,
  runs?: readonly string[],
) {
  const { user, token } = flight;
  const answer = await model.memory.store.mailboxes.settle(user, token, settlements, LEASE_MS, runs);
  assert.deepEqual(await store.mailboxes.settle(user, token, settlements, LEASE_MS, runs), answer);
  for (const { id, unit } of answer.letters) {
    model.letters.push(id);
    model.buried.add(`${user} ${unit}`);
  }
  flight.units = Object.fromEntries(Object.entries(flight.units).filter(([unit]) => !Object.hasOwn(settlements, unit)));
  if (Object.keys(flight.units).length === 0) model.flights = model.flights.filter((other) => other !== flight);
  await sameDocuments(model, store, [user]);
}
