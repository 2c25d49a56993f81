/** Gates in the model test: they are closed and opened between any steps, and users are brought to where they stand. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { runGate } from "../../src/core/gate.ts";
import type { Store } from "../../src/store/store.ts";
import { command, GATES, type Model, POOLS, RUNS, sameDocuments, USERS } from "./model-step.ts";

const anyGate = fc.constantFrom(...GATES);
const BY = { by: "zofia", reason: 'a "reason"' };

const pause = anyGate.chain((gate) =>
  command(`pause ${gate}`, async (model, store) => {
    assert.equal(await store.gates.pause(gate, BY), await model.memory.store.gates.pause(gate, BY));
  }),
);

const resume = anyGate.chain((gate) =>
  command(`resume ${gate}`, async (model, store) => {
    assert.equal(await store.gates.resume(gate), await model.memory.store.gates.resume(gate));
  }),
);

/** A run waits for an approval, with what it has put, and goes on. */
const approval = fc
  .constantFrom<["needs-approval" | "reading", string][]>(["needs-approval", "waits"], ["reading", "is approved"])
  .chain(([to, said]) =>
    command(`${RUNS[0]} ${said}`, async (model, store) => {
      const from = [to === "reading" ? "needs-approval" : "reading"] as const;
      const turned = await model.memory.store.runs.transition(RUNS[0], from, to);
      assert.equal(await store.runs.transition(RUNS[0], from, to), turned);
    }),
  );

export async function releaseBoth(model: Model, store: Store, gate: string): Promise<void> {
  const byUser = (due: Awaited<ReturnType<Store["mailboxes"]["release"]>>) =>
    due.toSorted((a, b) => (a.user < b.user ? -1 : 1));
  const answer = byUser(await model.memory.store.mailboxes.release(gate, 100));
  assert.deepEqual(byUser(await store.mailboxes.release(gate, 100)), answer);
  await sameDocuments(model, store, USERS);
}

const release = fc
  .constantFrom(...GATES, runGate(RUNS[0]))
  .chain((gate) => command(`release ${gate}`, (model, store) => releaseBoth(model, store, gate)));

const anyWhose = fc.oneof(
  fc.constantFrom(...POOLS).map((pool) => ({ pool })),
  fc.constantFrom(...GATES, runGate(RUNS[0])).map((gate) => ({ gate })),
);
const sortOut = anyWhose.chain((whose) =>
  command(`sort out ${JSON.stringify(whose)}`, async (model, store) => {
    const page = { offset: 0, limit: 100 };
    const answer = await model.memory.store.mailboxes.sortOut(whose, page);
    assert.deepEqual(await store.mailboxes.sortOut(whose, page), answer);
    await sameDocuments(model, store, USERS);
  }),
);

export const gateSteps = [pause, resume, approval, release, sortOut];
