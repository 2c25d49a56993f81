/** The verdict on events: a small world that keeps it, and what breaks it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventId, sealEvent } from "../../src/store/sealed-event.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { testKeyring } from "../support/keyring.ts";
import { judgeArrived, lookAtInbox, type ArrivedFacts } from "./arrived.ts";
import { createEventLoad, eventFeedOf, isNever, type EventKind } from "./events.ts";
import { NO_EVIDENCE } from "./evidence.ts";
import { noGates } from "./gate-records.ts";
import { createModel, ordinalOf, valueOf } from "./model.ts";
import type { SentEvent } from "./sender.ts";
import { POOL } from "./service.ts";
import type { Standing } from "./verdict.ts";

const NOW = 1_800_000_000_000;
const none = { headers: () => ({}), body: Buffer.from("{}"), changes: [], tries: 1 } as const;
const sent = (id: string, kind: EventKind, statuses: number[], more: Partial<SentEvent> = {}): SentEvent => {
  return { ...none, id, feed: "hooks", kind, statuses, wholeAt: NOW, ...more };
};
const ACKED = { acked: { begunAt: NOW, at: NOW + 10 } };

/** One event was sent twice and put, one is parked, and others were refused or cut; a job was moved. */
async function world() {
  const { store } = openMemoryStore(NOW);
  const keyring = testKeyring();
  const model = createModel();
  const change = { username: "ann", attributes: ["given_name"], once: true } as const;
  for (const id of ["h.1", "j.2"]) {
    model.sent({ ...change, id, ordinal: ordinalOf(NOW, Number(id.at(-1))) }, NOW);
    model.acked(id, NOW + 10);
  }
  const events = [
    sent("evt-1", "sound", [503, 200], { ...ACKED, tries: 2 }),
    sent("evt-2", "parked", [200], { ...ACKED, parkedAs: "no-column" }),
    sent("evt-3", "forged", [401]),
    sent("evt-4", "cut", []),
  ];
  const jobs = [{ change: { ...change, id: "j.2" }, order: { id: "j.2", data: {} } }];
  for (const [feed, id] of [
    ["hooks", "evt-1"],
    ["hooks", "evt-2"],
    [POOL, "j.2"],
  ] as const) {
    const scheme = feed === POOL ? "job" : "standard-webhooks";
    const entry = eventId(keyring, { feed, scheme }, id);
    const body = sealEvent(keyring, entry, { feed, scheme, contentType: "", body: none.body });
    await store.inbox.add([{ id: entry, feed, body }], { entries: 10, bytes: 10_000 });
    await store.inbox.take(id, { leaseMs: 1_000, limit: 10, maxBytes: 10_000 });
    if (id === "evt-2") await store.inbox.park({ token: id, ids: [entry] }, "no-column");
    const units = [{ name: "given_name", ordinal: ordinalOf(NOW, 1), digest: "", body: "" }];
    const changes = [{ user: "ann", username: "ann", units }];
    await store.runs.begin({ id: feed, source: "events", pool: POOL, feed, identity: feed, asOf: NOW });
    const entries = { token: id, ids: [entry] };
    const page = { pool: POOL, run: feed, priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 }, entries };
    if (id !== "evt-2") await store.mailboxes.put(page);
  }
  const standing: Standing = {
    model,
    engine: { store },
    writes: [{ seq: 1, at: NOW, username: "ann", attributes: { given_name: valueOf("h.1", "given_name") } }],
    attributes: new Map(),
    states: new Map(),
    userKeys: new Map(),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
  };
  const queues = { queue: () => ({ getJobCounts: async () => ({ waiting: 0 }) }) } as never;
  const engine = { kind: "redis" as const, store, keyring, queues };
  const facts = await lookAtInbox(engine, { events, toGarbage: [400], jobs }, []);
  return { standing, facts, model };
}

