/**
 * Whether a process takes work of one pool, as a pure state machine. delivery/intake.ts carries it out.
 *
 * | state     | takes work           | what leads out of it                                                 |
 * | --------- | -------------------- | -------------------------------------------------------------------- |
 * | `taking`  | yes                  | `refused`, `on-hold`, `full`: to `resting`; `stop`                   |
 * | `resting` | not for a while      | `due`, or `lifted` while its credentials are good: to `taking`; `stop` |
 * | `stopped` | never again          | nothing                                                              |
 *
 * Two troubles are known beside the state, and outlive a rest, because only a success proves that they are over:
 *
 * - `refusedAs`: the credentials of this process were refused, from `refused` until `answered`. Each refusal that has it rest
 *   makes the next rest twice as long. In a rest more refusals are those of the other calls that were in flight.
 * - `isFull`: Redis takes no changes, from `full` until `roomy`.
 *
 * A rest that has begun is neither lengthened nor begun anew.
 */
export interface IntakeState {
  readonly is: "taking" | "resting" | "stopped";
  /** The failure kind as which this process was refused. */
  readonly refusedAs?: string;
  readonly isFull: boolean;
  /** How long the next rest of a refusal is. */
  readonly nextRestMs: number;
}

export type IntakeEvent =
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
  /** The rest has lasted its time. */
  | { readonly is: "due" }
  | { readonly is: "stop" };

export const FIRST_REST_MS = 5_000;
export const LONGEST_REST_MS = 60_000;

export const NEW_INTAKE: IntakeState = { is: "taking", isFull: false, nextRestMs: FIRST_REST_MS };

/** What an event makes of the state. `restMs` is there where a rest begins. */
export function nextIntake(
  state: IntakeState,
  event: IntakeEvent,
): { readonly state: IntakeState; readonly restMs?: number } {
  switch (event.is) {
    case "refused": {
      const refused = { ...state, refusedAs: event.kind };
      if (state.is === "resting") return { state: refused };
      const nextRestMs = Math.min(state.nextRestMs * 2, LONGEST_REST_MS);
      return rested({ ...refused, nextRestMs }, state.nextRestMs);
    }
    case "on-hold":
      return rested(state, event.forMs);
    case "full":
      return rested({ ...state, isFull: true }, FIRST_REST_MS);
    case "roomy":
      return { state: { ...state, isFull: false } };
    case "answered": {
      const { refusedAs: _over, ...rest } = state;
      return { state: { ...rest, nextRestMs: FIRST_REST_MS } };
    }
    case "lifted":
      return { state: state.refusedAs === undefined ? resumed(state) : state };
    case "due":
      return { state: resumed(state) };
    case "stop":
      return { state: { ...state, is: "stopped" } };
  }
}

function rested(state: IntakeState, restMs: number): { readonly state: IntakeState; readonly restMs?: number } {
  return state.is === "taking" ? { state: { ...state, is: "resting" }, restMs } : { state };
}

function resumed(state: IntakeState): IntakeState {
  return state.is === "resting" ? { ...state, is: "taking" } : state;
}
