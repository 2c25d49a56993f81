/** The verdicts on floods and on a queue: a small world that keeps them, and what breaks each. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FLOOD_LETTER, FLOOD_LIMIT } from "./events.ts";
import { judgeFloods, judgeQueue, type FloodedFacts, type QueuedFacts } from "./flooded.ts";
import type { Flood } from "./floods.ts";
import { createModel, ordinalOf, valueOf, type LoggedWrite, type SentChange } from "./model.ts";
import type { SentMessage } from "./queue.ts";

const NOW = 1_800_000_000_000;
const DECIDED = NOW + 5_000;
const PEOPLE = FLOOD_LIMIT + 3;

const changeOf = (number: number): SentChange => ({
  id: `${FLOOD_LETTER}.${number}`,
  username: `u${number}`,
  attributes: ["given_name"],
  ordinal: ordinalOf(NOW + number, 0),
  once: true,
  sentAt: NOW,
  times: 1,
});
const writeOf = ({ id, username }: SentChange, at: number): LoggedWrite => ({
  seq: at,
  at,
  username,
  attributes: { given_name: valueOf(id, "given_name") },
});

/** As many as the guard lets through are written, the others wait, and then it is decided. */
function flood(decided: Flood["decided"], more: Partial<FloodedFacts> = {}): FloodedFacts {
  const changes = Array.from({ length: PEOPLE }, (_, number) => changeOf(number));
  const [early, held] = [changes.slice(0, FLOOD_LIMIT), changes.slice(FLOOD_LIMIT)];
  const writes = [
    ...early.map((one) => writeOf(one, NOW + 100)),
    ...(decided === "approve" ? held.map((one) => writeOf(one, DECIDED + 100)) : []),
  ];
  const decisions = [{ run: "r-held", begunAt: DECIDED }];
  return {
    floods: [{ decided, changes, begunAt: NOW, endedAt: DECIDED + 1_000, decisions }],
    model: createModel(),
    writes,
    losses: [],
    runs: [
      { run: "r-day", state: "finished", received: early.length },
      { run: "r-held", state: decided === "approve" ? "finished" : "cancelled", received: held.length },
    ],
    killed: 0,
    ...more,
  };
}

describe("the verdict on floods", () => {
  for (const decided of ["approve", "cancel"] as const) {
    test(`holds where what waited is written only once it was approved (${decided})`, () => {
      const { holds, broken } = judgeFloods(flood(decided));
      assert.deepEqual([holds, broken], [true, []]);
    });
  }

  const [beyond, last] = [changeOf(FLOOD_LIMIT), changeOf(PEOPLE - 1)];
  const sound = flood("approve");
  const breaks: readonly (readonly [string, FloodedFacts])[] = [
    [
      "somebody beyond the guard is written before",
      flood("approve", { writes: [writeOf(beyond, NOW + 200), ...sound.writes] }),
    ],
    ["somebody's newest value is not written", flood("approve", { writes: sound.writes.slice(0, -1) })],
    [
      "something cancelled is written",
      flood("cancel", { writes: [...flood("cancel").writes, writeOf(last, DECIDED + 1)] }),
    ],
    ["nobody is asked", flood("approve", { floods: sound.floods.map((one) => ({ ...one, decisions: [] })) })],
    [
      "a unit is received twice",
      flood("approve", { runs: sound.runs.map((one) => ({ ...one, received: one.received + 1 })) }),
    ],
    ["a run waits still", flood("approve", { runs: sound.runs.map((one) => ({ ...one, state: "needs-approval" })) })],
    ["there was no flood", flood("approve", { floods: [], runs: [] })],
  ];
  for (const [what, facts] of breaks) {
    test(`does not hold where ${what}`, () => assert.equal(judgeFloods(facts).holds, false));
  }
});

describe("the verdict on a queue", () => {
  const message = (more: Partial<SentMessage> = {}): SentMessage => ({
    body: "{}",
    change: { id: "q.1", username: "u1", attributes: ["given_name"] },
    times: 1,
    received: 2,
    receivedAt: NOW,
    deletedAt: NOW + 10,
    ...more,
  });
  const { change: _, ...unreadable } = message();
  const facts: QueuedFacts = {
    messages: [message(), unreadable],
    model: createModel(),
    left: 0,
    parked: 1,
    faults: {},
  };

  test("holds where each message was received and deleted, and what cannot be read is parked", () => {
    assert.deepEqual(judgeQueue(facts).broken, []);
  });
  const { deletedAt: __, ...kept } = message();
  const breaks: readonly (readonly [string, Partial<QueuedFacts>])[] = [
    ["a message is left", { left: 1 }],
    ["one was never received", { messages: [message({ received: 0 }), unreadable] }],
    ["one was never deleted", { messages: [kept, unreadable] }],
    ["something else is parked", { parked: 2 }],
    ["what cannot be read is nowhere", { parked: 0 }],
    ["none was sent", { messages: [], parked: 0 }],
  ];
  for (const [what, more] of breaks) {
    test(`does not hold where ${what}`, () => assert.equal(judgeQueue({ ...facts, ...more }).holds, false));
  }
});