describe("what events leave behind", () => {
  test("holds where each is a change, parked or refused", async () => {
    const { standing, facts } = await world();
    const { broken, holds, facts: told } = judgeArrived(standing, facts);
    assert.deepEqual(broken, []);
    assert.ok(holds);
    assert.deepEqual(told, {
      events: 4,
      acknowledged: 2,
      sentAgain: 1,
      keptUnanswered: 0,
      refused: 1,
      cut: 1,
      maybeLost: 0,
      answersToGarbage: 1,
      jobs: 1,
      parked: 1,
      units: 2,
    });
  });

  const breaks: Record<string, [change: (facts: ArrivedFacts) => Partial<ArrivedFacts>, says: RegExp]> = {
    "an acknowledged one is not known": [
      ({ arrivedAt }) => ({ arrivedAt: new Map([...arrivedAt].filter(([id]) => id !== "evt-1")) }),
      /evt-1 was acknowledged .* does not know it/,
    ],
    "one arrived after its answer": [
      ({ arrivedAt }) => ({ arrivedAt: new Map([...arrivedAt, ["evt-1", NOW + 500]]) }),
      /evt-1 was sent from .* and arrived at/,
    ],
    "a forged one is known": [
      ({ arrivedAt }) => ({ arrivedAt: new Map([...arrivedAt, ["evt-3", NOW]]) }),
      /evt-3, which is forged, arrived/,
    ],
    "a cut one is known": [
      ({ arrivedAt }) => ({ arrivedAt: new Map([...arrivedAt, ["evt-4", NOW]]) }),
      /evt-4, which is cut, arrived/,
    ],
    "a forged one was taken": [
      ({ events }) => ({ events: [...events, sent("evt-5", "forged", [200])] }),
      /evt-5, which is forged, was answered with 200/,
    ],
    "a genuine one was refused for good": [
      ({ events }) => ({ events: [...events, sent("evt-5", "sound", [503, 401])] }),
      /evt-5, which is genuine, was answered with 401/,
    ],
    "one is parked that was to be put": [
      ({ parked }) => ({ parked: new Map([...parked, ["evt-1", "unreadable"]]) }),
      /evt-1 is parked as unreadable, and was to be not parked/,
    ],
    "one is parked that nobody sent": [
      ({ parked }) => ({ parked: new Map([...parked, ["stray", "unreadable"]]) }),
      /stray is parked as unreadable, and was not to be/,
    ],
    "a job was lost": [
      ({ arrivedAt }) => ({ arrivedAt: new Map([...arrivedAt].filter(([id]) => id !== "j.2")) }),
      /the job j.2 was added/,
    ],
    "garbage was taken": [() => ({ toGarbage: [200] }), /bytes that are no event were answered with 200/],
    "an event counts twice": [
      ({ received }) => ({ received: new Map([...received, ["hooks", 2]]) }),
      /hooks's events received 2 units, and 1 to 1 were sent/,
    ],
    "an event is not counted": [
      ({ received }) => ({ received: new Map([...received, [POOL, 0]]) }),
      /events received 0 units, and 1 to 1/,
    ],
    "something waits": [({ counts }) => ({ counts: { ...counts, taken: 1 } }), /0 that wait, 0 ahead and 1 taken/],
    "a place was lost": [() => ({ verified: { lost: 1, miscounted: 0 } }), /had lost 1 places/],
    "a job is left": [() => ({ jobsLeft: 1 }), /1 jobs are left/],
    "nothing was sent": [() => ({ events: [] }), /no event was acknowledged/],
  };
  for (const [what, [change, says]] of Object.entries(breaks)) {
    test(`breaks where ${what}`, async () => {
      const { standing, facts } = await world();
      const { holds, broken } = judgeArrived(standing, { ...facts, ...change(facts) });
      assert.ok(!holds);
      assert.match(broken.join("\n"), says);
    });
  }

  test("breaks where a value of what is no event was written", async () => {
    const { standing, facts } = await world();
    const write = { seq: 2, at: NOW, username: "ann", attributes: { given_name: valueOf("x.9", "given_name") } };
    const { broken } = judgeArrived({ ...standing, writes: [...standing.writes, write] }, facts);
    assert.match(broken.join("\n"), /ann's given_name is x.9/);
  });

  test("excuses what a loss may have taken, and nothing else", async () => {
    const { standing, facts, model } = await world();
    model.lost({ from: NOW + 5, to: NOW + 20, why: "power cut" });
    const forgotten = { ...facts, arrivedAt: new Map<string, number>(), received: new Map<string, number>() };
    assert.deepEqual(judgeArrived(standing, { ...forgotten, parked: new Map() }).broken, []);
    const earlier = sent("evt-6", "sound", [200], { wholeAt: NOW - 100, acked: { begunAt: NOW - 100, at: NOW - 90 } });
    const { broken } = judgeArrived(standing, { ...facts, events: [...facts.events, earlier] });
    assert.match(broken.join("\n"), /evt-6 was acknowledged/);
  });
});

describe("what senders say", () => {
  test("has no version twice for one person and attribute, and nothing genuine in what is none", () => {
    const load = createEventLoad(7, ["ann", "bo", "cy", "di"]);
    const said = new Set<string>();
    const kinds = new Set<EventKind>();
    for (let count = 0; count < 2_000; count += 1) {
      const { kind, changes, feed } = load.event(NOW + count * 20);
      kinds.add(kind);
      for (const { id, username, ordinal } of [...changes, load.job(NOW + count * 20).change]) {
        assert.ok(eventFeedOf(id) !== undefined && !isNever(id));
        assert.ok(!said.has(`${username} ${ordinal}`), `${id} of ${feed} repeats a version`);
        said.add(`${username} ${ordinal}`);
      }
      assert.ok(kind === "sound" || kind === "partly" ? changes.length > 0 : changes.length === 0);
    }
    assert.equal(kinds.size, 7);
  });
});
