import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  FIRST_PAUSE_MS,
  LONGEST_PAUSE_MS,
  NEW_GATE,
  nextGate,
  type GateEvent,
  type GateState,
} from "../../src/core/delivery-gate.ts";

const refused: GateEvent = { is: "refused", kind: "credentials" };
const onHold: GateEvent = { is: "on-hold", forMs: 700 };
const [full, roomy, answered, lifted, due, stop] = (
  ["full", "roomy", "answered", "lifted", "due", "stop"] as const
).map((is): GateEvent => ({ is })) as [GateEvent, GateEvent, GateEvent, GateEvent, GateEvent, GateEvent];

/** The state after some events, and how long each pause was that they began. */
function after(events: readonly GateEvent[]): { readonly state: GateState; readonly pauses: readonly number[] } {
  let state = NEW_GATE;
  const pauses: number[] = [];
  for (const event of events) {
    const { state: next, pauseMs } = nextGate(state, event);
    if (pauseMs !== undefined) pauses.push(pauseMs);
    state = next;
  }
  return { state, pauses };
}

describe("the gate of a delivery", () => {
  const table: readonly (readonly [
    title: string,
    events: readonly GateEvent[],
    state: Partial<GateState>,
    pauses: readonly number[],
  ])[] = [
    ["takes work at first", [], { is: "taking", isFull: false }, []],
    ["pauses where the process is refused", [refused], { is: "paused", refusedAs: "credentials" }, [FIRST_PAUSE_MS]],
    ["takes work again when the pause is over", [refused, due], { is: "taking", refusedAs: "credentials" }, [5000]],
    [
      "takes a second refusal in a pause for the same",
      [refused, refused],
      { is: "paused", nextPauseMs: 10_000 },
      [5000],
    ],
    ["pauses twice as long after the next refusal", [refused, due, refused], { is: "paused" }, [5000, 10_000]],
    [
      "pauses no longer than the longest",
      [refused, due, refused, due, refused, due, refused, due, refused],
      { nextPauseMs: LONGEST_PAUSE_MS },
      [5000, 10_000, 20_000, 40_000, LONGEST_PAUSE_MS],
    ],
    [
      "forgets a refusal when a call went through",
      [refused, due, answered],
      { is: "taking", nextPauseMs: 5000 },
      [5000],
    ],
    [
      "stays paused when a call of before went through",
      [refused, answered],
      { is: "paused", nextPauseMs: 5000 },
      [5000],
    ],
    ["pauses while the pool is on hold, as long as is said", [onHold], { is: "paused" }, [700]],
    ["does not lengthen a pause", [onHold, full], { is: "paused", isFull: true }, [700]],
    ["resumes when the hold is lifted", [onHold, lifted], { is: "taking" }, [700]],
    ["stays paused when a hold is lifted and the process is refused", [refused, lifted], { is: "paused" }, [5000]],
    ["is not moved by a lift while it takes work", [lifted], { is: "taking" }, []],
    ["pauses while Redis is full", [full], { is: "paused", isFull: true }, [FIRST_PAUSE_MS]],
    ["is full until Redis takes changes", [full, due], { is: "taking", isFull: true }, [5000]],
    ["is full no more once Redis takes changes", [full, due, roomy], { is: "taking", isFull: false }, [5000]],
    ["stops for good", [stop, refused, due, lifted], { is: "stopped" }, []],
    ["stops in a pause", [onHold, stop, due], { is: "stopped" }, [700]],
  ];
  for (const [title, events, state, pauses] of table) {
    test(title, () => {
      const reached = after(events);
      assert.deepEqual({ ...reached.state, ...state }, reached.state);
      assert.deepEqual(reached.pauses, pauses);
    });
  }

  test("says no refusal once a call went through", () => {
    assert.equal(after([refused, answered]).state.refusedAs, undefined);
  });
});
