/**
 * The port to gates (core/gate.ts). Those of runs are set where a run's state changes (runs.ts), in the same step; here
 * feeds, pools and everything are paused. What a gate keeps leaves the due users and stands in a set of that gate: see
 * `release` and `sortOut` of mailboxes.ts.
 */
import type { GateState } from "../core/gate.ts";

export interface ClosedGate {
  /** As core/gate.ts names it. */
  readonly gate: string;
  readonly state: GateState;
  /** Epoch ms, by the store's clock. */
  readonly since: number;
  /** Who has paused it, and why; absent for the gates of runs. */
  readonly by?: string;
  readonly reason?: string;
}

export interface Gates {
  /** Pauses what the gate stands before; one that is closed stays as it is. Answers true where it was open. */
  pause(gate: string, pause: { readonly by: string; readonly reason: string }): Promise<boolean>;
  /** Opens a gate that was paused. Answers true where it was. */
  resume(gate: string): Promise<boolean>;
  /** All that are closed, the oldest first. */
  list(): Promise<readonly ClosedGate[]>;
  /** How many users a gate keeps, of those that were met since it was closed. */
  kept(gate: string): Promise<number>;
  /** Some of these users, `limit` at most, by their keys: in the order of these. */
  keptUsers(gate: string, limit: number): Promise<readonly string[]>;
  /** Gates that are open, and still keep users: somebody was to release them, and did not come to the end. */
  opened(): Promise<readonly string[]>;
}
