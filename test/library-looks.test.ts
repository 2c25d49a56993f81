/** What was seen a moment ago does not decide what is sent, and does not answer who asks for one change. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { byHand } from "./cli/command-run.ts";
import { openLibrary, type LibraryStage, type PoolOfPeople } from "./support/library-stage.ts";

const ALIASES = { aliasAttributes: ["email"] } as const;
const MOMENT_MS = 20_000;
const address = (email: string, isVerified = true) => ({ email, email_verified: String(isVerified) });
const contact = (people: PoolOfPeople, who: string) => [
  ...people.have("email", who),
  ...people.have("email_verified", who),
];

describe("within a minute of a look", () => {
  let stage: LibraryStage;
  before(async () => {
    stage = await openLibrary();
  });
  after(() => stage.close());

  /** Somebody else writes a user past poolsync, and a moment passes. */
  async function change(people: PoolOfPeople, who: string, attributes: Readonly<Record<string, string>>) {
    await byHand(stage.emulator, who, attributes, people.pool.id);
    stage.clock.pass(MOMENT_MS);
  }
  const anew = (people: PoolOfPeople, attributes: Readonly<Record<string, string>>) => {
    people.pool.removeUser("jane");
    people.pool.addUser({ username: "jane", attributes, status: "CONFIRMED" });
    stage.clock.pass(MOMENT_MS);
  };
  const looks = () => stage.emulator.counters.operations["ListUsers"]?.calls ?? 0;

  test("a flag that was queued verifies no address that came meanwhile and is somebody else's", async () => {
    const people = stage.people(ALIASES, [
      { who: "jane", attributes: address("a@example.com", false) },
      { who: "bob", attributes: address("b@example.com") },
    ]);
    await people.enqueue("a@example.com", { email_verified: "true" });
    await change(people, "jane", address("b@example.com", false));
    await stage.settled();
    assert.deepEqual([contact(people, "jane")[1], contact(people, "bob")[1]], ["false", "true"]);
  });

  test("a flag is kept as it is by now", async () => {
    const people = stage.people(ALIASES, [{ who: "jane", attributes: address("a@example.com") }]);
    await people.enqueue("a@example.com", { email: "new@example.com" }, { verified: "keep" });
    await change(people, "jane", { email_verified: "false" });
    await stage.settled();
    assert.deepEqual(contact(people, "jane"), ["new@example.com", "false"]);
  });

  test("a flag is that of whoever has the username by now", async () => {
    const people = stage.people(ALIASES, [
      { who: "jane", attributes: address("a@example.com", false) },
      { who: "bob", attributes: address("b@example.com") },
    ]);
    await people.update("jane", { email: "a@example.com" }, { verified: "keep" });
    anew(people, address("b@example.com", false));
    const { attributes } = await people.update("jane", { email_verified: "true" });
    assert.deepEqual([attributes["email_verified"]?.is, contact(people, "bob")[1]], ["dead", "true"]);
    const kept = stage.people({}, [{ who: "jane", attributes: address("a@example.com") }]);
    await kept.update("jane", { email: "a@example.com" }, { verified: "mark" });
    anew(kept, address("q@example.com", false));
    await kept.update("jane", { email: "w@example.com" }, { verified: "keep" });
    assert.deepEqual(contact(kept, "jane"), ["w@example.com", "false"]);
  });

  for (const [what, there, asked, otherwise] of [
    ["an address", address("a@example.com"), { email: "a@example.com" }, address("wrong@example.com")],
    ["a blank address", {}, { email: null }, address("wrong@example.com")],
    ["a flag", address("a@example.com", false), { email_verified: "false" }, { email_verified: "true" }],
  ] as const) {
    test(`${what} that somebody else changed is sent to who asks for it, at once and queued`, async () => {
      const people = stage.people({}, [{ who: "jane", attributes: there }]);
      const update = async () => {
        const { attributes } = await people.update("jane", asked, { verified: "mark" });
        return Object.values(attributes).map(({ is }) => is);
      };
      assert.deepEqual(await update(), ["unchanged"]);
      await change(people, "jane", otherwise);
      assert.deepEqual(await update(), ["applied"]);
      assert.deepEqual(await update(), ["unchanged"], "looks again, and finds it");
      await people.enqueue("jane", asked, { verified: "mark" });
      await stage.settled();
      assert.deepEqual(people.have("email", "jane"), ["email" in there ? "a@example.com" : ""]);
    });
  }

  test("a new address costs no look more, and a kept flag and a flag alone one each", async () => {
    const people = stage.people({ usernameAttributes: ["email"] }, [
      { who: "jane", attributes: address("a@example.com", false) },
    ]);
    for (const [asked, verified, calls] of [
      [{ phone_number: "+14325551212" }, "mark", 1],
      [{ phone_number: "+14325551213" }, "keep", 2],
      [{ email_verified: "true" }, undefined, 2],
    ] as const) {
      stage.clock.pass(61_000);
      const before = looks();
      await people.update("a@example.com", asked, verified && { verified });
      assert.equal(looks() - before, calls, Object.keys(asked).join());
    }
  });

  test("a name leads nowhere once a look shows that it is another's", async () => {
    const people = stage.people(ALIASES, [
      { who: "jane", attributes: address("a@example.com") },
      { who: "bob", attributes: address("b@example.com") },
    ]);
    await people.update("a@example.com", { given_name: "Jane" });
    await byHand(stage.emulator, "jane", address("z@example.com"), people.pool.id);
    await change(people, "bob", address("a@example.com"));
    await people.update("z@example.com", { family_name: "Z" });
    await people.update("a@example.com", { nickname: "of a" });
    assert.deepEqual(people.have("nickname", "jane", "bob"), ["", "of a"]);
  });

  test("a user who was made anew is found again by address after one letter", async () => {
    const people = stage.people({ usernameAttributes: ["email"] }, [
      { who: "jane", attributes: address("a@example.com") },
    ]);
    const update = async (nickname: string) => (await people.update("a@example.com", { nickname })).attributes;
    await update("one");
    people.pool.removeUser(people.sub("jane"));
    const { sub } = people.pool.addUser({ username: "a@example.com", attributes: address("a@example.com") });
    stage.clock.pass(MOMENT_MS);
    assert.equal((await update("two"))["nickname"]?.is, "dead");
    assert.equal((await update("three"))["nickname"]?.is, "applied");
    assert.equal(people.pool.user(sub)?.attributes["nickname"], "three");
  });
});
