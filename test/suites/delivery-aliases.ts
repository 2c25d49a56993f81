import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/condition.ts";
import { asIs, contact, type OpenStage, type Stage, text } from "../support/delivery-stage.ts";

const HERS = "ann@example.com";
const NUMBER = "+390612345678";
const ALIASES = { pool: { aliasAttributes: ["email" as const, "phone_number" as const] } };
const has = (username: string, email: string, flag = "true") => ({
  username,
  attributes: { email, email_verified: flag },
});

const lists = (stage: Stage): number => stage.emulator.counters.operations["ListUsers"]?.calls ?? 0;

async function letters(stage: Stage) {
  return (await stage.letters()).map(({ unit, kind, reason, owner }) => ({ unit, kind, reason, owner }));
}
const owned = (unit: string, owner: string) => ({ unit, kind: "alias-exists", reason: "alias-exists", owner });

/** Addresses, numbers and preferred usernames that people sign in with: nobody loses theirs to another. */
export function aliasSuite(open: OpenStage): void {
  test("an address that somebody else has verified is buried with their key, and they keep it", async (t) => {
    const stage = await open(t, [has("ann", HERS), "bob"], ALIASES);
    await stage.put("bob", [contact("email", HERS, "mark"), text("nickname", "bobby")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await letters(stage), [owned("email", stage.key("ann"))]);
    assert.deepEqual(stage.attributes("ann"), { email: HERS, email_verified: "true" });
    assert.deepEqual(stage.attributes("bob"), { nickname: "bobby" });
  });

  test("so are a number with a flag that stays, and a flag alone", async (t) => {
    const ann = { username: "ann", attributes: { phone_number: NUMBER, phone_number_verified: "true" } };
    const bob = { username: "bob", attributes: { phone_number: "+390612345600", phone_number_verified: "true" } };
    const cem = { username: "cem", attributes: { phone_number: NUMBER } };
    const stage = await open(t, [ann, bob, cem], ALIASES);
    await stage.put("bob", [contact("phone_number", NUMBER, "keep")]);
    await stage.put("cem", [asIs("phone_number_verified", true)]);
    await stage.deliver();
    await stage.settled();
    const all = (await letters(stage)).toSorted((a, b) => (a.unit < b.unit ? -1 : 1));
    const key = stage.key("ann");
    assert.deepEqual(all, [owned("phone_number", key), owned("phone_number_verified", key)]);
    assert.equal(stage.calls(), 0);
    assert.deepEqual(stage.attributes("ann"), ann.attributes);
  });

  test("a preferred username of somebody else is buried without a write, and one's own is written", async (t) => {
    const odd = 'o"dd\\name';
    const stage = await open(
      t,
      [
        { username: "ann", attributes: { preferred_username: odd } },
        { username: "cem", attributes: { preferred_username: "cem" } },
        "bob",
      ],
      { pool: { aliasAttributes: ["preferred_username" as const] } },
    );
    await stage.put("bob", [text("preferred_username", odd)]);
    await stage.put("cem", [text("preferred_username", "cem")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await letters(stage), [owned("preferred_username", stage.key("ann"))]);
    assert.deepEqual(stage.writes(), [{ preferred_username: "cem" }]);
    assert.equal(lists(stage), 2);
  });

  for (const caseSensitive of [true, false]) {
    const title = caseSensitive ? "another address where the pool minds case" : "the same where it does not";
    test(`an address that differs in case only is ${title}`, async (t) => {
      const pool = { ...ALIASES.pool, caseSensitive };
      const stage = await open(t, [has("ann", HERS), "bob"], { pool });
      await stage.put("bob", [contact("email", "ANN@example.com", "mark")]);
      await stage.deliver();
      await stage.settled();
      assert.deepEqual(await letters(stage), caseSensitive ? [] : [owned("email", stage.key("ann"))]);
      assert.equal(stage.attributes("ann")["email_verified"], "true");
    });
  }

  test("an address that others have but have not verified is nobody's", async (t) => {
    const stage = await open(t, [has("ann", HERS, "false"), "bob"], ALIASES);
    await stage.put("bob", [contact("email", HERS, "mark")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.attributes("bob"), { email: HERS, email_verified: "true" });
  });

  test("no look is spent on what takes nothing from anybody", async (t) => {
    const stage = await open(t, [has("ann", HERS), "bob"], ALIASES);
    await stage.put("bob", [contact("email", HERS, "ask"), text("nickname", "bobby")]);
    await stage.deliver();
    await stage.settled();
    // The one that is made before every address is written.
    assert.equal(lists(stage), 1);
    assert.deepEqual(stage.attributes("ann"), { email: HERS, email_verified: "true" });
  });

  test("of two workers that bring one address to two people one waits, though the list of users lags", async (t) => {
    const stage = await open(t, ["ann", "bob"], {
      ...ALIASES,
      emulator: { listLagMs: 2000 },
      requestTimeoutMs: 1000,
      concurrency: 1,
    });
    await Promise.all(["ann", "bob"].map((username) => stage.put(username, [contact("email", HERS, "mark")])));
    await stage.deliver();
    await stage.deliver(await stage.open());
    await stage.settled();
    const [winner, loser] = stage.attributes("ann")["email"] === HERS ? ["ann", "bob"] : ["bob", "ann"];
    assert.deepEqual(stage.attributes(winner), { email: HERS, email_verified: "true" });
    assert.deepEqual(stage.attributes(loser), {});
    assert.deepEqual(await letters(stage), [owned("email", stage.key(winner))]);
    assert.equal(stage.calls(), 1);
  });

  test("a look at the owner that is throttled is made again, and counts as nothing", async (t) => {
    const stage = await open(t, ["bob"], { pool: { aliasAttributes: ["preferred_username" as const] } });
    stage.emulator.faults.add({ operation: "ListUsers", times: 1, error: "TooManyRequestsException" });
    await stage.put("bob", [text("preferred_username", "bobby")], { unheard: true });
    await stage.deliver();
    await until("the look was throttled", () => lists(stage) === 1);
    await until("it is put off", async () => {
      const held = await stage.held("bob", "preferred_username");
      if (held) assert.deepEqual([held.attempts, held.faults], [0, 0]);
      return held === undefined || held.notBefore > 0;
    });
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ preferred_username: "bobby" }]);
  });

  test("where Cognito itself refuses a second owner, the letter says who the first is", async (t) => {
    const stage = await open(t, [], { pool: { usernameAttributes: ["email" as const] } });
    const ann = stage.users.addUser({ username: HERS, attributes: { email: HERS } });
    const bob = stage.users.addUser({ username: "bob@example.com", attributes: { email: "bob@example.com" } });
    await stage.put(bob.username, [contact("email", HERS, "mark")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(await letters(stage), [owned("email", stage.key(ann.username))]);
  });
}
