/** A feed finds people by an attribute of the pool: while its changes wait, that may pass to another as an address does. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { isComplete, type RunSummary } from "../../src/app/runs/run-summary.ts";
import { until } from "../support/condition.ts";
import { setPeople, STALE_MS, type People } from "../support/people-stage.ts";
import { POOL } from "../support/pool-stage.ts";

const FEED = `pool: ${POOL}, username: Id, match: "custom:employee_id", attributes: { given_name: Name }`;

/** Two people with numbers of their own. */
async function setTwo(t: TestContext, mutable: boolean, movesClock = true): Promise<People> {
  const pool = { schema: [{ name: "employee_id", mutable }], aliasAttributes: ["email" as const] };
  const people = await setPeople(t, { pool, movesClock, config: `feeds: { hr: { ${FEED} } }\n` });
  people.add("alee", { "custom:employee_id": "7" });
  people.add("achu", { "custom:employee_id": "8" });
  return people;
}

const sync = async (people: People, name: string, drain = new AbortController().signal): Promise<RunSummary> =>
  people.sync(await people.file(`Id,Name\n7,${name}\n`), { feed: "hr", drain });

/** Put, and not delivered: Cognito throttles, and somebody interrupts. */
async function queue(people: People, name: string): Promise<void> {
  const stop = new AbortController();
  people.emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "TooManyRequestsException" });
  const syncing = sync(people, name, stop.signal);
  await until("a call was throttled", () => people.emulator.faults.rules.some(({ fired }) => fired > 0));
  stop.abort();
  await assert.rejects(syncing, { kind: "interrupted", category: "interrupted" });
  people.emulator.faults.clear();
}

async function passOn(people: People): Promise<void> {
  await people.byHand("alee", { "custom:employee_id": "9" });
  await people.byHand("achu", { "custom:employee_id": "7" });
}

const looks = ({ emulator }: People): number => emulator.counters.operations["ListUsers"]?.calls ?? 0;

describe("an attribute by which a feed finds people", () => {
  test("is its new owner's in the next file", async (t) => {
    const people = await setTwo(t, true, false);
    assert.ok(isComplete(await sync(people, "First")));
    await passOn(people);
    assert.ok(isComplete(await sync(people, "Second")));
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["First", "Second"]);
  });

  test("is nobody's for what waited while it passed on", async (t) => {
    const people = await setTwo(t, true);
    await queue(people, "First");
    await passOn(people);
    people.clock.pass(STALE_MS);
    await people.deliver();
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["", ""]);
    assert.deepEqual(await people.letters(), ["user-not-found no-longer-theirs 1"]);
  });

  for (const [mutable, title] of [
    [true, "is looked at again before the call"],
    [false, "is not looked at again where the pool never changes it"],
  ] as const) {
    test(title, async (t) => {
      const people = await setTwo(t, mutable);
      await queue(people, "First");
      people.clock.pass(STALE_MS);
      const before = looks(people);
      await people.deliver();
      assert.deepEqual(people.have("given_name", "alee", "achu"), ["First", ""]);
      assert.equal(looks(people) > before, mutable);
    });
  }

  test("says nothing of an account that was made anew with the same one", async (t) => {
    const people = await setTwo(t, false);
    await queue(people, "First");
    people.remove("alee");
    people.add("alee", { "custom:employee_id": "7" });
    people.clock.pass(STALE_MS);
    await people.deliver();
    assert.deepEqual(people.have("given_name", "alee"), [""]);
    assert.ok(isComplete(await sync(people, "Second")));
    assert.deepEqual(people.have("given_name", "alee"), ["Second"]);
  });
});
