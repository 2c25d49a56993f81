/** Pauses a pool, a feed or everything, and lets it go on: a gate that only a person opens (core/gate.ts). */
import { ALL, feedGate, poolGate } from "../../core/gate.ts";
import { printable } from "../../core/masking.ts";
import { nextStep, sentence, type Sentence } from "../../core/sentence.ts";
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
}

export function gateOf({ pool, feed }: PauseTarget): string {
  if (pool !== undefined) return poolGate(pool);
  return feed === undefined ? ALL : feedGate(feed);
}

export interface Pause {
  readonly by: string;
  readonly reason: string;
}

/** A gate by which somebody keeps changes. */
export type PausedGate = Omit<ClosedGate, keyof Pause> & Pause;

/**
 * Obeyed by every process from the moment in which it is set; calls that are in flight end. Answers how many users are
 * kept. Throws an AppError `paused` where it was paused before.
 */
export async function pause(engine: Engine, log: Log, target: PauseTarget, given: Pause): Promise<number> {
  const { store } = engine;
  const gate = gateOf(target);
  const by = { by: printable(given.by), reason: printable(given.reason).slice(0, LONGEST_REASON) };
  if (!(await store.gates.pause(gate, by))) {
    const there = (await pausedGates(store)).find((one) => one.gate === gate);
    throw new AppError("paused", there ? pausedSentence(there) : "It is being let go on: try again.");
  }
  log.warn({ gate, by: by.by, reason: by.reason }, "paused");
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
    throw new AppError("not-paused", sentence`There is no pause of ${gateName(gate)}: see ${nextStep("status")}.`);
  }
  log.info({ gate }, "resumed");
  return releaseKept(engine, gate);
}

export async function pausedGates({ gates }: Pick<Store, "gates">): Promise<readonly PausedGate[]> {
  return (await gates.list()).flatMap((gate) => {
    const { state, by = "", reason = "" } = gate;
    return state === "paused" ? [{ ...gate, by, reason }] : [];
  });
}

/** The pause that keeps what a feed, or single requests, put into a pool. */
async function pauseOf(
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
  const [, kind, name] = /^(pool|feed|run):(.*)$/s.exec(gate) ?? [];
  return kind === undefined ? "everything" : `${kind} ${name}`;
}

export function pausedSentence({ gate, since, by, reason }: PausedGate): Sentence {
  const [, kind, name = ""] = /^(pool|feed):(.*)$/s.exec(gate) ?? [];
  const which = kind === undefined ? [] : [`--${kind}`, name];
  const at = new Date(since).toISOString();
  const paused = `${capitalised(gateName(gate))} is paused since ${at} by ${by}: ${reason}.`;
  return sentence`${paused} Let it go on with ${nextStep("resume", ...which)}.`;
}

/** A line for those who look at a process. */
export function pauseNote({ gate, by = "", reason = "" }: ClosedGate): string {
  return `${gateName(gate)} is paused by ${by}: ${reason}`;
}

/** Throws an AppError `paused` where what is put would be kept. */
export async function demandNoPause(
  store: Pick<Store, "gates">,
  where: { readonly pool: string; readonly feed?: string },
): Promise<void> {
  const paused = await pauseOf(store, where);
  if (paused !== undefined) throw new AppError("paused", pausedSentence(paused));
}
