import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Unit } from "../../src/core/unit.ts";
import type { ChangeResult, Submitted } from "../../src/delivery/direct.ts";
import type { Pool } from "../../src/delivery/pool.ts";
import { contact, text, type OpenStage } from "../support/delivery-stage.ts";

const WAIT = { waitMs: 20_000, signal: new AbortController().signal };

async function submit(pool: Pool, username: string, units: readonly Unit[]): Promise<Submitted> {
  const direct = pool.direct();
  const checked = direct.check({ username, units });
  assert.ok("sound" in checked);
  assert.deepEqual(checked.invalid, []);
  return direct.submit(checked.sound, { wake: false });
}

async function update(pool: Pool, username: string, units: readonly Unit[], waitMs = 20_000): Promise<ChangeResult> {
  return pool.direct().deliverNow(await submit(pool, username, units), { ...WAIT, waitMs });
}

const outcomes = ({ outcomes: said }: ChangeResult): object =>
  Object.fromEntries([...said].map(([unit, { is }]) => [unit, is]));

/** A change whose outcome is waited for, on either engine. */
export function directSuite(openStage: OpenStage): void {
  test("a change that is waited for is applied by the process that made it, without any worker", async (t: TestContext) => {
    const stage = await openStage(t, ["ana"]);
    const said = await update(stage.pool, "ana", [text("name", "Ana Roe"), text("nickname", "A")]);
    assert.deepEqual(outcomes(said), { name: "applied", nickname: "applied" });
    assert.equal(said.refusal, undefined);
    assert.equal(stage.calls(), 1);
    assert.equal(stage.attributes("ana")["name"], "Ana Roe");
  });

  test("a change that is waited for is sent again, but for an address that is there", async (t) => {
    const stage = await openStage(t, [{ username: "ana", attributes: { email: "a@e.com", email_verified: "true" } }]);
    await update(stage.pool, "ana", [text("name", "Ana")]);
    const said = await update(stage.pool, "ana", [text("name", "Ana"), contact("email", "a@e.com", "mark")]);
    assert.deepEqual(outcomes(said), { name: "applied", email: "unchanged" });
    assert.equal(stage.calls(), 2);
  });

  test("a change that is waited for and refused is told in Cognito's words, without the values, and becomes a letter", async (t) => {
    const stage = await openStage(t, []);
    const said = await update(stage.pool, "nobody", [text("name", "Ana")]);
    const [outcome] = said.outcomes.values();
    assert.ok(outcome?.is === "dead");
    assert.equal(outcome.kind, "user-not-found");
    assert.deepEqual([said.refusal?.name, said.refusal?.message], ["UserNotFoundException", "User does not exist."]);
    assert.deepEqual(
      (await stage.letters()).map(({ id }) => id),
      [outcome.letter],
    );
  });

  test("a change that is waited for leaves what others put of the user, and what is older gives way", async (t) => {
    const stage = await openStage(t, ["ana"]);
    await stage.put("ana", [text("name", "Old"), text("nickname", "A")], { unheard: true });
    const said = await update(stage.pool, "ana", [text("name", "New")]);
    assert.deepEqual(outcomes(said), { name: "applied" });
    assert.deepEqual(stage.writes("ana"), [{ name: "New" }]);
    const { superseded, pending } = await stage.books();
    assert.deepEqual([superseded, pending], [1, 1]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes("ana"), [{ name: "New" }, { nickname: "A" }]);
  });

  test("a change that is waited for is superseded by a newer one", async (t) => {
    const stage = await openStage(t, ["ana"]);
    const first = await submit(stage.pool, "ana", [text("name", "First")]);
    await update(stage.pool, "ana", [text("name", "Second")]);
    const said = await stage.pool.direct().deliverNow(first, WAIT);
    assert.deepEqual(outcomes(said), { name: "superseded" });
    assert.equal(stage.attributes("ana")["name"], "Second");
  });

  test("a change that is waited for waits for whoever has the user in hand", async (t) => {
    const stage = await openStage(t, ["ana"]);
    const key = await stage.put("ana", [text("nickname", "A")], { unheard: true });
    const { mailboxes } = stage.engine.store;
    assert.equal((await mailboxes.claim(key, "other", 300)).is, "claimed");
    const said = await update(stage.pool, "ana", [text("name", "Ana")]);
    assert.deepEqual(outcomes(said), { name: "applied" });
  });

  test("a change that is waited for stays queued when its time is up, and workers deliver it", async (t) => {
    const stage = await openStage(t, ["ana"]);
    const key = await stage.put("ana", [text("nickname", "A")], { unheard: true });
    assert.equal((await stage.engine.store.mailboxes.claim(key, "other", 1_000)).is, "claimed");
    const said = await update(stage.pool, "ana", [text("name", "Ana")], 50);
    assert.deepEqual(outcomes(said), { name: "pending" });
    await stage.deliver();
    await stage.settled();
  });

  test("a change that is waited for stays queued where this process's credentials are refused, and says so", async (t) => {
    const stage = await openStage(t, ["ana"]);
    stage.emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "AccessDeniedException", times: 1 });
    const said = await update(stage.pool, "ana", [text("name", "Ana")]);
    assert.deepEqual(outcomes(said), { name: "pending" });
    assert.deepEqual([said.refusal?.kind, said.refusal?.operation], ["access-denied", "AdminUpdateUserAttributes"]);
  });
}
