/**
 * One change of one user whose outcome somebody waits for. The process that made it delivers that user's mailbox
 * itself, at the top of the pace, so no worker needs to be running and Cognito's own answer comes back. It is put
 * like any other change first: order, checks and books are the same, and what this process cannot finish stays queued.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { recordCalls, type RecordedCalls, type CallRefusal } from "../cognito/recorded-calls.ts";
import type { TokenAnswer } from "../cognito/token-writer.ts";
import { SlotTooLate } from "../cognito/slot.ts";
import type { Change } from "../core/change.ts";
import type { Letter } from "../core/letter.ts";
import { CLOCKS_APART_MS, type QueuedUnit, type UserState } from "../core/mailbox.ts";
import { ordinalText, versionText } from "../core/version.ts";
import type { Selection } from "../store/mailboxes.ts";
import { directRunId } from "../store/runs.ts";
import type { DeliveryDeps } from "./delivery-deps.ts";
import type { Engine } from "../queues/engine.ts";
import { createProducer, type Producer } from "./producer.ts";
import { createUserTurn, type UserTurn } from "./user-turn.ts";
import { PRIORITY } from "../queues/wake-ups.ts";

/** What became of one unit. `stale` and `superseded`: something newer is there, or on its way. */
export type UnitOutcome =
  | { readonly is: "applied" | "unchanged" | "superseded" | "stale" | "pending" }
  | { readonly is: "dead"; readonly letter: string; readonly kind: string; readonly reason: string };

/** A change that is put. */
export interface Submitted {
  /** The opaque key of the user, under which what stays queued is found again. */
  readonly user: string;
  /** By unit, its version, and the digest of its value. */
  readonly versions: ReadonlyMap<string, string>;
  readonly digests: ReadonlyMap<string, string>;
  /** Units that are on their way: nothing newer is there. */
  readonly queued: readonly string[];
  /** Epoch ms by the store's clock. */
  readonly putAt: number;
}

export interface ChangeResult {
  readonly outcomes: ReadonlyMap<string, UnitOutcome>;
  /** The last call that was refused, where one was. */
  readonly refusal?: CallRefusal;
  /** What Cognito answered to the user's own call, where one was made here. */
  readonly tokenAnswer?: TokenAnswer;
}

export interface DirectOptions {
  /** Sends what a pause would keep. */
  readonly despitePause?: boolean;
  /** How long to wait for the outcome, in ms; then units are `pending` and stay queued. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export interface Direct {
  /** As the producer's. */
  check: Producer["check"];
  userKey: Producer["userKey"];
  /** Puts a sound change. `wake` has workers deliver it; without it the caller is to deliver it. */
  submit(change: Change, options: { readonly wake: boolean }): Promise<Submitted>;
  /** Rejects with the signal's reason when it aborts: what is pending then stays queued. */
  deliverNow(submitted: Submitted, options: DirectOptions): Promise<ChangeResult>;
}

/** How often another process's delivery of the same user is looked at. */
const LOOK_EVERY_MS = 100;
const FIRST = 0;

export function createDirect(engine: Engine, deps: DeliveryDeps): Direct {
  const { queues, wakeUps } = engine;
  const { profile } = deps;
  const producer = createProducer({ engine, profile, run: directRunId(profile.id), priority: PRIORITY.direct });
  return {
    check: (change) => producer.check(change),
    userKey: (username) => producer.userKey(username),
    submit: (change, { wake }) => submit(engine, profile.id, producer, change, wake),
    async deliverNow(submitted, options) {
      const recorded = recordCalls(deps);
      const { writer, tokenWriter, directory } = recorded;
      const runs = [directRunId(profile.id)];
      const despitePause = options.despitePause === true ? { despitePause: [...submitted.versions.keys()] } : {};
      const selection = (): Selection => ({ runs, ...despitePause });
      const turn = createUserTurn({ ...deps, writer, tokenWriter, directory, queues, selection });
      const waited: Waited = { isPending: true };
      try {
        const outcomes = await waitForOutcomes(engine, { turn, recorded, submitted, waited }, options);
        const { refusal, tokenAnswer } = recorded;
        return { outcomes, ...(refusal && { refusal }), ...(tokenAnswer && { tokenAnswer }) };
      } finally {
        const { user } = submitted;
        if (waited.isPending) await wakeUps.wake(profile.id, [{ user, priority: PRIORITY.direct }]);
      }
    },
  };
}

interface Waiting {
  readonly turn: UserTurn;
  readonly recorded: RecordedCalls;
  readonly submitted: Submitted;
  readonly waited: Waited;
}

/** Whether something stays queued when the wait ends, however it ends. */
interface Waited {
  isPending: boolean;
}

