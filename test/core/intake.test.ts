import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  FIRST_REST_MS,
  LONGEST_REST_MS,
  NEW_INTAKE,
  nextIntake,
  type IntakeEvent,
  type IntakeState,
} from "../../src/core/intake.ts";

const refused: IntakeEvent = { is: "refused", kind: "credentials" };
const onHold: IntakeEvent = { is: "on-hold", forMs: 700 };
const [full, roomy, answered, lifted, due, stop] = (
  ["full", "roomy", "answered", "lifted", "due", "stop"] as const
).map((is): IntakeEvent => ({ is })) as [IntakeEvent, IntakeEvent, IntakeEvent, IntakeEvent, IntakeEvent, IntakeEvent];

/** The state after some events, and how long each rest was that they began. */
function after(events: readonly IntakeEvent[]): { readonly state: IntakeState; readonly rests: readonly number[] } {
  let state = NEW_INTAKE;
  const rests: number[] = [];
  for (const event of events) {
    const { state: next, restMs } = nextIntake(state, event);
    if (restMs !== undefined) rests.push(restMs);
    state = next;
  }
  return { state, rests };
}

describe("the intake of a delivery", () => {
  const table: readonly (readonly [
    title: string,
    events: readonly IntakeEvent[],
    state: Partial<IntakeState>,
    rests: readonly number[],
  ])[] = [
    ["takes work at first", [], { is: "taking", isFull: false }, []],
    ["rests where the process is refused", [refused], { is: "resting", refusedAs: "credentials" }, [FIRST_REST_MS]],
    ["takes work again when the rest is over", [refused, due], { is: "taking", refusedAs: "credentials" }, [5000]],
    [
      "takes a second refusal in a rest for the same",
      [refused, refused],
      { is: "resting", nextRestMs: 10_000 },
      [5000],
    ],
    ["rests twice as long after the next refusal", [refused, due, refused], { is: "resting" }, [5000, 10_000]],
    [
      "rests no longer than the longest",
      [refused, due, refused, due, refused, due, refused, due, refused],
      { nextRestMs: LONGEST_REST_MS },
      [5000, 10_000, 20_000, 40_000, LONGEST_REST_MS],
    ],
    [
      "forgets a refusal when a call went through",
      [refused, due, answered],
      { is: "taking", nextRestMs: 5000 },
      [5000],
    ],
    [
      "stays at rest when a call of before went through",
      [refused, answered],
      { is: "resting", nextRestMs: 5000 },
      [5000],
    ],
    ["rests while the pool is on hold, as long as is said", [onHold], { is: "resting" }, [700]],
    ["does not lengthen a rest", [onHold, full], { is: "resting", isFull: true }, [700]],
    ["resumes when the hold is lifted", [onHold, lifted], { is: "taking" }, [700]],
    ["stays at rest when a hold is lifted and the process is refused", [refused, lifted], { is: "resting" }, [5000]],
    ["is not moved by a lift while it takes work", [lifted], { is: "taking" }, []],
    ["rests while Redis is full", [full], { is: "resting", isFull: true }, [FIRST_REST_MS]],
    ["is full until Redis takes changes", [full, due], { is: "taking", isFull: true }, [5000]],
    ["is full no more once Redis takes changes", [full, due, roomy], { is: "taking", isFull: false }, [5000]],
    ["stops for good", [stop, refused, due, lifted], { is: "stopped" }, []],
    ["stops in a rest", [onHold, stop, due], { is: "stopped" }, [700]],
  ];
  for (const [title, events, state, rests] of table) {
    test(title, () => {
      const reached = after(events);
      assert.deepEqual({ ...reached.state, ...state }, reached.state);
      assert.deepEqual(reached.rests, rests);
    });
  }

  test("says no refusal once a call went through", () => {
    assert.equal(after([refused, answered]).state.refusedAs, undefined);
  });
});
