/** Pauses a pool, a feed or everything, and lets it go on: a gate that only a person opens (core/gate.ts). */
import { ALL, feedGate, poolGate, scheduleGate } from "../../core/gate.ts";
import { counted } from "../../core/amounts.ts";
import { printable } from "../../core/masking.ts";
import { nextStep, sentence, type NextStep, type Sentence } from "../../core/sentence.ts";
import { releaseKept, sortOut } from "../../delivery/kept-users.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import type { ClosedGate } from "../../store/gates.ts";
import type { Store } from "../../store/store.ts";
import { AppError } from "../app-error.ts";

/** What is paused: everything, where neither is named. */
export interface PauseTarget {
  readonly pool?: string | undefined;
  readonly feed?: string | undefined;
  /** A feed whose schedule is left out: nothing that was put is kept by it. */
  readonly schedule?: string | undefined;
}

export function gateOf({ pool, feed, schedule }: PauseTarget): string {
  if (schedule !== undefined) return scheduleGate(schedule);
  if (pool !== undefined) return poolGate(pool);
  return feed === undefined ? ALL : feedGate(feed);
}

export interface Pause {
  readonly by: string;
  readonly reason: string;
}

/** A gate by which somebody keeps changes. */
export type PausedGate = Omit<ClosedGate, keyof Pause> & Pause;

/** As it is stored, and shown: in one line, and cut where it is long. */
export function asStored({ by, reason }: Pause): Pause {
  // In characters: a half of one would be shown as something else.
  return { by: printable(by), reason: Array.from(printable(reason.trim())).slice(0, LONGEST_REASON).join("") };
}

/**
 * Obeyed by every process from the moment in which it is set; calls that are in flight end. Answers how many users are
 * kept. Throws an AppError `paused` where it was paused before.
 */
export async function pause(engine: Engine, log: Log, target: PauseTarget, given: Pause): Promise<number> {
  const { store } = engine;
  const gate = gateOf(target);
  const by = asStored(given);
  if (!(await store.gates.pause(gate, by))) {
    const there = (await pausedGates(store)).find((one) => one.gate === gate);
    throw new AppError(
      "paused",
      there ? ["Nothing was changed. ", ...pausedSentence(there)] : "It is being let go on: try again.",
    );
  }
  log.warn({ gate, by: by.by, reason: by.reason }, "paused");
  if (isSchedule(gate)) return 0;
  for (const { pool } of await store.targets()) await sortOut(store, { pool });
  return store.gates.kept(gate);
}

/** Why, as others see it: in characters. */
const LONGEST_REASON = 500;

/** Answers how many users are due again. Throws an AppError `not-paused`. */
export async function resume(engine: Engine, log: Log, target: PauseTarget): Promise<number> {
  const gate = gateOf(target);
  const { gates } = engine.store;
  // Whoever resumed it was cut before all that was kept was due again.
  if (!(await gates.resume(gate)) && !(await gates.opened()).includes(gate)) {
    throw new AppError("not-paused", notPaused(gate, await pausedGates(engine.store)));
  }
  log.info({ gate }, "resumed");
  return releaseKept(engine, gate);
}

function notPaused(gate: string, paused: readonly PausedGate[]): Sentence {
  const none = `There is no pause of ${gateName(gate)}`;
  const [first, another] = paused;
  if (first === undefined) return [`${none}: nothing is paused.`];
  const names = paused.map((one) => gateName(one.gate)).join(", ");
  const next = another === undefined ? resumeOf(first.gate) : nextStep("status");
  const look = another === undefined ? "Let it go on with" : "See";
  return sentence`${none}; paused is: ${names}. ${look} ${next}.`;
}

export async function pausedGates({ gates }: Pick<Store, "gates">): Promise<readonly PausedGate[]> {
  return (await gates.list()).flatMap((gate) => {
    const { state, by = "", reason = "" } = gate;
    return state === "paused" ? [{ ...gate, by, reason }] : [];
  });
}

/** The pause that keeps what a feed, or single requests, put into a pool. */
export async function pauseOf(
  store: Pick<Store, "gates">,
  { pool, feed }: { readonly pool: string; readonly feed?: string },
): Promise<PausedGate | undefined> {
  const names = [ALL, poolGate(pool), ...(feed === undefined ? [] : [feedGate(feed)])];
  return (await pausedGates(store)).find(({ gate }) => names.includes(gate));
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** As people say it. */
export function gateName(gate: string): string {
  const [, kind, name] = /^(pool|feed|schedule|run):(.*)$/s.exec(gate) ?? [];
  if (kind === "schedule") return `the schedule of feed ${name}`;
  return kind === undefined ? "everything" : `${kind} ${name}`;
}

/** What is typed to let it go on. */
export function resumeWords(gate: string): readonly string[] {
  const [, kind, name = ""] = /^(pool|feed|schedule):(.*)$/s.exec(gate) ?? [];
  return ["resume", ...(kind === undefined ? [] : [`--${kind}`, name])];
}

function resumeOf(gate: string): NextStep {
  const [command = "", ...words] = resumeWords(gate);
  return nextStep(command, ...words);
}

export function pausedSentence(paused: PausedGate): Sentence {
  return sentence`${sincePaused(paused)} Let it go on with ${resumeOf(paused.gate)}.`;
}

/** What is paused, since when, by whom and why. */
export function sincePaused({ gate, since, by, reason }: Pause & { readonly gate: string; readonly since: number }) {
  const end = /[.!?…]$/.test(reason) ? "" : ".";
  return `${capitalised(gateName(gate))} has been paused since ${new Date(since).toISOString()} by ${by}: ${reason}${end}`;
}

/** True for the gate of a schedule, which keeps nothing that was put. */
export function isSchedule(gate: string): boolean {
  return gate.startsWith(scheduleGate(""));
}

/** The pause of a feed's schedule. */
export async function scheduleOf(store: Pick<Store, "gates">, feed: string): Promise<PausedGate | undefined> {
  return (await pausedGates(store)).find(({ gate }) => gate === scheduleGate(feed));
}

/** `users`: of whom something is kept. */
export function keptText(gate: string, users: number): string {
  if (isSchedule(gate)) return "Its times are left out; what it has put goes on.";
  return users === 0 ? "Nothing is kept so far." : `Changes of ${counted(users, "user")} are kept.`;
}

export function resumedSentence(gate: string): Sentence {
  return [`${capitalised(gateName(gate))} goes on.`];
}

/** A line for those who look at a process. */
export function pauseNote({ gate, by = "", reason = "" }: ClosedGate): string {
  return `${gateName(gate)} is paused by ${by}: ${reason}`;
}

/** For whoever puts, and does not wait for it. */
export function keptSentence(paused: PausedGate): Sentence {
  return [...pausedSentence(paused), " What is put is kept until then."];
}

/** Throws an AppError `paused` where what is put would be kept. */
export async function demandNoPause(
  store: Pick<Store, "gates">,
  where: { readonly pool: string; readonly feed?: string },
): Promise<void> {
  const paused = await pauseOf(store, where);
  if (paused !== undefined) throw new AppError("paused", pausedSentence(paused));
}