async function submit(
  { store, keyring }: Engine,
  pool: string,
  producer: Producer,
  change: Change,
  wake: boolean,
): Promise<Submitted> {
  await store.runs.direct(pool);
  const user = producer.userKey(change.username);
  const facts = { invalid: 0, rows: { read: 1, faulty: 0 }, ...(wake ? {} : { quietly: true }) };
  const { timeMs, arrival, at } = await producer.put([change], facts);
  const ordinal = ordinalText(change.version ?? { timeMs, sequence: 0 });
  const { mailbox, ledger } = await store.mailboxes.read(user);
  const versions = new Map<string, string>();
  const digests = new Map(change.units.map(({ name, value }) => [name, keyring.valueDigest(name, value)]));
  const queued: string[] = [];
  for (const [index, { name }] of change.units.entries()) {
    const waiting = mailbox?.pending[name] ?? mailbox?.claim?.units[name];
    const put = versionText(ordinal, arrival + index);
    // Whoever put an equal value in the same moment has made this change as well.
    const isSame = waiting !== undefined && waiting.digest === digests.get(name) && waiting.version < put;
    const version = isSame ? waiting.version : put;
    versions.set(name, version);
    if ([waiting, ledger[name]].every((newest) => newest === undefined || newest.version <= version)) {
      queued.push(name);
    }
  }
  return { user, versions, digests, queued, putAt: at };
}

/** Delivers the user's mailbox by itself, or looks at what others make of it, until nothing is pending or time is up. */
async function waitForOutcomes(
  engine: Engine,
  { turn, recorded, submitted: { user, versions, digests, putAt }, waited }: Waiting,
  { waitMs, signal }: DirectOptions,
): Promise<ReadonlyMap<string, UnitOutcome>> {
  const { mailboxes, lost } = engine.store;
  /** Versions that this process had in hand: of others nobody here knows whether a call was made. */
  const own = new Set<string>();
  const changed = (unit: string): boolean => recorded.written.has(unit) || !own.has(versions.get(unit) ?? "");
  const endsAt = performance.now() + waitMs;
  let onHold = false;
  let busy = false;
  let tryAt = 0;
  for (;;) {
    signal.throwIfAborted();
    lost.throwIfAborted();
    const state = await mailboxes.read(user);
    const outcomes = new Map<string, UnitOutcome>();
    for (const [unit, version] of versions) {
      const asked = { unit, version, digest: digests.get(unit) ?? "", putAt };
      outcomes.set(unit, await outcomeOf(engine, user, asked, state, changed));
    }
    const leftMs = endsAt - performance.now();
    waited.isPending = [...outcomes.values()].some(({ is }) => is === "pending");
    if (!waited.isPending || onHold || leftMs <= 0) return outcomes;
    const isFree = busy && state.mailbox?.claim === undefined;
    if (isFree || performance.now() >= tryAt) {
      const attempt = await attemptDelivery(turn, user, own, leftMs, AbortSignal.any([signal, lost]));
      ({ onHold = false, busy = false } = attempt);
      tryAt = performance.now() + attempt.againInMs;
    }
    const pauseMs = Math.min(tryAt - performance.now(), LOOK_EVERY_MS, endsAt - performance.now());
    if (!onHold && pauseMs > 0) await sleep(pauseMs, undefined, { signal });
  }
}

/** Delivers what is due of the user, unless somebody else does. `own` is given the versions that were in hand. */
async function attemptDelivery(
  turn: UserTurn,
  user: string,
  own: Set<string>,
  leftMs: number,
  signal: AbortSignal,
): Promise<Attempt> {
  const request = { user, priority: FIRST, deadlineMs: leftMs, waiting: signal, calls: signal };
  const end = await turn.take(request).catch((error: unknown) => {
    if (error instanceof SlotTooLate) return { is: "too-late" } as const;
    throw error;
  });
  switch (end.is) {
    case "too-late":
      return { againInMs: leftMs };
    case "on-hold":
    case "later":
      return { againInMs: end.retryInMs };
    case "busy":
      return { againInMs: end.retryInMs, busy: true };
    case "idle":
    case "kept-back":
      return { againInMs: 0 };
    case "delivered": {
      for (const version of end.versions) own.add(version);
      const { hold, dueInMs = 0 } = end.result;
      return { againInMs: dueInMs, onHold: hold !== undefined };
    }
  }
}

/** When to try again, in ms, and what kept this try from delivering. */
interface Attempt {
  readonly againInMs: number;
  /** Another process has the user in hand, and may be done before its lease ends. */
  readonly busy?: boolean;
  /** No further try would go better: what was refused holds for this process or the pool. */
  readonly onHold?: boolean;
}

interface AskedUnit {
  readonly unit: string;
  readonly version: string;
  readonly digest: string;
  readonly putAt: number;
}

async function outcomeOf(
  { store }: Engine,
  user: string,
  { unit, version, digest, putAt }: AskedUnit,
  { mailbox, ledger }: UserState,
  changed: (unit: string) => boolean,
): Promise<UnitOutcome> {
  // A newer change to the same value is this one as well.
  const isThis = (unit: QueuedUnit | Letter | undefined): boolean =>
    unit !== undefined && (unit.version === version || (unit.version > version && unit.digest === digest));
  if (isThis(mailbox?.pending[unit]) || isThis(mailbox?.claim?.units[unit])) return { is: "pending" };
  // The clock of a server that took over may be behind.
  for await (const letter of store.letters.list({ user, unit, since: putAt - CLOCKS_APART_MS })) {
    if (isThis(letter)) return { is: "dead", letter: letter.id, kind: letter.kind, reason: letter.reason };
  }
  const entry = ledger[unit];
  if (entry?.version === version) return { is: changed(unit) ? "applied" : "unchanged" };
  if (entry && entry.version > version && entry.digest === digest) return { is: "applied" };
  return { is: "superseded" };
}
