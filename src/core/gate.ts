/**
 * Gates keep what was put from being sent: of a run, a feed, a pool, or of everything. Each is one record; put, claim,
 * settle and replay read it in the step that writes, so that it holds from the moment in which it is set.
 *
 * - `cancelled`: what belongs to the run is discarded when it is met.
 * - `waiting`: a run waits for an approval, and what belongs to it is kept.
 * - `paused`: somebody has paused the feed, the pool or everything, and what belongs to it is kept.
 *
 * A gate is no hold: no probe goes through it, and nothing lifts it but a person.
 */
export const GATE_STATES = ["cancelled", "waiting", "paused"] as const;
export type GateState = (typeof GATE_STATES)[number];

/** The gate of everything. */
export const ALL = "all";
/** Names of gates, under which stores keep them. */
export const runGate = (run: string): string => `run:${run}`;
export const feedGate = (feed: string): string => `feed:${feed}`;
export const poolGate = (pool: string): string => `pool:${pool}`;
/** Keeps nothing that was put: while it is closed a feed's schedule is left out. */
export const scheduleGate = (feed: string): string => `schedule:${feed}`;

/** May what belongs to a run be sent? `closed`: it is kept, by the gate of this name. */
export type Passage =
  | { readonly is: "open" }
  | { readonly is: "cancelled" }
  | { readonly is: "closed"; readonly gate: string };

export type PassageOf = (run: string) => Passage;

export const OPEN: Passage = { is: "open" };

/** The gates that a run stands behind. The first that is not open decides. */
export function gatesOf({ id, feed, pool }: { readonly id: string; readonly feed: string; readonly pool: string }) {
  return [runGate(id), ALL, poolGate(pool), feedGate(feed)] as const;
}

/** What the gates of a run make of it. */
export function passage(gates: readonly string[], stateOf: (gate: string) => GateState | undefined): Passage {
  for (const gate of gates) {
    const state = stateOf(gate);
    if (state === "cancelled") return { is: "cancelled" };
    if (state !== undefined) return { is: "closed", gate };
  }
  return OPEN;
}
