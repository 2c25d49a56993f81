/**
 * Whether a process takes work of one pool, as a pure state machine. delivery/gate.ts carries it out.
 *
 * | state     | takes work           | what leads out of it                                                 |
 * | --------- | -------------------- | -------------------------------------------------------------------- |
 * | `taking`  | yes                  | `refused`, `on-hold`, `full`: to `paused`; `stop`                    |
 * | `paused`  | not for a while      | `due`, or `lifted` while its credentials are good: to `taking`; `stop` |
 * | `stopped` | never again          | nothing                                                              |
 *
 * Two troubles are known beside the state, and outlive a pause, because only a success proves that they are over:
 *
 * - `refusedAs`: the credentials of this process were refused, from `refused` until `answered`. Each refusal that pauses
 *   makes the next pause twice as long. In a pause more refusals are those of the other calls that were in flight.
 * - `isFull`: Redis takes no changes, from `full` until `roomy`.
 *
 * A pause that has begun is neither lengthened nor begun anew.
 */
export interface GateState {
  readonly is: "taking" | "paused" | "stopped";
  /** The failure kind as which this process was refused. */
  readonly refusedAs?: string;
  readonly isFull: boolean;
  /** How long the next pause of a refusal is. */
  readonly nextPauseMs: number;
}

export type GateEvent =
  /** Cognito refuses this process, whatever it asks for. */
  | { readonly is: "refused"; readonly kind: string }
  /** The pool is on hold, and is looked at again after so long. */
  | { readonly is: "on-hold"; readonly forMs: number }
  /** Redis is full. */
  | { readonly is: "full" }
  /** Redis takes changes. */
  | { readonly is: "roomy" }
  /** A call went through as far as the user. */
  | { readonly is: "answered" }
  /** The pool's hold is lifted. */
  | { readonly is: "lifted" }
  /** The pause has lasted its time. */
  | { readonly is: "due" }
  | { readonly is: "stop" };

export const FIRST_PAUSE_MS = 5_000;
export const LONGEST_PAUSE_MS = 60_000;

export const NEW_GATE: GateState = { is: "taking", isFull: false, nextPauseMs: FIRST_PAUSE_MS };

/** What an event makes of the state. `pauseMs` is there where a pause begins. */
export function nextGate(state: GateState, event: GateEvent): { readonly state: GateState; readonly pauseMs?: number } {
  switch (event.is) {
    case "refused": {
      const refused = { ...state, refusedAs: event.kind };
      if (state.is === "paused") return { state: refused };
      const nextPauseMs = Math.min(state.nextPauseMs * 2, LONGEST_PAUSE_MS);
      return paused({ ...refused, nextPauseMs }, state.nextPauseMs);
    }
    case "on-hold":
      return paused(state, event.forMs);
    case "full":
      return paused({ ...state, isFull: true }, FIRST_PAUSE_MS);
    case "roomy":
      return { state: { ...state, isFull: false } };
    case "answered": {
      const { refusedAs: _over, ...rest } = state;
      return { state: { ...rest, nextPauseMs: FIRST_PAUSE_MS } };
    }
    case "lifted":
      return { state: state.refusedAs === undefined ? resumed(state) : state };
    case "due":
      return { state: resumed(state) };
    case "stop":
      return { state: { ...state, is: "stopped" } };
  }
}

function paused(state: GateState, pauseMs: number): { readonly state: GateState; readonly pauseMs?: number } {
  return state.is === "taking" ? { state: { ...state, is: "paused" }, pauseMs } : { state };
}

function resumed(state: GateState): GateState {
  return state.is === "paused" ? { ...state, is: "taking" } : state;
}
